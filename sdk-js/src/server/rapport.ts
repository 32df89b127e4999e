/** Decides on the customer's server, as the page does, without a request to anybody. */
import type { Exposure, Feature, Json } from "../flags";
import type { Seen } from "../flags/exposure";
import type { Hydration } from "../hydration";
import type { Properties, Verdict } from "../types";
import type { Bundle } from "./bundle";
import { Deciding, type Modules } from "./deciding";
import type { Question } from "./asker";
import { Exposures } from "./exposures";
import { Visit } from "./visit";
import { profiled, type Said, type Visitor } from "./visitor";

/** All that the bundle says of a visitor. Nobody is told of it: what a visitor sees is asked by `feature`. */
export interface Decided extends Partial<Verdict> {
  /** Hash of the bundle's manifest. */
  readonly bundle: string;
  /** Features and slots by their keys. */
  readonly features: { readonly [key: string]: Feature };
  /** The reasons of the score, and of each feature, in sentences. */
  readonly why: readonly string[];
}

/** Takes events away. */
export interface Outgoing {
  /** Events that were given up. */
  readonly dropped: number;
  add(event: string, visitor: Visitor, properties: Properties): void;
  flush(): Promise<void>;
}

/** Brings bundles, and news of them. */
export interface Supply {
  /** A newer bundle, if there is one. */
  fetch(): Promise<Bundle | undefined>;
  /** Ends what runs in the background. */
  stop(): void;
}

/** Asks the server for scores. */
export interface Asking {
  ask(question: Question): Promise<Said>;
}

/** Hears of an assignment that results count, each time it is asked for. */
export type OnExposure = (exposure: Exposure, visitor: Visitor) => void;

export class Rapport {
  protected deciding: Deciding;
  private readonly exposures = new Exposures();
  private readonly listeners = new Set<(bundle: string) => void>();
  private readonly staleListeners = new Set<(stale: boolean, message: string) => void>();
  private stale = false;
  private refreshing: Promise<boolean> | undefined;

  /** Use `openRapport`. */
  constructor(
    private readonly modules: Modules,
    bundle: Bundle,
    private readonly supply: Supply | undefined,
    private readonly outbox: Outgoing | undefined,
    private readonly onExposure?: OnExposure | undefined,
    private readonly asking?: Asking | undefined,
  ) {
    this.deciding = new Deciding(modules, bundle);
  }

  /** Hash of the manifest in force. */
  get bundle(): string {
    return this.deciding.hash;
  }

  /** The keys of all features and slots. */
  get keys(): readonly string[] {
    return this.deciding.keys;
  }

  /** Whether the feature is the same for everybody. */
  isFixed(key: string): boolean {
    return this.deciding.isFixed(key);
  }

  /** Whether what anybody sees depends on their score. */
  get readsScore(): boolean {
    return this.deciding.readsScore;
  }

  /**
   * The visitor with the score that the server gives, where the workspace brought a model that only the server can run;
   * else the same visitor, at once. Never throws: where nobody answers in time, the fallback scores and `fault` says why.
   */
  async ask(visitor: Visitor): Promise<Visitor> {
    const { asking, deciding } = this;
    if (!asking || !deciding.brought || deciding.always || !profiled(visitor)) return visitor;
    const { anonymousId, events = [], now } = visitor;
    // What the server would not take, or could not put together, is folded here.
    const isMuch = events.length > MOST_UNSEEN || Buffer.byteLength(JSON.stringify(events)) > MOST_BYTES;
    const folded = visitor.profile !== undefined || isMuch ? deciding.folded(visitor) : undefined;
    const known = folded ? { profile: Buffer.from(folded).toString("base64") } : { anonymousId, events };
    return { ...visitor, said: await asking.ask({ ...known, now }) };
  }

  /** Score, reasons, and all features. */
  decide(visitor: Visitor): Decided {
    const verdict = this.explain(visitor);
    const fault = this.deciding.fault(visitor);
    const features = Object.fromEntries(this.keys.map((key) => [key, this.deciding.feature(key, visitor)]));
    const reasons = verdict?.reasons.map(({ text, points }) => `${points < 0 ? "−" : "+"}${Math.abs(points)} ${text}`) ?? [];
    const sentences = Object.entries(features).map(([key, feature]) => `${key}: ${because(feature)}`);
    return { ...verdict, ...(fault === undefined ? {} : { fault }), bundle: this.bundle, features, why: [...reasons, ...sentences] };
  }

  /** 0 to 100; absent, not 0, where nobody may be scored. */
  score(visitor: Visitor): number | undefined {
    return this.explain(visitor)?.score;
  }

