import type { RapportEvent } from "./types";

/** Browsers cap the bodies of all requests that may outlive a page at 64 KiB together. */
const BEACON_BYTES = 60_000;
const BATCH = 50;
const QUEUE = 1_000;
const WAIT_MS = 200;
const RETRY_MS = 1_000;
const RETRY_MOST_MS = 60_000;

/** Sends events in batches; each is sent until the server has answered for it. */
export class Delivery {
  private queue: RapportEvent[] = [];
  private inFlight = 0;
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private idle: (() => void)[] = [];

  constructor(
    private readonly url: string,
    private readonly key: string,
  ) {
    addEventListener("pagehide", () => this.beacon());
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.beacon();
    });
  }

  /** Events that the server has not acknowledged yet. */
  get pending(): readonly RapportEvent[] {
    return this.queue;
  }

  add(event: RapportEvent): void {
    this.queue.push(event);
    if (this.queue.length > QUEUE) this.queue.shift();
    // A page that is hidden may not live until the timer: the last reading time comes while it goes.
    if (document.visibilityState === "hidden") this.beacon();
    if (this.queue.length > 0) this.schedule(WAIT_MS);
  }

  /** Resolves when nothing is left to send, or when sending failed. */
  flush(): Promise<void> {
    if (this.queue.length === 0) return Promise.resolve();
    const done = new Promise<void>((resolve) => this.idle.push(resolve));
    this.retryNow();
    return done;
  }

  private schedule(milliseconds: number): void {
    this.timer ??= setTimeout(() => void this.send(), milliseconds);
  }

  private retryNow(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    void this.send();
  }

  private async send(): Promise<void> {
    this.timer = undefined;
    if (this.inFlight > 0 || this.queue.length === 0) return;
    const batch = this.queue.slice(0, BATCH);
    this.inFlight = batch.length;
    const outcome = await this.post(batch);
    this.inFlight = 0;
    if (outcome === "again") {
      this.failures += 1;
      const wait = Math.min(RETRY_MS * 2 ** (this.failures - 1), RETRY_MOST_MS);
      this.schedule(wait * (0.5 + Math.random() / 2));
    } else {
      this.failures = 0;
      const sent = new Set(batch.map((event) => event.messageId));
      this.queue = this.queue.filter((event) => !sent.has(event.messageId));
      if (this.queue.length > 0) this.schedule(0);
    }
    if (this.queue.length === 0 || outcome === "again") {
      this.idle.splice(0).forEach((resolve) => resolve());
    }
  }

  private async post(batch: readonly RapportEvent[]): Promise<"done" | "again"> {
    const body = this.body(batch);
    try {
      const keepalive = body.size < BEACON_BYTES;
      const { status } = await fetch(this.url, {
        method: "POST",
        body,
        keepalive,
      });
      return status === 408 || status === 429 || status >= 500 ? "again" : "done";
    } catch {
      return "again";
    }
  }

  /** The page may be gone after this: hands over what no request carries yet. Ids make a doubled event count once. */
  private beacon(): void {
    const rest = this.queue.slice(this.inFlight);
    for (let at = 0; at < rest.length; at += BATCH) {
      const batch = rest.slice(at, at + BATCH);
      if (!navigator.sendBeacon(this.url, this.body(batch))) return;
      const sent = new Set(batch);
      this.queue = this.queue.filter((event) => !sent.has(event));
    }
  }

  /** `text/plain` keeps both `fetch` and `sendBeacon` free of a preflight. */
  private body(batch: readonly RapportEvent[]): Blob {
    const text = JSON.stringify({ key: this.key, sentAt: new Date().toISOString(), batch });
    return new Blob([text], { type: "text/plain" });
  }
}
