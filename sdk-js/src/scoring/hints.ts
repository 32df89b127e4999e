/** The server's view of this visitor: when the page asks for it, and what of an answer it believes. */
import type { Asking } from "../decisions";
import type { RapportEvent } from "../types";
import { fromBase64 } from "./base64";

/** Of what the server answers with hints: a profile of 256 signals has less than 9 KB. */
const REPLY_CHARACTERS = 64 * 1024;
/** So many batches ask; a server that has nothing to tell is then left alone. */
const TRIES = 3;
/** A page in which nothing more happens asks by sending again what the server has. */
const IDLE_MS = 2_000;
const LIFE_MOST_MS = 7 * 86_400_000;
const SIGNALS = 256;
/** Nothing is left to ask then. */
const SETTLED: ReadonlySet<string> = new Set(["taken", "bundle", "refused"]);
/** The server has more to say before long. */
const WAITING: ReadonlySet<string> = new Set(["ahead", "unfolded", "left"]);
/** Clocks that differ by less are taken for equal. */
const CLOCK_MS = 60_000;

/** Puts the server's profile in place of the page's, and what it lacks on top; false where the bytes are none. */
export type Take = (profile: Uint8Array, unseen: readonly RapportEvent[], upTo: string | undefined) => boolean;

/** What is kept of the newest hints, beside the profile that they brought. */
interface Kept {
  readonly anonymousId: string;
  /** Of two hints the one with the larger version counts. */
  readonly version: number;
  /** The bundle that the profile was folded for. */
  readonly bundle?: string | undefined;
  /** The visit in which the page asked last. */
  readonly session?: number | undefined;
  /** When they are forgotten, by this browser's clock. */
  readonly until: number;
  /** Milliseconds that the server's clock is ahead of this browser's. */
  readonly ahead: number;
  /** Whose values the server set. */
  readonly signals: readonly number[];
}

