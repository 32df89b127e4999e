/** Features and experiments, decided by the engine: what GrowthBook's payload says, bucket for bucket. */
import type { Band } from "../types";
import { BANDS } from "./bands";
import { Described, type DescribedExperiment } from "./described";
import { Writer } from "./wire";

export { decrypt } from "./encrypted";

/** A value in JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Who is asked about, and where they are. */
export interface Visitor {
  readonly attributes?: { readonly [name: string]: unknown };
  readonly url?: string;
  readonly enabled?: boolean;
  readonly qaMode?: boolean;
  readonly forcedVariations?: { readonly [experiment: string]: number };
  /** What the visitor got before: GrowthBook's documents, by `attribute||value`. */
  readonly stickyBucketAssignmentDocs?: { readonly [key: string]: StickyDocument };
  /** What the host knows, and no attribute says: conditions read it as `$now`, `$score` … */
  readonly known?: Known;
}

/** What a host knows of a visitor. */
export interface Known {
  /** Milliseconds since 1970; without it nothing happens that has a schedule. */
  readonly now?: number | undefined;
  readonly score?: number | undefined;
  readonly band?: Band | undefined;
  readonly grade?: string | undefined;
  /** What the visitor saw before, by the keys of experiences. */
  readonly shown?: { readonly [experience: string]: { readonly times: number; readonly last: number } };
}

/** Everything that is decided for a visitor. */
export interface Everything {
  /** Absent where nothing scores the visitor. */
  readonly score?: number;
  readonly band?: Band;
  readonly features: { readonly [key: string]: Feature };
  /** What the page's experiments are, by their numbers. */
  readonly pages: readonly Exposure[];
  readonly exposures: readonly Exposure[];
}

export interface StickyDocument {
  readonly attributeName: string;
  readonly attributeValue: string;
  readonly assignments: { readonly [experiment: string]: string };
}

export type Source = "unknownFeature" | "defaultValue" | "force" | "experiment" | "prerequisite" | "cyclicPrerequisite";

/** What a feature is. */
export interface Feature {
  readonly value: Json;
  readonly on: boolean;
  readonly off: boolean;
  readonly source: Source;
  readonly ruleId: string;
  readonly experiment?: { readonly [name: string]: Json };
  readonly experimentResult?: Result;
}

/** What an experiment is. */
export interface Result {
  readonly key: string;
  readonly featureId: string | null;
  readonly inExperiment: boolean;
  readonly hashUsed: boolean;
  readonly variationId: number;
  readonly value: Json;
  readonly hashAttribute: string;
  readonly hashValue: unknown;
  readonly stickyBucketUsed: boolean;
  readonly bucket?: number;
  readonly name?: string;
  readonly passthrough?: true;
  readonly leafId?: Json;
  readonly variationWeights?: readonly number[];
  readonly banditVersion?: Json;
  /** What the experiment asks to know of who sees it. */
  readonly contextAttributes?: { readonly [name: string]: Json };
  /** Why, in a sentence for people. */
  readonly why: string;
}

/** One of the things that a feature or an experiment may be. */
export interface Option {
  /** What people call it. */
  readonly label: string;
  readonly value: Json;
}

/** An assignment that results count. */
export interface Exposure {
  readonly experiment: { readonly [name: string]: Json };
  readonly result: Result;
}

/** The functions of a WebAssembly build that flags are asked by. */
export interface FlagEngine {
  openFlags(bytes: Uint8Array): number;
  ask(flags: number, what: number, number: number, length: number): number;
  input(): number;
}

export interface FlagOptions {
  /** Hears every exposure, of holdouts and prerequisites too. */
  readonly onExposure?: (exposure: Exposure, visitor: Visitor) => void;
}

const INPUT_BYTES = 32 * 1024;
const SOURCES: readonly Source[] = ["unknownFeature", "defaultValue", "force", "experiment", "prerequisite", "cyclicPrerequisite"];
const FORCE = 2;
const EXPERIMENT = 3;
/** What a question is about. */
const OF_FEATURE = 0;
const OF_EXPERIMENT = 1;
const OF_ALL = 2;
/** Numbers of an assignment. */
const PER_ASSIGNMENT = 7;
const IN_EXPERIMENT = 1;
const BY_HASH = 2;
const REMEMBERED = 4;

