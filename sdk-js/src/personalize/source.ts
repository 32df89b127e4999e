/** Who answers for features and experiments. */
import type { Flags, Visitor } from "../flags";
import type { Decision } from "../types";

/** The engine in the page, which answers at once, or the server. Exposures are heard as with `Flags`. */
export interface Source extends Pick<Flags, "keys" | "standard" | "isExperience" | "experiments" | "feature" | "experiment" | "choices" | "remember"> {
  /** Hash of the manifest that it answers by. */
  readonly bundle: string | undefined;
  /** Calls `show` whenever it has answers; asks `visitor` of whom, where there is anybody. */
  start(visitor: () => Visitor | undefined, show: () => void): void;
  /** Something changed about the visitor, or the page: has answers soon. */
  renew(): void;
  /** Whether a new score changes its answers. */
  heeds(decision: Decision): boolean;
}

/** The engine as a source. */
export function inPage(flags: Flags, bundle: string | undefined): Source {
  return Object.assign(flags, {
    bundle,
    start(_: unknown, show: () => void) {
      this.renew = show;
    },
    renew() {},
    heeds: () => true,
  });
}
