// What reads no score is shown before there is one; what reads it waits.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decision, visit } from "../site/chromium.mjs";
import { LATER } from "../site/site.mjs";
import { stage } from "../site/stage.mjs";

const timeout = 60_000;
const rule = (text, condition) => ({ defaultValue: null, rules: [{ force: { type: "text", text }, condition }] });
const page = '<!doctype html><title>page</title><script async src="{{SDK_URL}}"></script><div data-rapport-slot="offer">Default</div>';

for (const [name, offer, shown] of [
  ["what reads no score", rule("For this page", { path: "/" }), "For this page"],
  ["what reads the score", rule("For the scored", { $score: { $gte: 0 } }), "Default"],
]) {
  test(`${name} shows "${shown}" while the engine that scores is on its way`, { timeout }, async () => {
    const { browser, site } = await stage({ later: LATER, flags: { features: { offer } }, pages: { "/": page } });
    const context = await browser.newContext();
    let release;
    const held = new Promise((resolve) => (release = resolve));
    await context.route("**/v1/parts/wasm", async (route) => {
      await held;
      await route.continue();
    });
    const seen = await visit(browser, `${site.url}/`, { context });
    const text = () => seen.evaluate(() => document.querySelector("[data-rapport-slot]").textContent);
    if (shown === "Default") await seen.waitForTimeout(500);
    else await seen.waitForFunction((shown) => document.querySelector("[data-rapport-slot]").textContent === shown, shown);
    assert.deepEqual([await text(), await seen.evaluate(() => window.decisions.length)], [shown, 0]);
    release();
    const { score } = await decision(seen);
    assert.equal(typeof score, "number");
    const last = offer.rules[0].force.text;
    await seen.waitForFunction((last) => document.querySelector("[data-rapport-slot]").textContent === last, last);
    assert.deepEqual(seen.errors, []);
  });
}
