import type { Early } from "./decisions";
import type { Config, Options, Parts, Settings } from "./types";

/** Where something of the backend answers, under the names that the site gives it. */
export function addressOf({ endpoint, paths }: Options, address: string): string {
  return at(new URL(endpoint, location.href).href, paths, address);
}

/** The same for who says where `endpoint` is. */
export function at(endpoint: string, paths: Settings["paths"] = {}, address: string): string {
  if (address.includes("://")) return address;
  const start = Object.keys(paths).find((start) => address.startsWith(start)) ?? "";
  return endpoint.replace(/\/$/, "") + (paths[start] ?? "") + address.slice(start.length);
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
  const { wasm, decision, flags, flagsWasm } = parts;
  const scoring = load<typeof import("./scoring/index")>(config, "scoring");
  scoring.catch(quiet);
  const get = async (part: string) => {
    const answer = await fetch(addressOf(config, part));
    if (!answer.ok) throw new Error(`${answer.url} answered ${answer.status}`);
    return answer;
  };
  const bytes = async (part: string) => new Uint8Array(await (await get(part)).arrayBuffer());
  const compiled = (part: string) => WebAssembly.compileStreaming(get(part));
  const early: Early = { bundle, scoring };
  if (wasm && decision) Object.assign(early, { module: compiled(wasm), bytes: bytes(decision) });
  if (flags) {
    // Its code comes along with its data. Without its engine the server decides.
    const all = Promise.all([bytes(flags), flagsWasm && compiled(flagsWasm).catch(quiet), load(config, "personalize")]);
    Object.assign(early, { flags: all.then(([bytes, module]) => ({ bytes, module })) });
  }
  for (const fetched of [early.module, early.bytes, early.flags]) fetched?.catch(quiet);
  return early;
}

/** Whoever awaits a part hears of its failure; until then it is not unhandled. */
function quiet(): void {}
