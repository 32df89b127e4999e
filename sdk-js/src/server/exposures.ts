/** What each visitor was told of to have seen: the first time counts. */
import { markOf, type Seen } from "../flags/exposure";

/** Beyond so many the oldest are forgotten, and may be told again: results count a visitor's first. */
const REMEMBERED = 10_000;

export class Exposures {
  private readonly told = new Set<string>();

  /** Whether it is told of this visitor for the first time. */
  first(whose: string, seen: Seen): boolean {
    const name = JSON.stringify([whose, markOf(seen)]);
    if (this.told.has(name)) return false;
    this.told.add(name);
    if (this.told.size > REMEMBERED) {
      const [oldest] = this.told;
      this.told.delete(oldest!);
    }
    return true;
  }
}
