// A backend with a published workspace, and an edge in front of it: `EDGE` says which, axum or workerd.
// RAPPORT is the server's binary, WORKER the folder of the Worker's modules.
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const { RAPPORT, WORKER, EDGE = "axum" } = process.env;
const root = fileURLToPath(new URL("../..", import.meta.url));

/** Between attempts to reach the backend pass so many times fewer seconds: ten minutes are one second. */
export const HURRY = 600;

/** A wire to the backend that can be cut. */
async function wire(port) {
  const state = { cut: false, open: new Set() };
  const server = createServer((near) => {
    if (state.cut) return near.destroy();
    const far = connect(port, "127.0.0.1");
    for (const [one, other] of [[near, far], [far, near]]) {
      state.open.add(one);
      one.pipe(other);
      one.on("error", () => other.destroy());
      one.on("close", () => state.open.delete(one) && other.destroy());
    }
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    cut() {
      state.cut = true;
      for (const socket of state.open) socket.destroy();
    },
    mend: () => (state.cut = false),
    close() {
      this.cut();
      server.close();
    },
  };
}

/** Starts a program and waits for the line that says it is ready. */
async function program(args, ready, env = {}) {
  const running = spawn(RAPPORT, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", process.env.LOUD ? "inherit" : "ignore"] });
  const ended = new Promise((resolve) => running.once("exit", resolve));
  const lines = [];
  for await (const line of createInterface({ input: running.stdout })) {
    lines.push(line);
    if (line.startsWith(ready)) break;
  }
  const stop = async () => {
    running.kill();
    await ended;
  };
  return { said: lines.join("\n"), stop };
}

export const experiments = {
  features: {
    hero: { defaultValue: { type: "text", text: "Leads, sorted" } },
    plan: { defaultValue: "free", rules: [{ id: "germans", force: "pro", condition: { country: "DE" } }] },
    limit: { defaultValue: 5 },
    headline: { defaultValue: "plain", rules: [{ variations: ["cold", "warm"], key: "headline-test", hashVersion: 2, meta: [{ key: "c" }, { key: "w" }] }] },
    pitch: { defaultValue: "calm", rules: [{ id: "hot", force: "loud", condition: { $score: { $gte: 50 } } }] },
  },
};

export async function startHouse(flags = experiments) {
  const folder = await mkdtemp(join(tmpdir(), "rapport-edge-"));
  const served = await program(["serve", "--listen", "127.0.0.1:0", "--dir", join(folder, "data"), "--sdk-dir", join(root, "sdk-js/dist")], "Owner link");
  const [, backend] = served.said.match(/serves at (\S+)/);
  const [, key] = served.said.match(/\/v1\/sdk\/(wk_live_\w+)\.js/);
  const [, secret] = served.said.match(/(sk_live_\w+)/);
  const cable = await wire(Number(new URL(backend).port));
  const house = {
    backend,
    key,
    secret,
    cable,
    async publish(bundle = {}) {
      const signals = JSON.parse(await readFile(join(root, "examples/demo/signals.json"), "utf8"));
      const leads = (await readFile(join(root, "sdk-js/dist/test/leads.rpm"))).toString("base64");
      const body = JSON.stringify({ bundle: { signals, models: [{ name: "leads" }], words: [{ locale: "en" }], flags, ...bundle }, models: { leads } });
      const answer = await fetch(`${backend}/v1/bundles`, { method: "POST", body, headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" } });
      if (!answer.ok) throw new Error(await answer.text());
      const { publicKey } = await (await fetch(`${backend}/v1/bundles/current`, { headers: { authorization: `Bearer ${secret}` } })).json();
      return publicKey;
    },
    /** Starts an edge; `vars` are what the Worker calls its settings. */
    startEdge: ({ folder: kept = join(folder, "edge"), ...options } = {}) => (EDGE === "workerd" ? workerd : axum)({ key, backend: cable.url, folder: kept, ...options }),
    async stop() {
      cable.close();
      await served.stop();
      await rm(folder, { recursive: true });
    },
  };
  return house;
}

async function axum({ key, backend, folder, publicKey, site, visitorCookie, secret = "", broken }) {
  // Folders where files would be.
  if (broken === "store") for (const name of ["bundle", "sdk.js"]) await mkdir(join(folder, name), { recursive: true });
  const more = [...(publicKey ? ["--public-key", publicKey] : []), ...(site ? ["--site", site] : []), ...(visitorCookie ? ["--visitor-cookie"] : [])];
  const edge = await program(["edge", "--key", key, "--backend", backend, "--dir", folder, "--listen", "127.0.0.1:0", "--conformance", "--hurry", String(HURRY), ...more], "Rapport's edge serves at", { RAPPORT_SECRET: secret });
  if (broken === "queue") await rm(join(folder, "events"), { recursive: true });
  return { url: edge.said.match(/serves at (\S+)/)[1], stop: edge.stop };
}

async function workerd({ key, backend, folder, publicKey, site, visitorCookie, secret = "", broken }) {
  const { Miniflare } = await import("miniflare");
  const files = (await readdir(WORKER, { recursive: true })).filter((file) => /\.(m?js|wasm)$/.test(file));
  const first = ({ path }) => (path.endsWith("worker.mjs") ? 0 : 1);
  const modules = files.map((file) => ({ type: file.endsWith(".wasm") ? "CompiledWasm" : "ESModule", path: join(WORKER, file) }));
  modules.sort((one, other) => first(one) - first(other));
  const edge = new Miniflare({
    cf: false,
    modules,
    modulesRoot: WORKER,
    compatibilityDate: "2026-04-01",
    // A service that knows none of the store's calls fails them all.
    ...(broken === "store" ? { serviceBindings: { RAPPORT_KV: () => new Response("down", { status: 500 }) } } : { kvNamespaces: ["RAPPORT_KV"] }),
    kvPersist: join(folder, "kv"),
    ...(broken === "queue" ? {} : { durableObjects: { RAPPORT_EVENTS: { className: "EventQueue", useSQLite: true } } }),
    durableObjectsPersist: join(folder, "objects"),
    bindings: { RAPPORT_HURRY: String(HURRY), RAPPORT_KEY: key, RAPPORT_BACKEND: backend, RAPPORT_PUBLIC_KEY: publicKey ?? "", RAPPORT_CONFORMANCE: "1", RAPPORT_ORIGIN: site ?? "", RAPPORT_VISITOR_COOKIE: visitorCookie ? "1" : "", RAPPORT_SECRET: secret },
  });
  const url = await edge.ready;
  return { url: url.origin, stop: () => edge.dispose() };
}

/** Asks until it holds; a machine that is busy has time. */
export async function eventually(holds) {
  for (const start = Date.now(); ; ) {
    const found = await holds();
    if (found) return found;
    if (Date.now() - start > 30_000) throw new Error("nothing happened for 30 s");
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
