/** Makes decisions: with the engine in the page, or over HTTP where the page may not run it. */
import type { About, Asking, Early, Scorer } from "../decisions";
import { unmask } from "../personalize/mask";
import type { Decision, RapportEvent, Verdict } from "../types";
import { fromBase64, toBase64 } from "./base64";
import { LocalEngine, split } from "./engine";
import { Hints } from "./hints";
import { RemoteEngine } from "./remote";

/** The part `visit` comes with this file: every visitor needs both, and each file costs a page time. */
export { mount } from "../visit/index";

/** Starts the engine, or turns to the server where there is none for this page. */
export async function scorer(asking: Asking, { bundle, module, bytes, flags }: Early): Promise<Scorer> {
  // Nothing will change what a site masks.
  if (!flags) unmask();
  try {
    if (!module || !bytes) throw OFF;
    return new Decider(asking, new LocalEngine(await module, split(await bytes)), bundle, false, flags);
  } catch (error) {
    // Browsers even fail the fetches of a page before they say that it goes.
    return new Decider(asking, error, bundle, bytes !== undefined && !(error instanceof WebAssembly.CompileError), flags);
  }
}

const OFF = "the workspace asks for it";

/** From where a decision comes, and when it was asked for. */
type Cause = Pick<Decision, "cause" | "messageId"> & { readonly started: number };

class Decider implements Scorer {
  /** What failed may work on the next page; a policy against WebAssembly stays. */
  readonly owing: boolean;
  private engine: LocalEngine | undefined;
  private remote: RemoteEngine | undefined;
  /** The score that the next decision is compared with. */
  private before: number | undefined;
  /** The visitor whose profile the engine holds. */
  private whose: string | undefined;
  private readonly hints: Hints;
  /** The profile that was saved last. */
  private kept: string | undefined;

  /** With an engine, or with the reason why there is none. */
  constructor(
    private readonly asking: Asking,
    engine: unknown,
    bundle: string | undefined,
    owing: boolean,
    private readonly coming: Early["flags"],
  ) {
    this.owing = owing;
    const { key, rapport } = asking;
    this.hints = new Hints(asking, bundle, (...given) => this.take(...given));
    if (engine instanceof LocalEngine) this.engine = engine;
    else this.turnToServer(engine);
    if (rapport.profiles) this.recall(rapport.anonymousId);
    this.before = this.engine?.decide(this.now).score;
    addEventListener("storage", ({ key: entry, newValue }) => {
      if (entry === `rapport:${key}:profile` && newValue && rapport.profiles) this.heardOfOtherTab(fromBase64(newValue));
    });
  }

  happened(event: RapportEvent): void {
    const cause = { cause: event.event ?? event.type, messageId: event.messageId, started: performance.now() };
    if (event.anonymousId !== this.whose) this.recall(event.anonymousId);
    if (event.anonymousId) this.hints.happened(event);
    this.forgetExpired();
    if (!this.engine) return this.askFor(cause);
    const verdict = this.fold(event);
    if (!verdict) return;
    this.publish(verdict, "page", cause);
    this.save();
  }

  look(cause: string): void {
    const from = { cause, started: performance.now() };
    if (this.engine) this.publish(this.engine.decide(this.now), "page", from);
    else this.askFor(from);
  }

  forget(): void {
    this.whose = undefined;
    this.engine?.forget();
  }

  serve(about?: About): void {
    if (about) this.remote ??= new RemoteEngine(this.asking, undefined);
    this.remote?.serve(about);
  }

  ask(): void {
    this.askFor({ cause: "slots", started: performance.now() });
  }

  /** Averaged over many: one alone is below a page's clock. */
  measure(): number | undefined {
    if (!this.engine) return undefined;
    const runs = 50;
    const { now } = this;
    const start = performance.now();
    for (let run = 0; run < runs; run += 1) void this.engine.decide(now).reasons;
    return (performance.now() - start) / runs;
  }

  private askFor(cause: Cause): void {
    // Who scores in the page asks the server for the rest.
    void this.remote?.ask((verdict) => this.engine || this.publish(verdict, "server", cause));
  }

