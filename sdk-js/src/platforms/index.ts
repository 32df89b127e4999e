/** Listens to consent platforms, which keep the visitor's choice themselves. */
import type { Rapport } from "../rapport";
import type { Config } from "../types";
import { listenToGoogle } from "./google";
import { listenToTcf } from "./tcf";

export function mount(rapport: Rapport, { consent }: Config): void {
  const platforms = consent?.platforms ?? [];
  if (platforms.includes("google")) listenToGoogle((choice) => rapport.choose(choice, false));
  if (platforms.includes("tcf")) listenToTcf((choice) => rapport.choose(choice, false));
}