/** In the order of core's reasons. */
const WHY = [
  "the visitor's place falls to this variation",
  "the visitor got this variation before",
  "the address asks for this variation",
  "somebody chose this variation by hand",
  "the experiment gives this variation to all",
  "there are fewer than two variations",
  "experiments are switched off",
  "this is for other pages",
  "this does not run",
  "the visitor lacks the attribute that decides the variation",
  "the visitor is outside its share",
  "the visitor belongs to another experiment of the namespace",
  "this is for others",
  "a feature that it depends on has another value",
  "its hash version is not known here",
  "the visitor took part in an earlier version",
  "the visitor falls outside the covered share",
  "only what is forced happens",
];

/** The features and experiments of a bundle. */
export class Flags extends Described {
  private readonly number: number;
  private writer = new Writer(new ArrayBuffer(0), 0, 0);
  /** The engine's memory as numbers. */
  private answer = new Float64Array(0);
  /** The numbers of all attributes. */
  private every: readonly number[] | undefined;

  /** Throws where the bytes are no flags that this engine reads. */
  constructor(
    private readonly engine: FlagEngine,
    private readonly memory: WebAssembly.Memory,
    bytes: Uint8Array,
    private readonly options: FlagOptions = {},
  ) {
    const number = engine.openFlags(bytes);
    if (number === 0) throw new Error("the flags are damaged, or newer than this engine");
    super(bytes);
    this.number = number;
  }

  /** The feature's value, or `otherwise` where it is unknown or null. */
  value<T extends Json>(key: string, otherwise: T, visitor: Visitor): T {
    const number = this.byKey.get(key);
    if (number === undefined) return otherwise;
    const at = this.asked(OF_FEATURE, number, this.about.features[number]!.reads, visitor);
    // The hearer may ask again, which overwrites the answer.
    const value = this.valueAt(number, at);
    this.expose(this.behind(at), visitor);
    return (value ?? otherwise) as T;
  }

  /** What the feature is, and why. */
  feature(key: string, visitor: Visitor): Feature {
    const number = this.byKey.get(key);
    if (number === undefined) return this.standard(key);
    const at = this.asked(OF_FEATURE, number, this.about.features[number]!.reads, visitor);
    const shown = this.featureAt(number, at, visitor);
    this.expose(this.behind(at), visitor);
    return shown;
  }

  /** All features and the page's experiments, in one question. */
  all(visitor: Visitor): Everything {
    const { features, pages, attributes } = this.about;
    this.every ??= attributes.map((_, number) => number);
    let at = this.asked(OF_ALL, 0, this.every, visitor);
    const [score, band] = [this.answer[at]!, this.answer[at + 1]!];
    at += 2;
    const found = features.map(({ key }, number) => {
      const feature = this.featureAt(number, at, visitor);
      at = this.behind(at);
      at += 1 + this.answer[at]!;
      return [key, feature] as const;
    });
    const run = pages.map((_, number) => this.exposureAt(at + number * PER_ASSIGNMENT, visitor));
    at += pages.length * PER_ASSIGNMENT;
    const exposures = Array.from({ length: this.answer[at]! }, (_, number) => this.exposureAt(at + 1 + number * PER_ASSIGNMENT, visitor));
    const { onExposure } = this.options;
    if (onExposure) for (const exposure of exposures) onExposure(exposure, visitor);
    const scored = score < 0 ? {} : { score, band: BANDS[band]! };
    return { ...scored, features: Object.fromEntries(found), pages: run, exposures };
  }

  /** What the page's experiment of that number is. */
  experiment(number: number, visitor: Visitor): Exposure {
    const at = this.asked(OF_EXPERIMENT, number, this.about.pages[number] ?? [], visitor);
    const shown = this.exposureAt(at, visitor);
    this.expose(at + PER_ASSIGNMENT, visitor);
    return shown;
  }

  private featureAt(number: number, at: number, visitor: Visitor): Feature {
    const { answer } = this;
    const value = this.valueAt(number, at);
    const on = Boolean(value);
    const ruleId = this.about.features[number]!.rules[answer[at + 1]!]?.id ?? "";
    const shown: { -readonly [member in keyof Feature]: Feature[member] } = { value, on, off: !on, source: SOURCES[answer[at]!]!, ruleId };
    if (answer[at + 2] !== 0) {
      shown.experiment = this.experimentAt(at + 3);
      shown.experimentResult = this.resultAt(at + 3, visitor);
    }
    return shown;
  }

