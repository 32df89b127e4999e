/** The tracker as the script tag's loader fetches it. */
import { begin } from "./begin";
import type { Early } from "./decisions";
import type { Config, Parts } from "./types";

/** The loader lends its way to load parts. */
export function start(config: Config, early: Early, load: (part: keyof Parts) => Promise<unknown>): void {
  const calls = Array.isArray(window.rapport) ? window.rapport : [];
  window.rapport = begin(config, Promise.resolve(early), load, calls);
}
