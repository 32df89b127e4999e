/** How an exposure is told. */
import type { Exposure, Json } from ".";

/** The properties of an `Experiment Viewed` event. */
export interface Viewed {
  readonly experimentId: string;
  readonly variationId: string;
  readonly variationName?: string;
  readonly featureId?: string;
  /** How likely the visitor was to get this variation. */
  readonly propensity?: number;
  readonly leafId?: Json;
  readonly banditVersion?: Json;
  /** Attributes of the visitor that the experiment asks for. */
  readonly context?: { readonly [name: string]: Json };
  /** Hash of the bundle's manifest. */
  readonly bundle?: string;
}

/** Names of the events that tell what a visitor saw. */
export const VIEWED = /^Experi(ment|ence) Viewed$/;

export function viewed({ experiment, result }: Exposure, bundle?: string): Viewed {
  const { key, name, featureId, variationId, variationWeights, leafId, banditVersion, contextAttributes } = result;
  const propensity = variationWeights?.[variationId];
  return {
    experimentId: String(experiment["key"]),
    variationId: key,
    ...(name === undefined ? {} : { variationName: name }),
    ...(featureId === null ? {} : { featureId }),
    ...(propensity === undefined ? {} : { propensity }),
    ...(leafId === undefined ? {} : { leafId }),
    ...(banditVersion === undefined ? {} : { banditVersion }),
    ...(contextAttributes === undefined ? {} : { context: contextAttributes }),
    ...(bundle === undefined ? {} : { bundle }),
  };
}

/** Something that is told once it is seen, as an event. */
export interface Seen {
  readonly event: "Experiment Viewed" | "Experience Viewed";
  readonly properties: { readonly [name: string]: Json };
}

/** An experiment's variation; `bundle` is the hash of the manifest. */
export function experimentSeen(exposure: Exposure, bundle?: string): Seen {
  return { event: "Experiment Viewed", properties: { ...viewed(exposure, bundle) } };
}

/** An experience that is no experiment. */
export function experienceSeen(experienceId: string, bundle?: string): Seen {
  return { event: "Experience Viewed", properties: { experienceId, ...(bundle === undefined ? {} : { bundle }) } };
}

/** Of two with the same mark one is told. */
export function markOf({ properties }: Pick<Seen, "properties">): string {
  return JSON.stringify([properties["experimentId"], properties["variationId"], properties["experienceId"]]);
}