  private publish(verdict: Verdict, source: "page" | "server", { started, ...from }: Cause): void {
    const change = this.before === undefined ? 0 : verdict.score - this.before;
    this.before = verdict.score;
    const took = performance.now() - started;
    const { score, probability, band, scoredBy, fault } = verdict;
    const { signals } = this.hints;
    this.asking.publish({
      score,
      probability,
      band,
      get base() { return verdict.base; },
      get reasons() { return verdict.reasons.map((reason) => (signals.includes(reason.signal) ? { ...reason, server: true } : reason)); },
      get rest() { return verdict.rest; },
      ...(scoredBy === undefined ? {} : { scoredBy }),
      ...(fault === undefined ? {} : { fault }),
      ...from,
      source,
      change,
      asOf: Date.now(),
      took,
    });
  }

  private turnToServer(reason: unknown): void {
    console.info("rapport: decisions come from the server:", reason);
    this.engine = undefined;
    this.remote ??= new RemoteEngine(this.asking, this.coming);
  }

  /** Takes up what this browser keeps of a visitor; what it lost, the server may still have. */
  private recall(whose: string | undefined): void {
    this.forget();
    this.whose = whose;
    const own = this.hints.recall(whose);
    if (!own) this.asking.rapport.storage.remove("profile");
    if (!own || (this.engine && !this.restore())) this.hints.ask();
    this.forgetExpired();
  }

  /** What the server set is missing again when nobody knows any more whether it holds. */
  private forgetExpired(): void {
    this.hints.expired().forEach((signal) => this.engine?.give(signal, NaN));
  }

  /** Puts the server's profile in, and folds what the server had not acknowledged: counters are never added up. */
  private take(profile: Uint8Array, unseen: readonly RapportEvent[], upTo: string | undefined): boolean {
    const { engine } = this;
    const started = performance.now();
    if (!engine) return true;
    if (!engine.restore(profile)) return false;
    unseen.forEach((event) => this.fold(event));
    const before = this.kept;
    this.save();
    const verdict = engine.decide(this.now);
    const { decision } = this.asking.rapport;
    // The same profile says the same; else the reasons tell.
    if (!(this.kept === before && verdict.probability === decision?.probability) && !equal(verdict, decision)) {
      this.publish(verdict, "page", { cause: "hints", started, ...(upTo === undefined ? {} : { messageId: upTo }) });
    }
    return true;
  }

  private heardOfOtherTab(theirs: Uint8Array | undefined): void {
    const { rapport } = this.asking;
    const { pending } = rapport.delivery;
    rapport.identity.reload();
    if (rapport.anonymousId !== this.whose) {
      // It became another visitor, and so did this one.
      this.recall(rapport.anonymousId);
      return this.look("another tab");
    }
    const overtaken = this.hints.overtaken();
    // Had they gone on from what is here, they would have more.
    const crossed = this.engine && theirs && eventsOf(theirs) <= eventsOf(this.engine.save());
    if (!this.restore()) return;
    if (overtaken && pending.length > 0) {
      pending.forEach((event) => this.fold(event));
      this.save();
    }
    if (overtaken ? pending.length > 0 : crossed) this.hints.askSoon();
    this.look("another tab");
  }

  private fold(event: RapportEvent): Verdict | undefined {
    try {
      return this.engine?.apply(event, Date.parse(event.timestamp) + this.hints.ahead);
    } catch (error) {
      // What an engine that fails remembers may be half done: it is not asked again.
      this.turnToServer(error);
      return undefined;
    }
  }

  private get now(): number {
    return Date.now() + this.hints.ahead;
  }

  private save(): void {
    if (!this.engine) return;
    this.kept = toBase64(this.engine.save());
    this.asking.rapport.storage.set("profile", this.kept);
  }

  private restore(): boolean {
    const text = this.asking.rapport.storage.get("profile");
    const bytes = text === undefined ? undefined : fromBase64(text);
    return bytes !== undefined && this.engine?.restore(bytes) === true;
  }
}

/** How many events went into a profile: docs/profile-format.md. */
function eventsOf(profile: Uint8Array): number {
  return profile.length < 46 ? 0 : new DataView(profile.buffer, profile.byteOffset).getUint32(42, true);
}

/** Whether two verdicts say the same. */
function equal(one: Verdict, other: Verdict | undefined): boolean {
  const said = ({ score, probability, band, base, reasons, rest }: Verdict) => JSON.stringify([score, probability, band, base, reasons.map(({ text, points }) => text + points), rest]);
  return other !== undefined && said(one) === said(other);
}