  /** The score with its reasons. */
  explain(visitor: Visitor): Verdict | undefined {
    return this.deciding.verdict(visitor);
  }

  /** What a feature is, which the visitor sees from now on: its exposures are tracked, each once. */
  feature(key: string, visitor: Visitor): Feature {
    return this.deciding.feature(key, visitor, this.outbox && ((seen) => this.tell(seen, visitor)), this.hearing(visitor));
  }

  /** The feature's value, or `otherwise` where it is unknown or null. */
  value<T extends Json>(key: string, otherwise: T, visitor: Visitor): T {
    // The short way makes nothing but the value.
    if (!this.outbox) return this.deciding.value(key, otherwise, visitor, this.hearing(visitor));
    return (this.feature(key, visitor).value ?? otherwise) as T;
  }

  /** One visitor during one request: what it saw, and how that goes on in the page. */
  visit(visitor: Visitor): Visit {
    return new Visit(this.deciding, visitor, this.outbox && ((seen) => this.tell(seen, visitor)));
  }

  /** What the visitor's page takes up by `hydrate`; the page tells the exposures. */
  dehydrate(visitor: Visitor): Hydration {
    return this.visit(visitor).dehydrate();
  }

  /** Says that the visitor did something. Sent in a batch with what else happens soon. */
  track(event: string, visitor: Visitor, properties: Properties = {}): void {
    if (!this.outbox) throw new Error("there is nobody to tell: open with `key` and `endpoint`");
    this.outbox.add(event, visitor, properties);
  }

  /** Looks for a newer bundle; says whether there was one. What is here stays where that fails. */
  refresh(): Promise<boolean> {
    this.refreshing ??= this.renew().finally(() => (this.refreshing = undefined));
    return this.refreshing;
  }

  /** Calls back with the hash of each new bundle; returns how to stop. */
  onChange(listener: (bundle: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Calls back when a refresh fails, and when one succeeds again; returns how to stop. */
  onStale(listener: (stale: boolean, message: string) => void): () => void {
    this.staleListeners.add(listener);
    return () => this.staleListeners.delete(listener);
  }

  /** Events that were given up. */
  get dropped(): number {
    return this.outbox?.dropped ?? 0;
  }

  /** Resolves when the collector has what was tracked, or cannot be reached. */
  async flush(): Promise<void> {
    await this.outbox?.flush();
  }

  /** Ends what runs in the background and sends what waits. */
  async close(): Promise<void> {
    this.supply?.stop();
    await this.flush();
  }

  private async renew(): Promise<boolean> {
    const bundle = await this.fetched();
    if (!bundle || bundle.hash === this.bundle) return false;
    this.deciding = new Deciding(this.modules, bundle);
    for (const listener of this.listeners) listener(bundle.hash);
    return true;
  }

  private async fetched(): Promise<Bundle | undefined> {
    try {
      const bundle = await this.supply?.fetch();
      this.settle(false, "the bundle is up to date again");
      return bundle;
    } catch (error) {
      this.settle(true, String(error));
      throw error;
    }
  }

  private settle(stale: boolean, message: string): void {
    if (stale === this.stale) return;
    this.stale = stale;
    for (const listener of this.staleListeners) listener(stale, message);
  }

  private hearing(visitor: Visitor): ((exposure: Exposure) => void) | undefined {
    const { onExposure } = this;
    return onExposure && ((exposure) => onExposure(exposure, visitor));
  }

  private tell(seen: Seen, visitor: Visitor): void {
    const whose = visitor.anonymousId ?? visitor.userId;
    // Of nobody nothing is counted.
    if (whose !== undefined && this.exposures.first(whose, seen)) this.outbox?.add(seen.event, visitor, seen.properties);
  }
}

/** As many events as the server takes with a question, and their bytes, with room for the rest of it. */
const MOST_UNSEEN = 100;
const MOST_BYTES = 60_000;

function because({ source, experimentResult, value }: Feature): string {
  const shown = JSON.stringify(value);
  if (experimentResult) return `${shown}, variation ${experimentResult.name ?? experimentResult.key} of an experiment: ${experimentResult.why}`;
  return `${shown}, ${SOURCES[source]}`;
}

const SOURCES = {
  unknownFeature: "for nobody knows the feature",
  defaultValue: "the default: no rule applies",
  force: "by a rule that applies",
  experiment: "by an experiment",
  prerequisite: "for a feature that it depends on has another value",
  cyclicPrerequisite: "for it depends on itself",
} as const;
