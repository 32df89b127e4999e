import type { Early } from "./decisions";
import { addressOf, fetchEarly, load } from "./parts";
import { Rapport, type Call } from "./rapport";
import type { Config, Options, Parts } from "./types";

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

/** What a part that comes later exports. */
export interface Later {
  mount(rapport: Rapport, config: Config): void;
}

/** Starts tracking at once, and scoring as soon as the workspace's bundle is there. */
export function createRapport(options: Options): Rapport {
  return begin(options, fetchConfig(options), [], fetchEarly);
}

/** The script tag's way in. */
export function start(config: Config, early: Early): void {
  const calls = Array.isArray(window.rapport) ? window.rapport : [];
  window.rapport = begin(config, Promise.resolve(config), calls, () => early);
}

function begin(given: Options, config: Promise<Config>, calls: readonly Call[], early: (config: Config) => Early): Rapport {
  const { inspector = asked("inspect"), debug = asked("debug"), ...rest } = given;
  const options = { ...rest, inspector, debug };
  const mount = (part: keyof Parts) =>
    config
      .then((config) => load<Later>(config, part))
      .then((module) => module?.mount(rapport, options as Config))
      .catch((error: unknown) => console.warn(`rapport: no ${part}:`, error));
  const rapport = new Rapport(options, config.then(early), (part) => void mount(part));
  // Who takes part, and what is allowed, is settled before anything is tracked.
  const settling = ([method]: Call) => method === "use" || method === "consent";
  rapport.push(...calls.filter(settling));
  const go = () => {
    rapport.start();
    rapport.push(...calls.filter((call) => !settling(call)));
    if (debug) rapport.want("debug");
    if (inspector) rapport.want("inspector");
  };
  const links = given.linkDomains && mount("links");
  // Who comes by a link from the owner's other site brings an id.
  if (links && location.search.includes("_rapport=")) void links.then(go);
  else go();
  return rapport;
}

async function fetchConfig(options: Options): Promise<Config> {
  const answer = await fetch(addressOf(options, `/v1/sdk/${encodeURIComponent(options.key)}.json`));
  if (!answer.ok) throw new Error(`${answer.url} answered ${answer.status}`);
  return { ...((await answer.json()) as Config), ...options };
}

/** Whether the address asks for something. */
function asked(what: string): boolean {
  return new URLSearchParams(location.search).has(`rapport-${what}`);
}
