/** Opens a workspace's bundle: from a file, or from its server. */
import { readFile } from "node:fs/promises";
import { Asker } from "./asker";
import { openFile, type Bundle } from "./bundle";
import type { Modules } from "./deciding";
import { Outbox, type TrackOptions } from "./outbox";
import { Rapport, type OnExposure } from "./rapport";
import { Remote, type Background, type RemoteOptions } from "./remote";

/** Where the bundle comes from: a file, or a server, which takes `key` and `endpoint`. */
export interface OpenOptions extends Partial<RemoteOptions> {
  /** A bundle's file, or what is in one: nothing is fetched then. */
  readonly file?: string | URL | Uint8Array | undefined;
  /** What runs in the background. Default: nothing. */
  readonly refresh?: Background | undefined;
  /** How events are sent. */
  readonly track?: TrackOptions | undefined;
  /** Hears every exposure of `feature` and `value`, beside what is sent. */
  readonly onExposure?: OnExposure | undefined;
  /** Milliseconds that `ask` waits at most for the server's score. Default: 1,000. */
  readonly patience?: number | undefined;
  /** Hears why the server gave no score: the fault's code, and a sentence for the log. Default: `console.warn`. */
  readonly onFault?: ((fault: string, message: string) => void) | undefined;
}

/** Opens a bundle, once for all visitors. Throws where it is not signed, damaged, or newer than this SDK. */
export async function openRapport(options: OpenOptions): Promise<Rapport> {
  const { file, key, secretKey, endpoint, publicKey, refresh, track, onExposure, patience = 1_000, onFault = warn, fetch: request = globalThis.fetch } = options;
  const at = (path: string) => `${endpoint?.replace(/\/$/, "")}${path}`;
  const outbox = key !== undefined && endpoint !== undefined ? new Outbox(at("/v1/batch"), key, request, track) : undefined;
  const asker = secretKey !== undefined && endpoint !== undefined ? new Asker(at("/v1/decide"), secretKey, request, patience, onFault) : undefined;
  const modules = engines();
  if (file !== undefined) {
    const content = file instanceof Uint8Array ? file : await readFile(file);
    return new Rapport(await modules, await openFile(content, publicKey), undefined, outbox, onExposure, asker);
  }
  if (key === undefined || endpoint === undefined) throw new TypeError("there is no bundle: name a `file`, or a `key` and an `endpoint`");
  const remote = new Remote({ ...options, key, endpoint });
  const bundle: Bundle = await remote.first();
  const rapport = new Rapport(await modules, bundle, remote, outbox, onExposure, asker);
  if (refresh) remote.watch(refresh, () => rapport.refresh());
  return rapport;
}

function warn(_: string, message: string): void {
  console.warn(`rapport: no score by the server: ${message}`);
}

let compiled: Promise<Modules> | undefined;

/** The page's engines, which stand beside this file. */
export function engines(): Promise<Modules> {
  const compile = async (file: string) => WebAssembly.compile(await readFile(new URL(file, import.meta.url)));
  compiled ??= Promise.all([compile("./rapport_bg.wasm"), compile("./flags_bg.wasm")]).then(([scores, flags]) => ({ scores, flags }));
  return compiled;
}
