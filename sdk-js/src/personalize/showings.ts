/** What a visitor saw: told, and remembered. */
import type { Exposure, Feature, Flags } from "../flags";
import { experienceSeen, experimentSeen, markOf, type Seen } from "../flags/exposure";
import type { Memory } from "./memory";

type Attributes = { readonly [name: string]: unknown };

export class Showings {
  /** What was seen on this page, or led to it. */
  private readonly counted: Set<string>;

  constructor(
    private readonly flags: Pick<Flags, "isExperience" | "remember"> & { readonly bundle: string | undefined },
    private readonly memory: Memory,
    private readonly tell: (seen: Seen, again: boolean) => void,
    before: readonly string[] = [],
  ) {
    this.counted = new Set(before);
  }

  /** The experience that a feature's value comes from, where it is no experiment. */
  experienceOf({ source, ruleId }: Feature): string | undefined {
    return source === "force" && this.flags.isExperience(ruleId) ? ruleId : undefined;
  }

  saw(exposures: readonly Exposure[], experience: string | undefined, attributes: Attributes): void {
    const { flags, memory } = this;
    for (const exposure of exposures) {
      const documents = memory.documents(attributes);
      memory.keep({ ...documents, ...flags.remember(exposure, documents) });
      const key = String(exposure.experiment["key"]);
      this.count(experimentSeen(exposure, flags.bundle), flags.isExperience(key) ? key : undefined);
    }
    if (experience !== undefined) this.count(experienceSeen(experience, flags.bundle), experience);
  }

  /** What is an experience counts once a page, whoever tells it. */
  private count(seen: Seen, experience: string | undefined): void {
    const mark = markOf(seen);
    const again = this.counted.has(mark);
    if (experience !== undefined && !again) this.memory.count(experience);
    this.counted.add(mark);
    this.tell(seen, again);
  }
}