/** One page's talk with the server about its visitor. */
export class Hints {
  private kept: Kept | undefined;
  private session: number | undefined;
  private tries = 0;
  private last: RapportEvent | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly asking: Asking,
    private readonly bundle: string | undefined,
    private readonly take: Take,
  ) {}

  /** Signals whose values the server set. */
  get signals(): readonly number[] {
    return this.kept?.signals ?? [];
  }

  /** Signals whose values have expired with their hints. */
  expired(): readonly number[] {
    const { kept } = this;
    if (!kept || kept.until > Date.now()) return [];
    this.kept = undefined;
    this.asking.rapport.storage.remove("hints");
    this.ask();
    return kept.signals;
  }

  /** Milliseconds by which this browser's clock is put right. */
  get ahead(): number {
    return this.kept?.ahead ?? 0;
  }

  /** Takes up what is kept; false, and nothing is, where it is another visitor's. */
  recall(whose: string | undefined): boolean {
    const { storage } = this.asking.rapport;
    const entry = storage.read("hints");
    const own = entry["anonymousId"] === undefined || entry["anonymousId"] === whose;
    this.kept = own ? whole(entry) : undefined;
    if (!this.kept) storage.remove("hints");
    this.session = this.kept?.session;
    // Signals that a new bundle declares are missing until the server has folded them.
    if (!this.kept || this.kept.bundle !== this.bundle) this.ask();
    return own;
  }

  /** Whether another tab has taken newer hints since. */
  overtaken(): boolean {
    const before = this.kept?.version;
    const latest = whole(this.asking.rapport.storage.read("hints"));
    if (latest) this.kept = latest;
    return latest !== undefined && latest.version !== before;
  }

  /** Asks once a visit, and where an `identify` brings its proof. */
  happened(event: RapportEvent): void {
    const { token, context } = event;
    this.last = event;
    if (token === undefined && context.sessionId === this.session) return;
    this.session = context.sessionId;
    this.ask();
  }

  /** Asks with the next batch that holds all that waits. */
  ask(): void {
    const { delivery, profiles } = this.asking.rapport;
    if (!profiles) return;
    this.tries = TRIES;
    delivery.hear = (answer, events) => void this.hear(answer, events);
  }

  /** Asks also where nothing more happens. */
  askSoon(): void {
    this.ask();
    this.wait();
  }

  private wait(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.askAgain(), IDLE_MS);
  }

  private async askAgain(): Promise<void> {
    const { asking, last } = this;
    const { delivery, profiles, anonymousId } = asking.rapport;
    if (!delivery.hear || delivery.pending.length > 0 || !profiles || last?.anonymousId !== anonymousId) return;
    const body = JSON.stringify({ key: asking.key, sentAt: new Date().toISOString(), batch: [last], hints: true });
    try {
      await this.hear(await fetch(delivery.url, { method: "POST", body }), []);
    } catch {
      // Without a network the next batch asks.
    }
  }

  private async hear(answer: Response, events: readonly RapportEvent[]): Promise<void> {
    const { delivery, trace } = this.asking.rapport;
    let outcome = "garbage";
    try {
      outcome = this.judge(answer.ok ? await answer.text() : "{}", events);
    } catch {
      // No JSON, or nothing that anybody would send.
    }
    this.tries -= 1;
    if (SETTLED.has(outcome) || this.tries <= 0) delivery.hear = undefined;
    else if (WAITING.has(outcome)) this.wait();
    trace.note("hints", outcome);
  }

  /** This browser had another id before its pages forgot it, says the server's cookie. */
  private become(visitor: unknown): string {
    const { identity, storage } = this.asking.rapport;
    storage.write("id", { ...storage.read("id"), anonymousId: visitor });
    identity.reload();
    if (identity.anonymousId !== visitor) return "id";
    // What is here belongs to the id that this page made up.
    for (const name of ["profile", "hints"]) storage.remove(name);
    return "back";
  }

  /** What became of an answer, in a word that the debug part explains. */
  private judge(text: string, events: readonly RapportEvent[]): string {
    if (text.length > REPLY_CHARACTERS) return "long";
    const { rapport } = this.asking;
    if (!rapport.profiles) return "consent";
    // Another tab may have become another visitor.
    rapport.identity.reload();
    const { delivery, anonymousId: whose } = rapport;
    const { visitor, hints } = Object(JSON.parse(text)) as Record<string, unknown>;
    // Not after a reset, and not where the server has known this one for long.
    if (visitor !== undefined && visitor !== whose && !this.kept && !rapport.storage.read("id")["reset"]) return this.become(visitor);
    if (hints === undefined) return "none";
    const { anonymousId, version, expires, now = Date.now(), bundle, profile, upTo, consent, signals = [] } = Object(hints) as Record<string, unknown>;
    if (anonymousId !== whose) return "visitor";
    if (Object(consent).profiling === false) {
      rapport.consent({ profiling: false });
      return "refused";
    }
    if (!isTime(version) || !isTime(expires) || !isTime(now)) return "garbage";
    if (expires <= now) return "expired";
    this.overtaken();
    if (this.kept?.anonymousId === whose && version < this.kept.version) return "older";
    if (this.bundle !== undefined && bundle !== this.bundle) return "bundle";
    if (!Array.isArray(signals) || signals.length > SIGNALS || !signals.every((pair) => Array.isArray(pair) && isTime(pair[0]))) return "garbage";
    if (profile === undefined) return "unfolded";
    const bytes = typeof profile === "string" ? fromBase64(profile) : undefined;
    const unseen = delivery.pending.filter((event) => event.anonymousId === whose && !events.includes(event));
    // Nobody knows whether they went in.
    if (unseen.some((event) => delivery.handed.has(event))) return "left";
    const before = this.kept;
    const skew = now - Date.now();
    this.kept = {
      anonymousId: whose,
      version,
      bundle: this.bundle,
      session: this.session,
      until: Date.now() + Math.min(expires - now, LIFE_MOST_MS),
      ahead: Math.abs(skew) < CLOCK_MS ? 0 : skew,
      signals: signals.filter((pair) => pair[1] !== null).map((pair) => pair[0] as number),
    };
    // First, so that other tabs that hear of the profile know how new it is.
    rapport.storage.write("hints", this.kept);
    if (!bytes || !this.take(bytes, unseen, typeof upTo === "string" ? upTo : undefined)) {
      this.kept = before;
      if (before) rapport.storage.write("hints", before);
      else rapport.storage.remove("hints");
      return "profile";
    }
    return unseen.length > 0 ? "ahead" : "taken";
  }
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** What an entry holds, where it is whole; a life beyond the longest is a clock's mistake. */
function whole(entry: Record<string, unknown>): Kept | undefined {
  const { anonymousId, version, until, ahead, signals } = entry;
  const good = typeof anonymousId === "string" && isTime(version) && isTime(until) && Number.isSafeInteger(ahead) && Array.isArray(signals);
  return good && until - Date.now() <= LIFE_MOST_MS ? (entry as unknown as Kept) : undefined;
}
