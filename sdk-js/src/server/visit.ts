/** One visitor during one request. */
import type { Feature, Json } from "../flags";
import { markOf, type Seen } from "../flags/exposure";
import type { Answer, Hydration } from "../hydration";
import type { Verdict } from "../types";
import type { Deciding } from "./deciding";
import type { Visitor } from "./visitor";

/** Decides by one bundle from beginning to end, whatever is published meanwhile. */
export class Visit {
  private readonly told = new Set<string>();

  /** `tell` tracks what is seen; without it the page tells all of it. */
  constructor(
    private readonly deciding: Deciding,
    private readonly visitor: Visitor,
    private readonly tell: ((seen: Seen) => void) | undefined,
  ) {}

  /** The score with its reasons. */
  get verdict(): Verdict | undefined {
    return this.deciding.verdict(this.visitor);
  }

  /** What a feature is, which the visitor sees: its exposures are tracked, each once. */
  feature(key: string): Feature {
    const { tell } = this;
    return this.deciding.feature(key, this.visitor, (seen) => {
      const name = markOf(seen);
      if (!tell || this.told.has(name)) return;
      this.told.add(name);
      tell(seen);
    });
  }

  /** What a feature is, for whoever shows it and has the page tell so. */
  peek(key: string): Feature {
    return this.deciding.feature(key, this.visitor);
  }

  /** The feature's value, or `otherwise` where it is unknown or null. */
  value<T extends Json>(key: string, otherwise: T): T {
    return (this.feature(key).value ?? otherwise) as T;
  }

  /** What the page takes up: the same variations, and what was told already. `keys` are the features that it needs. */
  dehydrate(keys: readonly string[] = this.deciding.keys): Hydration {
    const { anonymousId } = this.visitor;
    const { verdict } = this;
    return {
      version: 1,
      bundle: this.deciding.hash,
      ...(anonymousId === undefined ? {} : { anonymousId }),
      ...(verdict ? { verdict } : {}),
      features: Object.fromEntries(keys.map((key) => [key, this.answer(key)])),
      told: [...this.told],
    };
  }

  private answer(key: string): Answer {
    const seen: Seen[] = [];
    const { value, source, ruleId, experimentResult } = this.deciding.feature(key, this.visitor, (one) => seen.push(one));
    return {
      value,
      source,
      ruleId,
      ...(this.deciding.isFixed(key) ? { fixed: true } : {}),
      ...(experimentResult ? { variant: experimentResult.key, why: experimentResult.why } : {}),
      ...(seen.length > 0 ? { seen } : {}),
    };
  }
}
