// A server that is down costs no page its decisions: what the browser has is used.
import assert from "node:assert/strict";
import { test } from "node:test";
import { launch, visit } from "../site/chromium.mjs";
import { LATER, startSite } from "../site/site.mjs";
import { until } from "../site/wait.mjs";

const timeout = 60_000;
const slot = '<p data-rapport-slot="hero">Default</p>';
const npm = `<script type="module">import { createRapport } from "/dist/index.js"; window.rapport = createRapport({ key: "test-key", endpoint: "{{ENDPOINT}}" });</script>`;
const pages = { "/tag": `<!doctype html><script async src="{{SDK_URL}}"></script>${slot}`, "/module": `<!doctype html>${npm}${slot}` };
const flags = { features: { hero: { defaultValue: null, rules: [{ force: { type: "text", text: "Decided" } }] } } };

for (const [name, path, cache] of [
  ["the script tag, by what is stale while it is asked for anew", "/tag", "public, max-age=0, stale-while-revalidate=86400"],
  ["the npm package likewise", "/module", "public, max-age=0, stale-while-revalidate=86400"],
  ["the npm package, even long after that", "/module", "public, max-age=0"],
]) {
  test(`with the server down a page still decides: ${name}`, { timeout }, async () => {
    const browser = await launch();
    const site = await startSite({ later: LATER, flags, cache, pages });
    try {
      const page = await visit(browser, `${site.url}${path}`);
      const filled = () => page.waitForFunction(() => document.querySelector("[data-rapport-slot]").textContent === "Decided");
      await filled();
      site.state.down = true;
      await page.goto(`${site.url}${path}?again`);
      await filled();
      await page.waitForFunction(() => window.rapport.decision?.source === "page");
      // What it saw is told when the server is back.
      site.state.down = false;
      await page.goto(`${site.url}${path}?back`);
      await until(() => site.state.events.some(({ context }) => context.page.search === "?again"), "the events of the time without a server");
      assert.deepEqual(page.errors, []);
    } finally {
      await browser.close();
      await site.close();
    }
  });
}
