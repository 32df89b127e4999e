import type { Early } from "./decisions";
import type { Config, Options, Parts } from "./types";

/** Where something of the backend answers, under the names that the site gives it. */
export function addressOf({ endpoint, paths = {} }: Options, address: string): string {
  if (address.includes("://")) return address;
  const start = Object.keys(paths).find((start) => address.startsWith(start)) ?? "";
  const path = (paths[start] ?? "") + address.slice(start.length);
  return new URL(endpoint, location.href).href.replace(/\/$/, "") + path;
}

/** Fetches the code of a part when it is first wanted; `undefined` where the backend has none. */
export async function load<Module>(config: Config, part: keyof Parts): Promise<Module | undefined> {
  const address = config.parts[part];
  if (!address) return undefined;
  // No bundler knows what is behind an address.
  return (await import(/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ addressOf(config, address))) as Module;
}

/** Starts all fetches that decisions need. */
export function fetchEarly(config: Config): Early {
  const { bundle, parts } = config;
  const { wasm, decision, flags } = parts;
  const scoring = load<typeof import("./scoring/index")>(config, "scoring");
  scoring.catch(quiet);
  if (!wasm || !(decision || flags)) return { scoring };
  const get = async (part: string) => {
    const answer = await fetch(addressOf(config, part));
    if (!answer.ok) throw new Error(`${answer.url} answered ${answer.status}`);
    return answer;
  };
  const bytes = async (part: string) => new Uint8Array(await (await get(part)).arrayBuffer());
  const module = WebAssembly.compileStreaming(get(wasm));
  const loaded = decision ? bytes(decision) : undefined;
  // Its code comes along with its data.
  const flagged = flags ? Promise.all([bytes(flags), load(config, "personalize")]).then(([bytes]) => bytes) : undefined;
  for (const fetched of [module, loaded, flagged]) fetched?.catch(quiet);
  return { bundle, scoring, module, bytes: loaded, flags: flagged };
}

/** Whoever awaits a part hears of its failure; until then it is not unhandled. */
function quiet(): void {}
