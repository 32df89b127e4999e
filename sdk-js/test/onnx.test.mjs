// ONNX models in Node: the engines that pages fetch.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { NEAR, brought, engines, farthest } from "./site/brought.mjs";

const { open } = await import(join(engines, "page.mjs"));
const asked = [];
const get = (name) => {
  asked.push(name);
  return readFile(join(engines, name));
};

test("each model gives what onnxruntime gives, and the large engine comes only for what needs it", async () => {
  const large = [];
  for (const { name, bytes, rows, expected } of await brought()) {
    const before = asked.length;
    const model = await open(bytes, get);
    if (asked.slice(before).includes("tract_bg.wasm")) large.push(name);
    const found = rows.map((row) => model.probability(new Float64Array(row)));
    assert.ok(farthest(found, expected) < NEAR, `${name}: off by ${farthest(found, expected)}`);
  }
  assert.deepEqual(large, ["attention"], "the first that needs it");
});

test("what is no model, and a row that does not fit, are told", async () => {
  await assert.rejects(open(new Uint8Array([1, 2, 3]), get), /no brought model/);
  const [{ bytes }] = await brought();
  const model = await open(bytes, get);
  assert.throws(() => model.probability(new Float64Array(1)), /give one a signal/);
});
