import type { Storage } from "./storage";

interface Stored {
  anonymousId: string;
  userId?: string;
  groupId?: string;
  sequence: number;
  /** Whoever was here before is not to come back. */
  reset?: boolean;
}

/** Who this browser says it is. A claim: the server proves it or leaves it. */
export class Identity {
  private stored: Stored;

  constructor(private readonly storage: Storage) {
    const stored = read(storage);
    this.stored = stored ?? fresh();
    if (!stored) this.save();
  }

  get anonymousId(): string {
    return this.stored.anonymousId;
  }

  get userId(): string | undefined {
    return this.stored.userId;
  }

  get groupId(): string | undefined {
    return this.stored.groupId;
  }

  /**
   * The place of the next event in this browser's order, counted over all its tabs, which have one visitor.
   * Two tabs that send at one moment may take the same place: browsers tell one process of what another
   * stored a little later.
   */
  next(): number {
    this.stored = read(this.storage) ?? this.stored;
    this.stored.sequence += 1;
    this.save();
    return this.stored.sequence;
  }

  identify(userId: string): void {
    this.stored.userId = userId;
    this.save();
  }

  group(groupId: string): void {
    this.stored.groupId = groupId;
    this.save();
  }

  /** Takes the id that a link from the owner's other site brought, where nothing happened under another one. */
  arrive(id: string): boolean {
    if (this.stored.sequence > 0 || !isId(id)) return false;
    this.stored = fresh(id);
    this.save();
    return true;
  }

  /** A new, unknown visitor. */
  reset(): void {
    this.stored = fresh();
    this.stored.reset = true;
    this.save();
  }

  /** What the browser holds now that it may be read. */
  reload(): void {
    this.stored = read(this.storage) ?? this.stored;
    this.save();
  }

  private save(): void {
    this.storage.write("id", this.stored);
  }
}

/** 128 random bits as a UUID; `randomUUID` itself exists on https pages only. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  let text = "";
  bytes.forEach((byte, index) => {
    if (index === 4 || index === 6 || index === 8 || index === 10) text += "-";
    text += byte.toString(16).padStart(2, "0");
  });
  return text;
}

/** Whether a text can be a visitor's id. */
function isId(text: unknown): text is string {
  return typeof text === "string" && /^[\w-]{8,64}$/.test(text);
}

function fresh(anonymousId = newId()): Stored {
  return { anonymousId, sequence: 0 };
}

function read(storage: Storage): Stored | undefined {
  const stored = storage.read("id");
  const { anonymousId, userId, groupId, sequence } = stored;
  const optional = (field: unknown) => field === undefined || typeof field === "string";
  const whole = isId(anonymousId) && optional(userId) && optional(groupId) && Number.isSafeInteger(sequence);
  return whole ? (stored as unknown as Stored) : undefined;
}
