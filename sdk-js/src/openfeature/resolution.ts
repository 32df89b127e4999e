/** What OpenFeature calls what we say of a feature. Nothing of an OpenFeature SDK: the two providers bring theirs. */
import type { Feature, Json } from "../flags";
import type { Answer } from "../hydration";

/** An answer as both providers have it. */
export type Resolvable = Pick<Answer, "value" | "source" | "ruleId" | "variant" | "fixed">;

/** What a caller asks for. */
export type Kind = "boolean" | "string" | "number" | "object";

/** A resolution, or what is wrong. */
export type Resolution<T> =
  | { readonly value: T; readonly reason: string; readonly variant?: string; readonly flagMetadata?: { readonly [name: string]: string } }
  | { readonly wrong: "not-found" | "type"; readonly message: string };

export function resolution<T>(key: string, { value, source, ruleId, variant, fixed }: Resolvable, kind: Kind, otherwise: T, bundle: string): Resolution<T> {
  if (source === "unknownFeature") return { wrong: "not-found", message: `no feature has the key "${key}"` };
  // Features that are null say nothing.
  if (value === null) return { value: otherwise, reason: "DEFAULT" };
  if (typeof value !== kind) return { wrong: "type", message: `the feature "${key}" is a ${typeof value}, not a ${kind}` };
  const named = source === "experiment" ? variant : ruleId;
  return {
    value: value as T,
    reason: fixed ? "STATIC" : REASONS[source],
    ...(named ? { variant: named } : {}),
    ...(source === "experiment" ? { flagMetadata: { bundle } } : {}),
  };
}

const REASONS = {
  defaultValue: "DEFAULT",
  force: "TARGETING_MATCH",
  experiment: "SPLIT",
  prerequisite: "TARGETING_MATCH",
  cyclicPrerequisite: "ERROR",
} as const;

/** `fixed`: the feature reads nothing of the visitor. */
export function resolvable({ value, source, ruleId, experimentResult }: Feature, fixed: boolean): Resolvable {
  return { value, source, ruleId, ...(fixed ? { fixed } : {}), ...(experimentResult ? { variant: experimentResult.key } : {}) };
}

/** Who is asked about: OpenFeature's context with the ids in our places. */
export function visitorOf({ targetingKey, ...context }: { readonly [name: string]: unknown; readonly targetingKey?: string }): {
  readonly anonymousId?: string;
  readonly userId?: string;
  readonly url?: string;
  readonly attributes: { readonly [name: string]: unknown };
} {
  const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
  const [anonymousId, userId, url] = [text(context["anonymousId"]) ?? text(targetingKey), text(context["userId"]), text(context["url"])];
  return {
    ...(anonymousId === undefined ? {} : { anonymousId }),
    ...(userId === undefined ? {} : { userId }),
    ...(url === undefined ? {} : { url }),
    attributes: { ...(anonymousId === undefined ? {} : { id: anonymousId }), ...(targetingKey === undefined ? {} : { targetingKey }), ...context },
  };
}

/** What a tracked event carries, as JSON has it. */
export function propertiesOf(details: object): { [name: string]: Json } {
  return JSON.parse(JSON.stringify(details)) as { [name: string]: Json };
}
