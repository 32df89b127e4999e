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

/** What is there without a fetch: code of parts, and bytes of the bundle. */
export type Carried = { readonly [part in keyof Parts]?: unknown };

/** Fetches the code of a part when it is first wanted; `undefined` where the backend has none. */
export async function load<Module>(config: Config, part: keyof Parts, carried: Carried = {}): Promise<Module | undefined> {
  if (carried[part]) return carried[part] as Module;
  const address = config.parts[part];
  if (!address) return undefined;
  // No bundler knows what is behind an address.
  return (await import(/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ addressOf(config, address))) as Module;
}

/** Starts all fetches that decisions need. */
export function fetchEarly(config: Config, carried: Carried = {}): Early {
  const { bundle, parts } = config;
  const { wasm, decision, flags, flagsWasm } = parts;
  const scoring = load<typeof import("./scoring/index")>(config, "scoring", carried);
  scoring.catch(quiet);
  const get = async (part: string) => {
    const answer = await fetch(addressOf(config, part));
    if (!answer.ok) throw new Error(`${answer.url} answered ${answer.status}`);
    return answer;
  };
  const bytes = async (part: "decision" | "flags", address: string) =>
    (carried[part] as Uint8Array | undefined) ?? new Uint8Array(await (await get(address)).arrayBuffer());
  const compiled = (part: string) => WebAssembly.compileStreaming(get(part));
  const early: Early = { bundle, scoring };
  if (wasm && decision) Object.assign(early, { module: compiled(wasm), bytes: bytes("decision", decision) });
  if (flags) {
    // Its code comes along with its data. Without its engine the server decides.
    const all = Promise.all([bytes("flags", flags), flagsWasm && compiled(flagsWasm).catch(quiet), load(config, "personalize", carried)]);
    Object.assign(early, { flags: all.then(([bytes, module]) => ({ bytes, module })) });
  }
  for (const fetched of [early.module, early.bytes, early.flags]) fetched?.catch(quiet);
  return early;
}

/** Whoever awaits a part hears of its failure; until then it is not unhandled. */
function quiet(): void {}
