/** Features and experiments as the server decides them, where the page may not run the engine. */
import type { About, Scorer } from "../decisions";
import type { Exposure, Feature, Result, Visitor } from "../flags";
import { Described } from "../flags/described";
import type { Decision } from "../types";
import type { Source } from "./source";

/** So long (milliseconds) a page waits; then it stays as its site made it. */
const PATIENCE = 200;

/** What the server says: docs/api.md. */
interface Answers {
  readonly features: { readonly [key: string]: Feature & Telling };
  readonly experiments: { readonly [key: string]: { readonly experimentResult: Result } & Telling };
}

interface Telling {
  readonly exposures: readonly Exposure[];
}

const NOT_SAID: Result = {
  key: "",
  featureId: null,
  inExperiment: false,
  hashUsed: false,
  variationId: 0,
  value: null,
  hashAttribute: "",
  hashValue: "",
  stickyBucketUsed: false,
  why: "the server has not said what is for this visitor",
};

export class Served extends Described implements Source, About {
  private answers: Answers | undefined;
  /** The address that the answers are about. */
  private href = "";
  private asked = { href: "", until: 0 };
  private waiting: { readonly until: number; readonly timer: ReturnType<typeof setTimeout> } | undefined;
  private whom: () => Visitor | undefined = () => undefined;
  private show = (): void => undefined;

  /** `hear` hears each exposure, as it is asked about. */
  constructor(
    bytes: Uint8Array,
    private readonly scorer: Scorer,
    private readonly hear: (exposure: Exposure) => void,
    readonly bundle: string | undefined,
    private readonly patience = PATIENCE,
  ) {
    super(bytes);
  }

  start(whom: () => Visitor | undefined, show: () => void): void {
    Object.assign(this, { whom, show });
    this.scorer.serve(this);
  }

  renew(): void {
    this.waiting ??= { until: performance.now() + this.patience, timer: setTimeout(() => this.settle(), this.patience) };
    this.scorer.ask();
  }

  heeds({ source }: Decision): boolean {
    // With a score of its own the server says what else there is.
    return source === "page";
  }

  visitor(): object | undefined {
    const visitor = this.whom();
    if (!visitor) return undefined;
    this.asked = { href: location.href, until: this.waiting?.until ?? performance.now() + this.patience };
    const { known, ...said } = visitor;
    return { ...said, shown: known?.shown };
  }

  hears(said: unknown): void {
    const { href, until } = this.asked;
    // Of a page that was left.
    if (href !== location.href) return;
    const { features, experiments } = Object(said) as Partial<Answers>;
    if (performance.now() < until && typeof features === "object" && typeof experiments === "object") {
      this.answers = said as Answers;
      this.href = href;
    } else if (!this.waiting) return;
    this.settle();
  }

  feature(key: string): Feature {
    const answer = ownOf(this.current?.features, key);
    if (!answer) return this.standard(key);
    answer.exposures.forEach(this.hear);
    return answer;
  }

  experiment(number: number): Exposure {
    const experiment = this.ofPages[number]!.authored;
    const answer = ownOf(this.current?.experiments, String(experiment["key"]));
    answer?.exposures.forEach(this.hear);
    return { experiment, result: answer?.experimentResult ?? NOT_SAID };
  }

  private get current(): Answers | undefined {
    return this.href === location.href ? this.answers : undefined;
  }

  private settle(): void {
    clearTimeout(this.waiting?.timer);
    this.waiting = undefined;
    this.show();
  }
}

function ownOf<Value>(all: { readonly [key: string]: Value } | undefined, key: string): Value | undefined {
  return all && Object.hasOwn(all, key) ? all[key] : undefined;
}
