import type { Storage } from "../storage";
import type { RapportEvent } from "../types";

/** What waits beyond these is given up, oldest first. The server tells doubles apart for 30 days. */
const EVENTS = 1_000;
const AGE_MS = 7 * 86_400_000;

/** Events that no server has acknowledged, kept where they outlive the page. */
export class Outbox {
  private events: RapportEvent[] = [];
  private readonly name = `out:${Math.random().toString(36).slice(2, 10)}`;
  private kept = false;

  constructor(private readonly storage: Storage) {}

  get all(): readonly RapportEvent[] {
    return this.events;
  }

  add(event: RapportEvent): RapportEvent | undefined {
    this.events.push(event);
    return this.events.length > EVENTS ? this.events.shift() : undefined;
  }

  remove(gone: readonly RapportEvent[]): void {
    const ids = new Set(gone.map(({ messageId }) => messageId));
    this.events = this.events.filter(({ messageId }) => !ids.has(messageId));
    if (this.kept) this.keep();
  }

  /** Writes down what waits; what goes without an id is not to leave one here either. */
  keep(): void {
    const events = this.events.filter(({ anonymousId }) => anonymousId);
    this.kept = events.length > 0;
    if (this.kept) this.storage.write(this.name, events);
    else this.storage.remove(this.name);
  }

  /**
   * Takes over what other pages left. Where one of them lives and sends too, the ids
   * make it count once: cheaper than a lock, which would keep pages out of the back cache.
   */
  adopt(now: number): void {
    const known = new Set(this.events.map(({ messageId }) => messageId));
    for (const name of this.storage.names("out:")) {
      if (name === this.name) continue;
      const left: unknown = this.storage.take(name);
      for (const event of Array.isArray(left) ? left.filter(isEvent) : []) {
        if (now - Date.parse(event.timestamp) > AGE_MS || known.has(event.messageId)) continue;
        known.add(event.messageId);
        this.events.push(event);
      }
    }
    this.events = this.events.slice(-EVENTS);
    if (this.events.length > 0) this.keep();
  }

  clear(): void {
    this.events = [];
    if (this.kept) this.keep();
  }
}

function isEvent(value: unknown): value is RapportEvent {
  const { messageId, type, timestamp } = Object(value) as Record<string, unknown>;
  return typeof messageId === "string" && typeof type === "string" && Date.parse(String(timestamp)) > 0;
}