  private valueAt(feature: number, at: number): Json {
    const { answer } = this;
    const { default: otherwise, rules } = this.about.features[feature]!;
    const source = answer[at];
    if (source === 1) return otherwise;
    if (source === FORCE) return rules[answer[at + 1]!]!.value ?? null;
    return source === EXPERIMENT ? this.about.experiments[answer[at + 3]!]!.variations[answer[at + 4]!]!.value : null;
  }

  /** Where what follows a feature's answer begins. */
  private behind(at: number): number {
    return at + (this.answer[at + 2] === 0 ? 3 : 3 + PER_ASSIGNMENT);
  }

  /** Asks the engine; where in `answer` its answer stands until the next question. */
  private asked(what: number, number: number, reads: readonly number[], visitor: Visitor): number {
    if (this.writer.isGone) this.writer = new Writer(this.memory.buffer, this.engine.input(), INPUT_BYTES);
    const length = this.writer.question(reads, this.about.attributes, visitor);
    const at = length === undefined ? 0 : this.engine.ask(this.number, what, number, length);
    if (at === 0) throw new RangeError("what is known of the visitor is more than 32 KB, or not in JSON's shape");
    // Memory that grew is another buffer.
    if (this.answer.length === 0) this.answer = new Float64Array(this.memory.buffer);
    return at / Float64Array.BYTES_PER_ELEMENT;
  }

  private expose(from: number, visitor: Visitor): void {
    const { onExposure } = this.options;
    const count = this.answer[from]!;
    if (!onExposure || count === 0) return;
    const heard: Exposure[] = [];
    for (let at = 0; at < count; at += 1) heard.push(this.exposureAt(from + 1 + at * PER_ASSIGNMENT, visitor));
    for (const exposure of heard) onExposure(exposure, visitor);
  }

  private exposureAt(at: number, visitor: Visitor): Exposure {
    return { experiment: this.experimentAt(at), result: this.resultAt(at, visitor) };
  }

  private experimentAt(at: number): { readonly [name: string]: Json } {
    const { authored, banditVersion } = this.about.experiments[this.answer[at]!]!;
    const leaf = this.leafAt(at);
    if (!leaf) return authored;
    const weighted = { ...authored, weights: leaf.variationWeights };
    if ((this.answer[at + 2]! & BY_HASH) === 0) return weighted;
    return { ...weighted, contextualBandit: banditVersion === undefined ? leaf : { ...leaf, banditVersion } };
  }

  /** The bandit's leaf, if there is one. */
  private leafAt(at: number): DescribedExperiment["leaves"][number] | undefined {
    const number = this.answer[at + 5]!;
    return number < 0 ? undefined : this.about.experiments[this.answer[at]!]!.leaves[number];
  }

  private resultAt(at: number, { attributes = {} }: Visitor): Result {
    const { answer } = this;
    const { feature, variations, banditVersion, authored } = this.about.experiments[answer[at]!]!;
    const variationId = answer[at + 1]!;
    const bits = answer[at + 2]!;
    const { key, name, passthrough, value = null } = variations[variationId] ?? { value: null };
    const hashAttribute = this.about.attributes[answer[at + 3]!]!;
    const result: { -readonly [member in keyof Result]: Result[member] } = {
      key: key ?? String(variationId),
      featureId: feature === "" ? null : feature,
      inExperiment: (bits & IN_EXPERIMENT) !== 0,
      hashUsed: (bits & BY_HASH) !== 0,
      variationId,
      value,
      hashAttribute,
      hashValue: attributes[hashAttribute] || "",
      stickyBucketUsed: (bits & REMEMBERED) !== 0,
      why: WHY[answer[at + 6]!]!,
    };
    if (name !== undefined) result.name = name;
    if (answer[at + 4]! >= 0) result.bucket = answer[at + 4]!;
    if (passthrough) result.passthrough = true;
    const leaf = this.leafAt(at);
    if (leaf && result.hashUsed) {
      result.leafId = leaf.leafId;
      result.variationWeights = leaf.variationWeights;
      if (banditVersion !== undefined) result.banditVersion = banditVersion;
    }
    const asked = authored["contextAttributes"] as readonly string[] | undefined;
    const context = asked?.filter((name) => attributes[name] != null).map((name) => [name, attributes[name] as Json]);
    if (context?.length) result.contextAttributes = Object.fromEntries(context);
    return result;
  }
}
