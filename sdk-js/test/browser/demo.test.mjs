// The whole loop: website, SDK, engine, backend, live page.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { decision, inspector, launch, shown, visit } from "../site/chromium.mjs";
import { startDemo } from "../site/demo.mjs";
import { until } from "../site/wait.mjs";

const timeout = 60_000;
let browser;
let demo;

before(
  async () => {
    browser = await launch();
    demo = await startDemo();
  },
  { timeout: 300_000 },
);
after(() => Promise.all([browser?.close(), demo?.stop()]));

test("the live page shows the same visitor and score within a second", { timeout }, async () => {
  const live = await (await browser.newContext()).newPage();
  await live.goto(demo.live);
  await live.waitForFunction(() => document.querySelector("#link")?.dataset.state === "live");
  const page = await visit(browser, `${demo.sites[0]}pricing`);
  await decision(page);
  await inspector(page);
  const took = [];
  for (const form of ["demo", "contact", "demo"]) {
    const happened = performance.now();
    await page.evaluate((form) => window.rapport.track("Form Submitted", { form }), form);
    const panel = await shown(page);
    assert.equal(panel.score, panel.newest.score);
    // The page's newest each time: how the visit came and what was read may count in between.
    await until(async () => {
      const { score } = await decision(page);
      return score === (await live.evaluate(() => Number(document.querySelector(".visitor .score")?.textContent ?? NaN)));
    }, "the page's score on the live page");
    took.push(performance.now() - happened);
  }
  // A busy machine may be late, but not each time.
  assert.ok(Math.min(...took) < 1_000, `${took} ms`);
  assert.deepEqual(page.errors, []);
});

test("each website belongs to a workspace of its own", { timeout }, async () => {
  const keys = [];
  for (const site of demo.sites) {
    const page = await visit(browser, site);
    assert.equal((await decision(page)).source, "page");
    keys.push(await page.evaluate(() => Object.keys(localStorage).find((name) => name.endsWith(":id"))));
  }
  assert.equal(keys.length, 2);
  assert.notEqual(keys[0], keys[1]);
});

test("where the page may not run the engine, the real server decides alike", { timeout }, async () => {
  const local = await visit(browser, `${demo.sites[0]}docs`);
  const context = await browser.newContext();
  await context.addInitScript(() => {
    WebAssembly.compileStreaming = () => Promise.reject(new WebAssembly.CompileError("blocked by policy"));
  });
  const remote = await visit(browser, `${demo.sites[0]}docs`, { context });
  // Once both know of the same: how the visit came may be told in one before the other.
  await until(async () => {
    const [here, there] = [await decision(local), await decision(remote)];
    assert.deepEqual([here.source, there.source], ["page", "server"]);
    const said = ({ score, band, base, reasons }) => JSON.stringify([score, band, base, reasons.map(({ signal, points, text }) => [signal, points, text])]);
    return said(here) === said(there);
  }, "the same decision here and there");
});
