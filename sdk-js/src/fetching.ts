import type { Early } from "./rapport";
import type { Config } from "./types";

/** Starts all fetches of the engine at once; nothing where the workspace decides on the server. */
export function fetchEarly({ endpoint, parts }: Config): Early | undefined {
  const { wasm, signals, model, words } = parts;
  if (!wasm || !signals || !model || !words) return undefined;
  const get = (part: string) => fetch(partUrl(endpoint, part));
  const bytes = async (part: string) => new Uint8Array(await (await found(get(part))).arrayBuffer());
  const compiled = compile(get(wasm));
  const loaded = Promise.all([bytes(signals), bytes(model), bytes(words)]).then(
    ([signals, model, words]) => ({ signals, model, words }),
  );
  // Whoever awaits them hears of a failure; until then it is not unhandled.
  compiled.catch(() => undefined);
  loaded.catch(() => undefined);
  return { module: compiled, bytes: loaded };
}

export function partUrl(endpoint: string, part: string): string {
  return new URL(part, endpoint.endsWith("/") ? endpoint : `${endpoint}/`).href;
}

async function compile(response: Promise<Response>): Promise<WebAssembly.Module> {
  return await WebAssembly.compileStreaming(found(response));
}

async function found(response: Promise<Response>): Promise<Response> {
  const answer = await response;
  if (!answer.ok) throw new Error(`${answer.url} answered ${answer.status}`);
  return answer;
}
