/** Rapport as a provider of OpenFeature's server SDK. */
import {
  FlagNotFoundError,
  OpenFeatureEventEmitter,
  ProviderFatalError,
  ProviderNotReadyError,
  ServerProviderEvents,
  TypeMismatchError,
  type EvaluationContext,
  type Hook,
  type JsonValue,
  type Provider,
  type ResolutionDetails,
  type TrackingEventDetails,
} from "@openfeature/server-sdk";
import { BundleError } from "../server/bundle";
import { openRapport, type OpenOptions } from "../server/open";
import type { Rapport } from "../server/rapport";
import { propertiesOf, resolution, resolvable, visitorOf, type Kind } from "./resolution";

/** Resolves features by a bundle; each evaluation is an exposure, told once. */
export class RapportProvider implements Provider {
  readonly metadata = { name: "rapport" } as const;
  readonly runsOn = "server";
  readonly events = new OpenFeatureEventEmitter();
  private rapport: Rapport | undefined;
  private stops: (() => void)[] = [];

  /** With a bundle that is open, or with what to open: then closing the provider closes it. */
  constructor(
    private readonly given: Rapport | OpenOptions,
    readonly hooks: Hook[] = [],
  ) {}

  async initialize(): Promise<void> {
    const rapport = "feature" in this.given ? this.given : await open(this.given);
    this.rapport = rapport;
    this.stops = [
      rapport.onChange(() => this.events.emit(ServerProviderEvents.ConfigurationChanged, { flagsChanged: [...rapport.keys] })),
      rapport.onStale((stale, message) => this.events.emit(stale ? ServerProviderEvents.Stale : ServerProviderEvents.Ready, { message })),
    ];
  }

  async onClose(): Promise<void> {
    for (const stop of this.stops.splice(0)) stop();
    await (this.rapport === this.given ? this.rapport?.flush() : this.rapport?.close());
  }

  track(event: string, context: EvaluationContext, details: TrackingEventDetails): void {
    const visitor = visitorOf(context);
    // Nobody can be counted, and tracking may not throw.
    if (visitor.anonymousId === undefined && visitor.userId === undefined) return;
    this.rapport?.track(event, visitor, propertiesOf(details));
  }

  async resolveBooleanEvaluation(key: string, otherwise: boolean, context: EvaluationContext): Promise<ResolutionDetails<boolean>> {
    return this.resolve(key, "boolean", otherwise, context);
  }

  async resolveStringEvaluation(key: string, otherwise: string, context: EvaluationContext): Promise<ResolutionDetails<string>> {
    return this.resolve(key, "string", otherwise, context);
  }

  async resolveNumberEvaluation(key: string, otherwise: number, context: EvaluationContext): Promise<ResolutionDetails<number>> {
    return this.resolve(key, "number", otherwise, context);
  }

  async resolveObjectEvaluation<T extends JsonValue>(key: string, otherwise: T, context: EvaluationContext): Promise<ResolutionDetails<T>> {
    return this.resolve(key, "object", otherwise, context);
  }

  private async resolve<T>(key: string, kind: Kind, otherwise: T, context: EvaluationContext): Promise<ResolutionDetails<T>> {
    const { rapport } = this;
    if (!rapport) throw new ProviderNotReadyError("no bundle is open yet");
    const described = visitorOf(context);
    const visitor = rapport.readsScore ? await rapport.ask(described) : described;
    const answer = resolvable(rapport.feature(key, visitor), rapport.isFixed(key));
    const found = resolution(key, answer, kind, otherwise, rapport.bundle);
    if (!("wrong" in found)) return found;
    throw found.wrong === "type" ? new TypeMismatchError(found.message) : new FlagNotFoundError(found.message);
  }
}

/** A bundle that is refused stays so, however often it is opened. */
async function open(options: OpenOptions): Promise<Rapport> {
  try {
    return await openRapport(options);
  } catch (error) {
    if (error instanceof BundleError || error instanceof TypeError) throw new ProviderFatalError(error.message, { cause: error });
    throw error;
  }
}
