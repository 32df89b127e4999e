// The flags of OpenFeature's test suite as a payload, and a backend that serves them.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { bundleFile } from "../../dist/testing.js";

const suite = new URL("../../../conformance/suites/openfeature/", import.meta.url);
const flags = JSON.parse(await readFile(new URL("test-flags.json", suite)));

/** What the suite writes in CEL. */
const CONDITIONS = {
  "email == 'ballmer@macrosoft.com' ? 'zero' : ''": { variant: "zero", condition: { email: "ballmer@macrosoft.com" } },
  "!customer && email == 'ballmer@macrosoft.com' && age > 10 ? 'internal' : ''": { variant: "internal", condition: { customer: { $ne: true }, email: "ballmer@macrosoft.com", age: { $gt: 10 } } },
};

const entries = Object.entries(flags).flatMap(([key, { variants, defaultVariant, contextEvaluator, flagMetadata, disabled }]) => {
  // A payload holds what is switched on.
  if (disabled) return [];
  const metadata = flagMetadata ? { metadata: flagMetadata } : {};
  const value = variants[defaultVariant] ?? null;
  if (!contextEvaluator) return [[key, { defaultValue: value, ...metadata, rules: value === null ? [] : [{ id: defaultVariant, force: value }] }]];
  const { variant, condition } = CONDITIONS[contextEvaluator];
  return [[key, { defaultValue: value, ...metadata, rules: [{ id: variant, force: variants[variant], condition }] }]];
});

export const payload = {
  features: {
    ...Object.fromEntries(entries),
    // Of the older suite, which gives no file.
    "context-aware": { defaultValue: "EXTERNAL", rules: [{ id: "internal", force: "INTERNAL", condition: { fn: "Sulisław", ln: "Świętopełk", age: 29, customer: false } }] },
  },
};

export const bundle = bundleFile({ flags: payload });

/** A backend; `state.answer` decides what it does with requests: "yes", "no" (503), "unknown" (404), "never". */
export async function startBackend() {
  const state = { answer: "yes", batches: [], bundle };
  const wasm = await readFile(new URL("../../dist/flags_bg.wasm", import.meta.url));
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    if (state.answer === "never") return;
    if (state.answer !== "yes") return response.writeHead(state.answer === "no" ? 503 : 404).end();
    if (request.url === "/v1/batch") {
      state.batches.push(JSON.parse(Buffer.concat(chunks)));
      return response.end("{}");
    }
    const { parts, ...signed } = state.bundle;
    const flagsHash = JSON.parse(signed.manifest).parts.find(({ kind }) => kind === "flags").hash;
    if (request.url === "/v1/sdk/wk_test.json") return response.end(JSON.stringify({ ...signed, bundle: null, parts: { flagsWasm: "/v1/parts/wk_test/engine.wasm", flags: `/v1/parts/wk_test/${flagsHash}.bin` } }));
    if (request.url === "/v1/sdk/wk_page.json") return response.end(JSON.stringify({ bundle: "test", parts: { flagsWasm: "/v1/parts/wk_test/engine.wasm", flags: `/v1/parts/wk_test/${flagsHash}.bin` } }));
    if (request.url.endsWith("engine.wasm")) return response.writeHead(200, { "content-type": "application/wasm" }).end(wasm);
    const [, hash] = /(\w+)\.bin$/.exec(request.url) ?? [];
    if (parts[hash]) return response.end(Buffer.from(parts[hash], "base64"));
    response.writeHead(404).end();
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    state,
    endpoint: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
