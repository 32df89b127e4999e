/** Which exposures were told: of each visitor, experiment and variation the first. */
import type { Exposure } from "../flags";

/** Beyond so many the oldest are forgotten, and may be told again: results count a visitor's first. */
const REMEMBERED = 10_000;

export class Exposures {
  private readonly told = new Set<string>();

  /** Whether it is told for the first time. */
  first({ experiment, result }: Exposure): boolean {
    const name = JSON.stringify([result.hashAttribute, result.hashValue, experiment["key"], result.key]);
    if (this.told.has(name)) return false;
    this.told.add(name);
    if (this.told.size > REMEMBERED) {
      const [oldest] = this.told;
      this.told.delete(oldest!);
    }
    return true;
  }
}
