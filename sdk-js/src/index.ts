/** The tracker as the npm package brings it into a site's own bundle. */
import { begin } from "./begin";
import { addressOf, fetchEarly, load } from "./parts";
import type { Call, Rapport } from "./rapport";
import type { Config, Options } from "./types";

export type { Choice, ConsentSettings, ConsentState, Purpose } from "./consent";
export type { Plugin } from "./plugins";
export type { Call, Rapport } from "./rapport";
export type * from "./types";

declare global {
  interface Window {
    rapport?: Rapport | Call[];
  }
  interface WindowEventMap {
    "rapport:decision": CustomEvent<import("./types").Decision>;
    "rapport:consent": CustomEvent<import("./consent").Choice>;
  }
}

/** Starts tracking at once, and scoring as soon as the workspace's bundle is there. */
export function createRapport(options: Options): Rapport {
  const config = fetchConfig(options);
  return begin(options, config.then(fetchEarly), async (part) => load(await config, part), []);
}

async function fetchConfig(options: Options): Promise<Config> {
  const address = addressOf(options, `/v1/sdk/${encodeURIComponent(options.key)}.json`);
  // Where the server cannot be reached, what this browser last had from it is better than nothing.
  const answer = await fetch(address).catch(() => fetch(address, { cache: "force-cache" }));
  if (!answer.ok) throw new Error(`${answer.url} answered ${answer.status}`);
  return { ...((await answer.json()) as Config), ...options };
}
