/** What flags say of themselves, whoever decides. */
import type { Exposure, Feature, Json, Option, StickyDocument, Visitor } from ".";
import { read } from "./wire";

interface Description {
  readonly attributes: string[];
  readonly features: { readonly key: string; readonly default: Json; readonly rules: { readonly id: string; readonly value?: Json }[]; readonly reads: number[] }[];
  readonly pages: number[][];
  readonly experiments: DescribedExperiment[];
  readonly experiences: { readonly key: string; readonly name?: string; readonly slot?: string }[];
}

export interface DescribedExperiment {
  readonly key: string;
  readonly feature: string;
  readonly authored: { readonly [name: string]: Json };
  readonly variations: { readonly value: Json; readonly key?: string; readonly name?: string; readonly passthrough?: true }[];
  readonly leaves: { readonly leafId: Json; readonly variationWeights: number[] }[];
  readonly banditVersion?: Json;
  readonly bucketVersion?: number;
}

/** Where the bytes say what they are about: behind the mark, the checksum and a length. */
const DESCRIBED_AT = 12;
const SCORED = ["$score", "$band"];

/** The features and experiments of a bundle, and nothing of what they are for a visitor. */
export class Described {
  /** Whether anything depends on the visitor's score. */
  readonly readsScore: boolean;
  /** Whether anything depends on what a host knows: the score, the time, what was shown. */
  readonly readsKnown: boolean;

  protected readonly about: Description;
  protected readonly byKey = new Map<string, number>();
  /** The experiments of pages, by their numbers. */
  protected readonly ofPages: readonly DescribedExperiment[];

  /** Nothing is checked: whoever decides does that. */
  constructor(bytes: Uint8Array) {
    this.about = read(bytes, DESCRIBED_AT) as unknown as Description;
    const { features, pages, experiments, attributes } = this.about;
    this.ofPages = experiments.filter(({ feature }) => feature === "");
    features.forEach(({ key }, at) => this.byKey.set(key, at));
    const reads = [...features.map((feature) => feature.reads), ...pages].flat().map((number) => attributes[number]!);
    this.readsScore = reads.some((name) => SCORED.includes(name));
    this.readsKnown = reads.some((name) => name.startsWith("$"));
  }

  /** The keys of all features. */
  get keys(): readonly string[] {
    return this.about.features.map(({ key }) => key);
  }

  /** What a feature is for everybody whom no rule may apply to. */
  standard(key: string): Feature {
    const number = this.byKey.get(key);
    const value = number === undefined ? null : this.about.features[number]!.default;
    const source = number === undefined ? "unknownFeature" : "defaultValue";
    return { value, on: Boolean(value), off: !value, source, ruleId: "" };
  }

  /** Whether the feature reads nothing of a visitor. */
  isFixed(key: string): boolean {
    const number = this.byKey.get(key);
    return number !== undefined && this.about.features[number]!.reads.length === 0;
  }

  /** How many experiments of pages there are. */
  get experiments(): number {
    return this.about.pages.length;
  }

  /** Whether an experience is called so. */
  isExperience(key: string): boolean {
    return this.about.experiences.some((experience) => experience.key === key);
  }

  /** What a feature may be, or a page's experiment by its number: variations, and values of rules. */
  choices(of: string | number): Option[] {
    const run = typeof of === "string" ? this.about.experiments.filter(({ feature }) => feature === of) : this.ofPages.slice(of, of + 1);
    const rules = typeof of === "string" ? (this.about.features.find(({ key }) => key === of)?.rules ?? []) : [];
    return [
      ...rules.flatMap(({ id, value }, at) => (value === undefined ? [] : [{ label: id || `rule ${at + 1}`, value }])),
      ...run.flatMap(({ key, variations }) =>
        variations.map(({ name, key: variation, value }, number) => ({ label: name ?? `${key} ${variation ?? number}`, value })),
      ),
    ];
  }

  /** What is remembered once the visitor has seen this; the documents that changed. */
  remember({ result, experiment }: Exposure, before: Visitor["stickyBucketAssignmentDocs"] = {}): { [key: string]: StickyDocument } {
    const described = this.about.experiments.find(({ authored }) => authored === experiment || authored["key"] === experiment["key"]);
    if (described?.bucketVersion === undefined || !result.hashUsed) return {};
    const [attributeName, attributeValue] = [result.hashAttribute, String(result.hashValue)];
    const name = `${attributeName}||${attributeValue}`;
    const assignments = { ...before[name]?.assignments, [`${described.key}__${described.bucketVersion}`]: result.key };
    return { [name]: { attributeName, attributeValue, assignments } };
  }
}
