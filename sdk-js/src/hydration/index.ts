/** What a server decided, taken up by the page: the same variations, and each exposure told once. */
import { markOf, type Seen } from "../flags/exposure";
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
  readonly seen?: readonly Seen[];
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
  private tell: HydrateOptions["track"];
  private waiting: (readonly [event: string, properties: Properties])[] = [];

  constructor(
    readonly hydration: Hydration,
    { track }: HydrateOptions = {},
  ) {
    this.told = new Set(hydration.told);
    this.tell = track;
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
    for (const seen of answer.seen ?? []) this.see(seen);
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

  /** Says that the visitor did something; it waits for somebody to tell. */
  track(event: string, properties: Properties): void {
    if (this.tell) this.tell(event, properties);
    else this.waiting.push([event, properties]);
  }

  /** Tells from now on by this; what happened until now is told at once. */
  tellBy(track: NonNullable<HydrateOptions["track"]>): void {
    this.tell = track;
    for (const happened of this.waiting.splice(0)) track(...happened);
  }

  private see(seen: Seen): void {
    const name = markOf(seen);
    if (this.told.has(name)) return;
    this.told.add(name);
    this.track(seen.event, seen.properties);
  }
}
