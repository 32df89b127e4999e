/** Counts what repeats, so that a page that fights back is left alone instead of hanging. */
export class Guard {
  private since = 0;
  private count = 0;

  /** Whether there may be one more within this second. */
  may(most: number, now = performance.now()): boolean {
    if (now - this.since > 1_000) {
      this.since = now;
      this.count = 0;
    }
    this.count += 1;
    return this.count <= most;
  }
}
