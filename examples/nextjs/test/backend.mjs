// What of Rapport's backend the site needs: a published bundle, the SDK's parts, and a collector that remembers.
import { readFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { bundleFile } from "../../../sdk-js/dist/testing.js";

export const KEY = "wk_test";
const dist = (file) => readFile(new URL(`../../../sdk-js/dist/${file}`, import.meta.url));
const experiment = (key, variations) => ({ key, variations, hashVersion: 2, meta: variations.map((name) => ({ key: name, name })) });

const flags = {
  features: {
    hero: { defaultValue: "plain", rules: [experiment("hero-words", ["plain", "warm", "bold"])] },
    plans: { defaultValue: "monthly", rules: [experiment("plans-first", ["monthly", "yearly"])] },
    banner: { defaultValue: null },
  },
  experiences: [{ key: "autumn", slot: "banner", content: { type: "html", html: "<b>Autumn offer</b>" } }],
  experiments: [
    { key: "call-words", status: "running", hashAttribute: "id", hashVersion: 2, variations: [{}, { domMutations: [{ selector: "#call", action: "set", attribute: "html", value: "Call us today" }] }], weights: [0, 1], coverage: 1 },
  ],
};

export async function startBackend() {
  const signals = JSON.parse(await readFile(new URL("../../demo/signals.json", import.meta.url)));
  const bundle = bundleFile({ signals, models: [{ name: "leads" }], flags }, { leads: await dist("test/leads.rpm") });
  const { manifest, signature, publicKey, parts } = bundle;
  const files = new Map(Object.entries(parts).map(([hash, text]) => [`/v1/parts/${KEY}/${hash}.bin`, ["application/octet-stream", Buffer.from(text, "base64")]]));
  const hashes = Object.fromEntries(JSON.parse(manifest).parts.map(({ kind, hash }) => [kind, hash]));
  const addresses = { flags: `/v1/parts/${KEY}/${hashes.flags}.bin`, decision: `/v1/parts/${KEY}/decision.bin` };
  files.set(addresses.decision, ["application/octet-stream", joined(["signals", "model", "words"].map((kind) => Buffer.from(parts[hashes[kind]], "base64")))]);
  for (const [part, file, type] of [["scoring", "scoring.js", "text/javascript"], ["visit", "scoring.js", "text/javascript"], ["personalize", "personalize.js", "text/javascript"], ["wasm", "rapport_bg.wasm", "application/wasm"], ["flagsWasm", "flags_bg.wasm", "application/wasm"]]) {
    addresses[part] = `/v1/parts/${KEY}/${file}`;
    files.set(addresses[part], [type, await dist(file)]);
  }
  const events = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    response.setHeader("access-control-allow-origin", "*");
    const file = files.get(request.url);
    if (file) return response.writeHead(200, { "content-type": file[0] }).end(file[1]);
    if (request.url.startsWith(`/v1/sdk/${KEY}.`)) {
      const config = JSON.stringify({ key: KEY, endpoint, bundle: createHash("sha256").update(manifest).digest("hex"), manifest, signature, publicKey, parts: addresses });
      return response.end(request.url.endsWith(".js") ? `self.rapportConfig=${config};` : config);
    }
    if (request.url === "/v1/events") {
      const known = new Set(events.map(({ messageId }) => messageId));
      events.push(...JSON.parse(Buffer.concat(chunks)).batch.filter(({ messageId }) => !known.has(messageId)));
      return response.end("{}");
    }
    response.writeHead(404).end();
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const endpoint = `http://127.0.0.1:${server.address().port}`;
  return {
    endpoint,
    bundle,
    events,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** What pages decide with, in one file: docs/bundle-format.md. */
function joined(parts) {
  return Buffer.concat([new Uint8Array(Uint32Array.from(parts, ({ length }) => length).buffer), ...parts]);
}
