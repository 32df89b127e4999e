import type { Storage } from "./storage";

interface Stored {
  anonymousId: string;
  userId?: string;
  groupId?: string;
  sequence: number;
}

/** Who this browser says it is. A claim: the server proves it or leaves it. */
export class Identity {
  private stored: Stored;

  constructor(private readonly storage: Storage) {
    this.stored = read(storage) ?? { anonymousId: newId(), sequence: 0 };
    this.save();
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

  /** The place of the next event in this browser's order, counted over all its tabs. */
  next(): number {
    const latest = read(this.storage);
    if (latest?.anonymousId === this.stored.anonymousId) this.stored = latest;
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

  /** A new, unknown visitor. */
  reset(): void {
    this.stored = { anonymousId: newId(), sequence: 0 };
    this.save();
  }

  private save(): void {
    this.storage.set("id", JSON.stringify(this.stored));
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

function read(storage: Storage): Stored | undefined {
  try {
    const value: unknown = JSON.parse(storage.get("id") ?? "null");
    return isStored(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isStored(value: unknown): value is Stored {
  if (typeof value !== "object" || value === null) return false;
  const { anonymousId, userId, groupId, sequence } = value as Record<string, unknown>;
  const optional = (field: unknown) => field === undefined || typeof field === "string";
  return (
    typeof anonymousId === "string" &&
    /^[\w-]{8,64}$/.test(anonymousId) &&
    optional(userId) &&
    optional(groupId) &&
    Number.isSafeInteger(sequence)
  );
}
