/** What a server decided, taken up by the page: the same variations, and each exposure told once. */
import { VIEWED, nameOf, type Viewed } from "../flags/exposure";
import type { Json, Source } from "../flags";
import type { Properties, Verdict } from "../types";

/** A visit as it travels from the server to the page: JSON, and nothing that the page's visitor may not read. */
export interface Hydration {
  readonly version: 1;
  /** Hash of the bundle that decided. */
  readonly bundle: string;
  readonly anonymousId?: string;
  /** Absent where nobody is scored, or may be. */
  readonly verdict?: Verdict;
  readonly features: { readonly [key: string]: Answer };
  /** The exposures that the server told already. */
  readonly told: readonly string[];
}

/** What a feature is for this visitor. */
export interface Answer {
  readonly value: Json;
  readonly source: Source;
  readonly ruleId: string;
  /** The key of the experiment's variation. */
  readonly variant?: string;
  /** It is the same for everybody. */
  readonly fixed?: boolean;
  /** In a sentence. */
  readonly why?: string;
  /** What is to be told once it is seen. */
  readonly viewed?: readonly Viewed[];
}

export interface HydrateOptions {
  /** Tells an event: the page's `rapport.track`. */
  readonly track?: (event: string, properties: Properties) => void;
}

const UNKNOWN: Answer = { value: null, source: "unknownFeature", ruleId: "" };

/** Takes up what the server decided. */
export function hydrate(hydration: Hydration, options: HydrateOptions = {}): Hydrated {
  return new Hydrated(hydration, options);
}

/** As JSON that may stand inside a `<script>`. */
export function inline(hydration: Hydration): string {
  return JSON.stringify(hydration).replace(/[<\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A visit in the page, as the server saw it. */
export class Hydrated {
  private readonly told: Set<string>;
  private track: HydrateOptions["track"];
  private waiting: Viewed[] = [];

  constructor(
    readonly hydration: Hydration,
    { track }: HydrateOptions = {},
  ) {
    this.told = new Set(hydration.told);
    this.track = track;
  }

  get verdict(): Verdict | undefined {
    return this.hydration.verdict;
  }

  /** What the feature is; nobody is told that the visitor sees it. */
  peek(key: string): Answer {
    const { features } = this.hydration;
    return Object.hasOwn(features, key) ? features[key]! : UNKNOWN;
  }

  /** What the feature is, which the visitor sees. */
  feature(key: string): Answer {
    const answer = this.peek(key);
    for (const viewed of answer.viewed ?? []) this.tell(viewed);
    return answer;
  }

  /** The feature's value, or `otherwise` where it is unknown or null. */
  value<T extends Json>(key: string, otherwise: T): T {
    return (this.feature(key).value ?? otherwise) as T;
  }

  /** What the page or the server told until now. */
  get tellings(): readonly string[] {
    return [...this.told];
  }

  /** Tells from now on by this; what was seen until now is told at once. */
  tellBy(track: NonNullable<HydrateOptions["track"]>): void {
    this.track = track;
    for (const viewed of this.waiting.splice(0)) track(VIEWED, { ...viewed });
  }

  private tell(viewed: Viewed): void {
    const name = nameOf(viewed);
    if (this.told.has(name)) return;
    this.told.add(name);
    if (this.track) this.track(VIEWED, { ...viewed });
    else this.waiting.push(viewed);
  }
}
