/** Events on their way to the collector: in batches, bounded, and gone only when it has them. */
import { randomUUID } from "node:crypto";
import type { Properties } from "../types";
import type { Outgoing } from "./rapport";
import type { Visitor } from "./visitor";

export interface TrackOptions {
  /** Events that may wait; beyond, the oldest are given up. Default: 10,000. */
  readonly most?: number;
  /** Events a request. Default: 100; the collector takes 500. */
  readonly batch?: number;
  /** Milliseconds until what waits is sent though no batch is full; 0 sends only by `flush`. Default: 1,000. */
  readonly after?: number;
  /** Tries of a batch before it waits for the next. Default: 4. */
  readonly tries?: number;
}

/** An event in the Segment shape. */
interface Posted {
  readonly type: "track";
  readonly event: string;
  readonly messageId: string;
  readonly anonymousId?: string | undefined;
  readonly userId?: string | undefined;
  readonly properties: Properties;
  readonly timestamp: string;
  readonly context?: { readonly consent: NonNullable<Visitor["consent"]> };
}

const LIBRARY = { name: "rapport-node" };
/** The collector takes 512 KB. */
const MOST_BYTES = 400_000;
const RETRY_MS = 200;
const RETRY_MOST_MS = 10_000;

export class Outbox implements Outgoing {
  /** Events that were given up: too many waited, or the collector refused them. */
  dropped = 0;
  private waiting: Posted[] = [];
  private timer: NodeJS.Timeout | undefined;
  private sending: Promise<void> | undefined;
  private readonly most: number;
  private readonly batch: number;
  private readonly after: number;
  private readonly tries: number;
  /** A process that has nothing else to do sends what waits before it ends. */
  private readonly atExit = () => void this.flush();

  constructor(
    private readonly url: string,
    private readonly key: string,
    private readonly request: typeof fetch,
    { most = 10_000, batch = 100, after = 1_000, tries = 4 }: TrackOptions = {},
  ) {
    [this.most, this.batch, this.after, this.tries] = [most, batch, after, tries];
  }

  add(event: string, { anonymousId, userId, consent, now }: Visitor, properties: Properties): void {
    // What is refused altogether is not even sent.
    if (consent?.analytics === false && consent.profiling === false) return;
    if (anonymousId === undefined && userId === undefined) throw new TypeError(`nobody did "${event}": the visitor needs an anonymousId or a userId`);
    const timestamp = new Date(now ?? Date.now()).toISOString();
    if (this.waiting.length === 0) process.once("beforeExit", this.atExit);
    this.waiting.push({ type: "track", event, messageId: randomUUID(), anonymousId, userId, properties, timestamp, ...(consent ? { context: { consent } } : {}) });
    if (this.waiting.length > this.most) {
      this.waiting.shift();
      this.dropped += 1;
    }
    if (this.waiting.length >= this.batch) void this.flush();
    else if (this.after > 0 && !this.timer) this.timer = setTimeout(() => void this.flush(), this.after).unref();
  }

  /** Sends what waits; resolves when the collector has it, or could not be reached. */
  flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.sending ??= this.send().finally(() => {
      this.sending = undefined;
      if (this.waiting.length === 0) process.off("beforeExit", this.atExit);
    });
    return this.sending;
  }

  private async send(): Promise<void> {
    while (this.waiting.length > 0) {
      const { events, body } = this.pack();
      // What comes while they travel may push them out: they are taken off first.
      this.waiting.splice(0, events.length);
      if (await this.post(body, events.length)) continue;
      const room = Math.max(this.most - this.waiting.length, 0);
      this.dropped += Math.max(events.length - room, 0);
      this.waiting.unshift(...events.slice(events.length - Math.min(room, events.length)));
      return;
    }
  }

  /** Whether the batch need not be sent again. */
  private async post(body: string, count: number): Promise<boolean> {
    const headers = { "content-type": "application/json", authorization: `Basic ${Buffer.from(`${this.key}:`).toString("base64")}` };
    for (let attempt = 0; attempt < this.tries; attempt += 1) {
      const backOff = Math.min(RETRY_MS * 2 ** attempt, RETRY_MOST_MS) * (0.5 + Math.random() / 2);
      let wait = backOff;
      try {
        const answer = await this.request(this.url, { method: "POST", headers, body, signal: AbortSignal.timeout(RETRY_MOST_MS) });
        await answer.arrayBuffer();
        if (answer.ok) return true;
        if (answer.status !== 408 && answer.status !== 429 && answer.status < 500) {
          this.dropped += count;
          return true;
        }
        wait = Math.min(Math.max(backOff, 1_000 * Number(answer.headers.get("retry-after") ?? 0) || 0), RETRY_MOST_MS);
      } catch {
        // Not reached: another try.
      }
      if (attempt + 1 < this.tries) await new Promise((resolve) => setTimeout(resolve, wait));
    }
    return false;
  }

  /** As many of the first events as one request takes. */
  private pack(count = Math.min(this.batch, this.waiting.length)): { events: Posted[]; body: string } {
    const events = this.waiting.slice(0, count);
    const batch = events.map((event) => ({ ...event, context: { library: LIBRARY, ...event.context } }));
    const body = JSON.stringify({ sentAt: new Date().toISOString(), batch });
    return count === 1 || Buffer.byteLength(body) <= MOST_BYTES ? { events, body } : this.pack(count >> 1);
  }
}
