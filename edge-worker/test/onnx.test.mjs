// ONNX models in a Worker of their own, reached as the edge's reaches it: by a service binding.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { Miniflare } from "miniflare";
import { NEAR, brought, engines, farthest } from "../../sdk-js/test/site/brought.mjs";

const first = "export default { fetch: (request, env) => env.ONNX.fetch(request) };";

function start(engine) {
  const names = [`${engine}.worker.mjs`, "worker.mjs", `${engine}.js`, `${engine}_bg.wasm`];
  const modules = names.map((name) => ({ type: name.endsWith(".wasm") ? "CompiledWasm" : "ESModule", path: join(engines, name) }));
  const common = { compatibilityDate: "2026-04-01" };
  const workers = [
    { ...common, name: "edge", modules: true, script: first, serviceBindings: { ONNX: "onnx" } },
    { ...common, name: "onnx", modules, modulesRoot: engines },
  ];
  return new Miniflare({ cf: false, workers });
}

for (const engine of ["chains", "tract"]) test(`a model that was brought scores at the edge as everywhere: ${engine}`, async () => {
  const edge = start(engine);
  try {
    const ask = async (method, hash, body) => {
      const answer = await edge.dispatchFetch(`http://edge/${hash}`, { method, body });
      return { status: answer.status, body: answer.status === 204 ? undefined : await answer.json() };
    };
    const row = (values) => Buffer.from(new Float64Array(values).buffer);
    for (const { name, bytes, rows, expected } of await brought()) {
      const hash = createHash("sha256").update(bytes).digest("hex");
      assert.equal((await ask("POST", hash, row(rows[0]))).status, 404, "not brought yet");
      const taken = await ask("PUT", hash, bytes);
      if (engine === "chains" && ["attention", "embedding"].includes(name)) {
        assert.equal(taken.status, 422, "what needs tract is refused");
        continue;
      }
      assert.equal(taken.status, 204, JSON.stringify(taken.body));
      const found = [];
      for (const values of rows.slice(0, 5)) found.push((await ask("POST", hash, row(values))).body.probability);
      assert.ok(farthest(found, expected) < NEAR, name);
    }
  } finally {
    await edge.dispose();
  }
});

test("a wrong hash, bytes that are no model and a row that does not fit cost that call only", async () => {
  const edge = start("chains");
  try {
    const ask = (method, hash, body) => edge.dispatchFetch(`http://edge/${hash}`, { method, body });
    const [{ bytes, rows }] = (await brought()).filter(({ name }) => name === "mlp");
    const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");
    assert.equal((await ask("PUT", "00", bytes)).status, 400);
    assert.equal((await ask("PUT", hash("no model"), "no model")).status, 422);
    assert.equal((await ask("PUT", hash(bytes), bytes)).status, 204);
    assert.equal((await ask("POST", hash(bytes), new Uint8Array(8))).status, 422);
    assert.equal((await ask("POST", hash(bytes), new Uint8Array(7))).status, 422);
    const answer = await ask("POST", hash(bytes), Buffer.from(new Float64Array(rows[0]).buffer));
    assert.equal(answer.status, 200);
  } finally {
    await edge.dispose();
  }
});
