import { fetchEarly, partUrl } from "./fetching";
import { Rapport, type Call, type Early } from "./rapport";
import type { Config, Options } from "./types";

export type { Call, Rapport } from "./rapport";
export type * from "./types";

declare global {
  interface Window {
    rapport?: Rapport | Call[];
  }
  interface WindowEventMap {
    "rapport:decision": CustomEvent<import("./types").Decision>;
  }
}

/** Starts tracking at once, and scoring as soon as the workspace's bundle is there. */
export function createRapport(options: Options): Rapport {
  const { key, endpoint, autocapture = true, inspector = false } = options;
  const config = fetchConfig(options);
  const rapport = new Rapport(key, endpoint, config.then(fetchEarly), autocapture);
  config.then(
    (known) => inspect(rapport, known, inspector),
    () => undefined, // The SDK says so itself.
  );
  return rapport;
}

/** The script tag's way in. */
export function start(config: Config, early: Early | undefined, inspector: boolean): void {
  const calls = Array.isArray(window.rapport) ? window.rapport : [];
  const rapport = new Rapport(config.key, config.endpoint, Promise.resolve(early), true);
  window.rapport = rapport;
  rapport.push(...calls);
  void inspect(rapport, config, inspector);
}

async function fetchConfig({ key, endpoint }: Options): Promise<Config> {
  const answer = await fetch(partUrl(endpoint, `v1/sdk/${encodeURIComponent(key)}.json`));
  if (!answer.ok) throw new Error(`${answer.url} answered ${answer.status}`);
  return (await answer.json()) as Config;
}

/** Opens the panel where it is asked for; its code is fetched only then. */
async function inspect(rapport: Rapport, config: Config, wanted: boolean): Promise<void> {
  const { inspector } = config.parts;
  if (!inspector) return;
  if (!wanted && !new URLSearchParams(location.search).has("rapport-inspect")) return;
  try {
    const address = partUrl(config.endpoint, inspector);
    const module: typeof import("./inspector/index") = await import(address);
    module.mount(rapport);
  } catch (error) {
    console.warn("rapport: no inspector:", error);
  }
}
