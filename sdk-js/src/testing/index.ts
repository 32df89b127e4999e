/** For customers' tests: the real engine on features that the test says, and everything that was told. */
import { generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Json } from "../flags";
import type { Answer, Hydration } from "../hydration";
import { openFile, sha256, type BundleFile } from "../server/bundle";
import { engines } from "../server/open";
import { Rapport } from "../server/rapport";
import type { Visitor } from "../server/visitor";
import type { Properties, Verdict } from "../types";
import * as full from "../../dist/full/engine.js";

export { decrypt } from "../flags/encrypted";

/** Key objects of `node:crypto`, of Ed25519. */
export interface Keys {
  readonly privateKey: object;
  readonly publicKey: object;
}

/** What people author: docs/bundle-format.md. */
export interface Authored {
  readonly signals?: readonly object[];
  readonly models?: readonly { readonly name: string; readonly [member: string]: unknown }[];
  readonly words?: readonly object[];
  /** GrowthBook's payload with Rapport's additions: docs/flags-format.md. */
  readonly flags?: object;
}

/** Something that was tracked. */
export interface Tracked {
  readonly event: string;
  readonly visitor: Visitor;
  readonly properties: Properties;
}

/** A `Rapport` that sends nothing, and remembers what it was told. */
export class TestRapport extends Rapport {
  declare readonly tracked: Tracked[];

  /** Scores everybody so from now on. */
  scoreAll(verdict: Partial<Verdict>): void {
    this.deciding.always = verdictOf(verdict);
  }
}

export interface TestOptions {
  /** What each feature is, for everybody. */
  readonly features?: { readonly [key: string]: Json };
  /** Or a whole payload, with rules and experiments. */
  readonly authored?: Authored;
  /** The score of everybody, whatever the model says. */
  readonly verdict?: Partial<Verdict>;
}

/** Opens features for a test. Throws where something of `authored` would do nothing. */
export async function testRapport({ features = {}, authored = {}, verdict }: TestOptions = {}): Promise<TestRapport> {
  const own = Object.entries(features).map(([key, defaultValue]) => [key, { defaultValue }]);
  const payload = authored.flags as { features?: object } | undefined;
  const flags = { ...payload, features: { ...payload?.features, ...Object.fromEntries(own) } };
  const file = bundleFile({ ...authored, flags });
  const tracked: Tracked[] = [];
  const outgoing = { dropped: 0, add: (event: string, visitor: Visitor, properties: Properties) => void tracked.push({ event, visitor, properties }), flush: async () => undefined };
  const rapport = new TestRapport(await engines(), await openFile(JSON.stringify(file), file.publicKey), undefined, outgoing);
  if (verdict) rapport.scoreAll(verdict);
  return Object.assign(rapport, { tracked });
}

/** What a page takes up by `hydrate`, without a server. */
export function testHydration(features: { readonly [key: string]: Json }, verdict?: Partial<Verdict>): Hydration {
  const answers = Object.entries(features).map(([key, value]): [string, Answer] => [key, { value, source: "force", ruleId: "" }]);
  return { version: 1, bundle: "test", features: Object.fromEntries(answers), told: [], ...(verdict ? { verdict: verdictOf(verdict) } : {}) };
}

/** Compiles a bundle and signs it, where nothing else is said with a key of its own. Models' bytes by their names. */
export function bundleFile(authored: Authored, models: { readonly [name: string]: Uint8Array } = {}, keys: Keys = generateKeyPairSync("ed25519")): BundleFile {
  full.initSync({ module: compiler() });
  const wire = { workspace: "test", environment: "test", signals: [], ...authored };
  const { problems, ...compiled } = full.compileBundle(wire, models) as { problems: string[] } & { [kind: string]: Uint8Array };
  if (problems.length > 0) throw new Error(`the bundle has problems: ${problems.join("; ")}`);
  const kinds = Object.entries(compiled).filter(([, bytes]) => bytes.length > 0);
  const described = kinds.map(([kind, bytes]) => ({ kind, public: true, hash: sha256(bytes), bytes: bytes.length }));
  const manifest = JSON.stringify({ format: 1, workspace: "test", environment: "test", parts: described });
  const { privateKey, publicKey } = keys as { [name in keyof Keys]: KeyObject };
  return {
    manifest,
    signature: sign(null, Buffer.from(manifest), privateKey).toString("base64"),
    publicKey: Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("base64"),
    parts: Object.fromEntries(kinds.map(([, bytes]) => [sha256(bytes), Buffer.from(bytes).toString("base64")])),
  };
}

function verdictOf(given: Partial<Verdict>): Verdict {
  const score = given.score ?? 50;
  return { score, probability: score / 100, band: "undecided", base: score, reasons: [], rest: 0, ...given };
}

let compiled: WebAssembly.Module | undefined;

/** The build that compiles bundles: never sent to a page, and never needed to decide. */
function compiler(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(readFileSync(new URL("./full/engine_bg.wasm", import.meta.url)));
  return compiled;
}
