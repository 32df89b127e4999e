import type { Storage } from "../storage";
import type { Trace } from "../trace";
import type { RapportEvent } from "../types";
import { Outbox } from "./outbox";

/** Browsers cap the bodies of all requests that may outlive a page at 64 KiB together. */
const BEACON_BYTES = 60_000;
const BATCH = 50;
const WAIT_MS = 200;
const RETRY_MS = 1_000;
const RETRY_MOST_MS = 60_000;
/** A server may ask for more; nobody waits longer than this. */
const ASKED_MOST_MS = 3_600_000;
/** The entry that says until when a server wants to hear nothing. */
const WAIT = "wait";

/** Hears the server's answer to a batch. */
export type Hear = (answer: Response, events: readonly RapportEvent[]) => void;

/** A batch as it travels. */
interface Parcel {
  readonly hear: Hear | undefined;
  readonly events: readonly RapportEvent[];
  readonly body: string;
  readonly bytes: number;
}

/** Sends events in batches; each is sent until the server has answered for it, in this page or a later one. */
export class Delivery {
  private readonly outbox: Outbox;
  private inFlight: readonly RapportEvent[] = [];
  /** Set by who wants the server's view of the visitor with the next batch that holds all that waits. */
  hear: Hear | undefined;
  /** Given to beacons, which bring no answer back. */
  readonly handed = new Set<RapportEvent>();
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private idle: (() => void)[] = [];

  constructor(
    readonly url: string,
    private readonly key: string,
    private readonly storage: Storage,
    private readonly trace: Trace,
  ) {
    this.outbox = new Outbox(storage);
  }

  /** Sends what waits when the page goes, too. */
  start(): void {
    addEventListener("pagehide", () => this.leave());
    addEventListener("online", () => this.soon());
    document.addEventListener("visibilitychange", () => (hidden() ? this.leave() : this.soon()));
  }

  /** Events that the server has not acknowledged yet. */
  get pending(): readonly RapportEvent[] {
    return this.outbox.all;
  }

  add(event: RapportEvent): void {
    const lost = this.outbox.add(event);
    if (lost) this.trace.note("dropped", "full", lost);
    // A page that is hidden may not live until the timer: the last reading time comes while it goes.
    if (hidden()) this.leave();
    else this.soon();
  }

  /** Takes up what earlier pages could not deliver. */
  adopt(): void {
    this.outbox.adopt(Date.now());
    this.soon();
  }

  /** Gives up everything that waits. */
  clear(): void {
    this.outbox.clear();
  }

  /** Resolves when nothing is left to send, or when sending failed. */
  flush(): Promise<void> {
    if (this.pending.length === 0) return Promise.resolve();
    const done = new Promise<void>((resolve) => this.idle.push(resolve));
    clearTimeout(this.timer);
    void this.send();
    return done;
  }

  /** With what else happens soon, but not before the server wants it. */
  private soon(): void {
    if (this.pending.length === 0) return;
    const asked = Number(this.storage.get(WAIT) ?? 0) - Date.now();
    // A clock that was wrong keeps nothing waiting.
    this.schedule(asked > ASKED_MOST_MS ? WAIT_MS : Math.max(WAIT_MS, asked));
  }

  private schedule(milliseconds: number): void {
    this.timer ??= setTimeout(() => void this.send(), milliseconds);
  }

  private async send(): Promise<void> {
    this.timer = undefined;
    if (this.inFlight.length > 0 || this.pending.length === 0) return;
    const parcel = this.pack(this.pending);
    this.inFlight = parcel.events;
    // A browser that ends now has it written down.
    this.outbox.keep();
    const wait = await this.post(parcel);
    this.inFlight = [];
    if (wait === undefined) {
      this.failures = 0;
      this.outbox.remove(parcel.events);
      parcel.events.forEach((event) => this.handed.delete(event));
      if (this.pending.length > 0) this.schedule(0);
    } else {
      this.failures += 1;
      this.trace.note("retrying", String(wait), ...parcel.events);
      this.schedule(wait);
    }
    if (this.pending.length === 0 || wait !== undefined) this.idle.splice(0).forEach((resolve) => resolve());
  }

  /** Milliseconds to wait before the next try; `undefined` where none is needed. */
  private async post({ events, body, bytes, hear }: Parcel): Promise<number | undefined> {
    this.trace.note("sent", "batch", ...events);
    const backOff = Math.min(RETRY_MS * 2 ** this.failures, RETRY_MOST_MS) * (0.5 + Math.random() / 2);
    try {
      // Other scripts may have used up what may outlive the page: a second try does without.
      const keepalive = bytes < BEACON_BYTES && this.failures === 0;
      const answer = await fetch(this.url, { method: "POST", body, keepalive });
      const { status } = answer;
      if (status === 408 || status === 429 || status >= 500) {
        const asked = waitAsked(answer.headers.get("retry-after"));
        // Other tabs and the next page wait as well.
        if (asked > 0) this.storage.set(WAIT, String(Date.now() + asked));
        return Math.max(backOff, asked);
      }
      if (this.storage.get(WAIT)) this.storage.remove(WAIT);
      this.trace.answered(answer, events);
      hear?.(answer, events);
      return undefined;
    } catch {
      return backOff;
    }
  }

  /**
   * The page may be gone after this: hands over what no request carries yet. What has no answer
   * stays written down, and the next page sends it again; ids make it count once.
   */
  private leave(): void {
    this.outbox.keep();
    if (!navigator.onLine || this.failures > 0) return;
    clearTimeout(this.timer);
    void this.send();
    let rest = this.pending.filter((event) => !this.inFlight.includes(event) && !this.handed.has(event));
    while (rest.length > 0) {
      const { events, body } = this.pack(rest);
      if (!navigator.sendBeacon(this.url, body)) return;
      this.trace.note("sent", "beacon", ...events);
      events.forEach((event) => this.handed.add(event));
      rest = rest.slice(events.length);
    }
  }

  /** As many of the first events as one request takes. As text it needs no preflight. */
  private pack(events: readonly RapportEvent[], most = BATCH): Parcel {
    const cookieless = events[0]?.anonymousId === undefined;
    const other = events.findIndex(({ anonymousId }) => (anonymousId === undefined) !== cookieless);
    const batch = events.slice(0, other < 0 ? most : Math.min(most, other));
    const hear = batch.length === this.pending.length ? this.hear : undefined;
    // What is undefined is left out.
    const envelope = { key: this.key, sentAt: new Date().toISOString(), batch, cookieless: cookieless || undefined, hints: hear && true };
    const body = JSON.stringify(envelope);
    const bytes = new TextEncoder().encode(body).length;
    if (bytes < BEACON_BYTES || batch.length === 1) return { events: batch, body, bytes, hear };
    return this.pack(batch, batch.length >> 1);
  }
}

function hidden(): boolean {
  return document.visibilityState === "hidden";
}

/** Milliseconds that a `Retry-After` asks for, in seconds or as a date. */
function waitAsked(header: string | null): number {
  if (!header) return 0;
  const wait = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Math.min(Math.max(wait || 0, 0), ASKED_MOST_MS);
}
