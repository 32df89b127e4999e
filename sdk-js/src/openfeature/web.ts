/** Rapport as a provider of OpenFeature's web SDK. */
import {
  ClientProviderEvents,
  FlagNotFoundError,
  OpenFeatureEventEmitter,
  ProviderFatalError,
  ProviderNotReadyError,
  TypeMismatchError,
  type EvaluationContext,
  type Hook,
  type JsonValue,
  type Provider,
  type ResolutionDetails,
  type TrackingEventDetails,
} from "@openfeature/web-sdk";
import { hydrate, type Hydrated, type Hydration } from "../hydration";
import { TAG, type Tracker } from "../hydration/tracker";
import type { Properties } from "../types";
import { PageFlags, Refused, type PageFlagsOptions } from "./page";
import { propertiesOf, resolution, type Kind, type Resolvable } from "./resolution";

export interface WebOptions extends Partial<Omit<PageFlagsOptions, "rapport">> {
  /** What the site's server decided: used in place of a bundle in the page. */
  readonly hydration?: Hydration;
  /** Asks the site's server anew when the context changes. */
  readonly reconcile?: (context: EvaluationContext) => Promise<Hydration>;
  /** The page's tracker: tells, and knows the score. Default: the script tag's, unless there is a `track`. */
  readonly rapport?: Tracker | undefined;
  /** Tells exposures and what is tracked in the tracker's place. */
  readonly track?: ((event: string, properties: Properties) => void) | undefined;
  readonly hooks?: Hook[];
}

/** Who answers: a bundle in the page, or what the server decided. */
interface Answering {
  readonly bundle: string;
  answer(key: string, context: EvaluationContext): Resolvable;
}

/** Resolves features without waiting; each evaluation is an exposure, told once a page. */
export class RapportWebProvider implements Provider {
  readonly metadata = { name: "rapport" } as const;
  readonly runsOn = "client";
  readonly events = new OpenFeatureEventEmitter();
  readonly hooks: Hook[];
  /** Set where the page asks a server when the context changes: until it has answered, the old answers hold. */
  onContextChange?: (before: EvaluationContext, context: EvaluationContext) => Promise<void>;
  private answering: Answering | undefined;
  private newest = 0;
  private readonly rapport: Tracker | undefined;
  private readonly tell: NonNullable<WebOptions["track"]>;
  private unheard = (): void => undefined;

  constructor(private readonly options: WebOptions) {
    const { hooks = [], reconcile, track } = options;
    const { rapport = track ? undefined : TAG } = options;
    this.hooks = hooks;
    this.rapport = rapport;
    this.tell = track ?? ((event, properties) => rapport?.track(event, properties));
    if (reconcile) this.onContextChange = (_, context) => this.ask(reconcile, context);
  }

  async initialize(context: EvaluationContext = {}): Promise<void> {
    const { hydration, reconcile, key, endpoint } = this.options;
    if (hydration) this.take(hydration);
    else if (key !== undefined && endpoint !== undefined) await this.decide({ key, endpoint, track: this.tell, rapport: this.rapport });
    else if (reconcile) await this.ask(reconcile, context);
    else throw new TypeError("there is nothing to answer by: give a `hydration`, or a `key` and an `endpoint`");
  }

  track(event: string, _: EvaluationContext, details: TrackingEventDetails): void {
    this.tell(event, propertiesOf(details));
  }

  async onClose(): Promise<void> {
    this.unheard();
  }

  resolveBooleanEvaluation(key: string, otherwise: boolean, context: EvaluationContext): ResolutionDetails<boolean> {
    return this.resolve(key, "boolean", otherwise, context);
  }

  resolveStringEvaluation(key: string, otherwise: string, context: EvaluationContext): ResolutionDetails<string> {
    return this.resolve(key, "string", otherwise, context);
  }

  resolveNumberEvaluation(key: string, otherwise: number, context: EvaluationContext): ResolutionDetails<number> {
    return this.resolve(key, "number", otherwise, context);
  }

  resolveObjectEvaluation<T extends JsonValue>(key: string, otherwise: T, context: EvaluationContext): ResolutionDetails<T> {
    return this.resolve(key, "object", otherwise, context);
  }

  private take(hydration: Hydration): void {
    this.rapport?.seen?.(hydration.told);
    this.answering = new ByServer(hydrate(hydration, { track: this.tell }));
  }

  /** Decides in the page, by the tracker's newest score. */
  private async decide(options: PageFlagsOptions): Promise<void> {
    const flags = await open(options);
    this.answering = flags;
    let before = this.rapport?.decision?.score;
    this.unheard();
    const changed = (flagsChanged: readonly string[]) => this.events.emit(ClientProviderEvents.ConfigurationChanged, { flagsChanged: [...flagsChanged] });
    const unheard = this.rapport?.onDecision(({ score }) => {
      if (score === before || flags.scored.length === 0) return;
      before = score;
      changed(flags.scored);
    });
    const consented = () => changed(flags.keys);
    globalThis.window?.addEventListener("rapport:consent", consented);
    this.unheard = () => {
      unheard?.();
      globalThis.window?.removeEventListener("rapport:consent", consented);
    };
  }

  private async ask(reconcile: NonNullable<WebOptions["reconcile"]>, context: EvaluationContext): Promise<void> {
    const number = (this.newest += 1);
    const hydration = await reconcile(context);
    // Of two changes the later one counts, whoever is answered first.
    if (number !== this.newest) return;
    const told = this.answering instanceof ByServer ? this.answering.hydrated.tellings : [];
    this.take({ ...hydration, told: [...hydration.told, ...told] });
    this.events.emit(ClientProviderEvents.ConfigurationChanged, { flagsChanged: Object.keys(hydration.features) });
  }

  private resolve<T>(key: string, kind: Kind, otherwise: T, context: EvaluationContext): ResolutionDetails<T> {
    if (!this.answering) throw new ProviderNotReadyError("nothing is open yet");
    const found = resolution(key, this.answering.answer(key, context), kind, otherwise, this.answering.bundle);
    if (!("wrong" in found)) return found;
    throw found.wrong === "type" ? new TypeMismatchError(found.message) : new FlagNotFoundError(found.message);
  }
}

class ByServer implements Answering {
  constructor(readonly hydrated: Hydrated) {}

  get bundle(): string {
    return this.hydrated.hydration.bundle;
  }

  answer(key: string): Resolvable {
    return this.hydrated.feature(key);
  }
}

async function open(options: PageFlagsOptions): Promise<PageFlags> {
  try {
    return await PageFlags.open(options);
  } catch (error) {
    if (error instanceof Refused || error instanceof WebAssembly.CompileError) throw new ProviderFatalError(error.message, { cause: error });
    throw error;
  }
}
