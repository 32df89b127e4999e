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
import type { Properties } from "../types";
import { PageFlags, Refused, type PageFlagsOptions } from "./page";
import { propertiesOf, resolution, type Kind, type Resolvable } from "./resolution";

export interface WebOptions extends Partial<PageFlagsOptions> {
  /** What the site's server decided: used in place of a bundle in the page. */
  readonly hydration?: Hydration;
  /** Asks the site's server anew when the context changes. */
  readonly reconcile?: (context: EvaluationContext) => Promise<Hydration>;
  /** Tells exposures and what is tracked: the page's `rapport.track`. */
  readonly track?: (event: string, properties: Properties) => void;
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

  constructor(private readonly options: WebOptions) {
    const { hooks = [], reconcile } = options;
    this.hooks = hooks;
    if (reconcile) this.onContextChange = (_, context) => this.ask(reconcile, context);
  }

  async initialize(context: EvaluationContext = {}): Promise<void> {
    const { hydration, reconcile, key, endpoint, track } = this.options;
    if (hydration) this.answering = new ByServer(hydrate(hydration, track ? { track } : {}));
    else if (key !== undefined && endpoint !== undefined) this.answering = await open({ ...this.options, key, endpoint });
    else if (reconcile) await this.ask(reconcile, context);
    else throw new TypeError("there is nothing to answer by: give a `hydration`, or a `key` and an `endpoint`");
  }

  track(event: string, _: EvaluationContext, details: TrackingEventDetails): void {
    this.options.track?.(event, propertiesOf(details));
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

  private async ask(reconcile: NonNullable<WebOptions["reconcile"]>, context: EvaluationContext): Promise<void> {
    const number = (this.newest += 1);
    const hydration = await reconcile(context);
    // Of two changes the later one counts, whoever is answered first.
    if (number !== this.newest) return;
    const { track } = this.options;
    const told = this.answering instanceof ByServer ? this.answering.hydrated.tellings : [];
    this.answering = new ByServer(hydrate({ ...hydration, told: [...hydration.told, ...told] }, track ? { track } : {}));
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
