// ONNX models in Chromium: engines that come when the first model does.
import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { basename, join } from "node:path";
import { test } from "node:test";
import { launch } from "../site/chromium.mjs";
import { NEAR, brought, engines, farthest } from "../site/brought.mjs";

const kinds = { html: "text/html", wasm: "application/wasm", js: "text/javascript", mjs: "text/javascript" };

test("a page's probabilities are the backend's, from the small engine where it will do", { timeout: 120_000 }, async () => {
  const fetched = [];
  const server = createServer((request, response) => {
    const name = basename(request.url);
    const kind = kinds[name.split(".").at(-1)];
    response.setHeader("content-type", kind ?? kinds.html);
    if (!kind) return response.end("<!doctype html><title>ONNX</title>");
    fetched.push(name);
    createReadStream(join(engines, name)).on("error", () => response.writeHead(404).end()).pipe(response);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    const scored = ({ bytes, rows }) => {
      const asked = { bytes: bytes.toString("base64"), rows: rows.map((row) => row.map((value) => (Number.isNaN(value) ? null : value))) };
      return page.evaluate(async ({ bytes, rows }) => {
        const { open } = await import("/page.mjs");
        const model = await open(Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0)));
        return rows.map((row) => model.probability(new Float64Array(row.map((value) => value ?? NaN))));
      }, asked);
    };
    const models = await brought();
    const chain = models.find(({ name }) => name === "mlp_50_64_1");
    assert.ok(farthest(await scored(chain), chain.expected) < NEAR);
    assert.ok(!fetched.includes("tract_bg.wasm"), "the small engine does");
    for (const model of models) {
      const off = farthest(await scored(model), model.expected);
      assert.ok(off < NEAR, `${model.name}: off by ${off}`);
    }
    for (const engine of ["chains_bg.wasm", "tract_bg.wasm"]) {
      assert.equal(fetched.filter((name) => name === engine).length, 1, `${engine} is fetched once`);
    }
  } finally {
    await browser.close();
    server.close();
  }
});
