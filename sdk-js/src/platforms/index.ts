/** Listens to consent platforms, which keep the visitor's choice themselves. */
import type { Choice } from "../consent";
import type { Rapport } from "../rapport";
import type { Config } from "../types";
import { listenToGoogle } from "./google";
import { listenToTcf } from "./tcf";

export function mount(rapport: Rapport, { consent }: Config): void {
  const platforms = consent?.platforms ?? [];
  const choose = (choice: Choice) => rapport.choose(choice, false);
  if (platforms.includes("google")) listenToGoogle(consent?.mode === "strict", choose);
  if (platforms.includes("tcf")) listenToTcf(choose);
}
