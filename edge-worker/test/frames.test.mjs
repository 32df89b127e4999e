// Nothing flickers: a page through the edge is the visitor's from its first frame.
import assert from "node:assert/strict";
import { test } from "node:test";
import { framesOfDemo } from "./frames.mjs";

test("no frame of the demo's website shows what its visitor does not get, nothing moves, and all is told once", { timeout: 120_000 }, async () => {
  const { frames, wrong, cls, failed, exposures } = await framesOfDemo(3);
  assert.ok(frames >= 3, "each visit has a frame that was looked at");
  assert.deepEqual({ wrong, cls, failed }, { wrong: 0, cls: 0, failed: [] });
  for (const told of exposures) assert.deepEqual(told, ["front-door", "offer"]);
});
