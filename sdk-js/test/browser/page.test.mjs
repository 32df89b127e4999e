import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { decision, launch, shown, visit } from "../site/chromium.mjs";
import { startSite } from "../site/site.mjs";

let browser;
let site;

before(async () => {
  [browser, site] = await Promise.all([launch(), startSite()]);
});
after(() => Promise.all([browser?.close(), site?.close()]));

test("a script tag puts a score on the screen", async () => {
  const page = await visit(browser, site.url);
  const { score, source } = await decision(page);
  assert.equal(source, "page");
  await page.waitForFunction(() => document.querySelector("rapport-inspector"));
  assert.equal((await shown(page)).score, score);
  assert.deepEqual(page.errors, []);
});
