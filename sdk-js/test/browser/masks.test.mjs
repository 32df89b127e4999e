// What is masked is never seen as it was; and a mask goes by itself where nothing comes.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { visit } from "../site/chromium.mjs";
import { LATER, startSite } from "../site/site.mjs";
import { stage } from "../site/stage.mjs";

const timeout = 60_000;
const docs = await readFile(new URL("../../../docs/csp.md", import.meta.url), "utf8");
/** The snippet as the docs print it, and its hash. */
const [, snippet] = docs.match(/```html\n(<style>@keyframes rapport-mask.*<\/style>)\n```/);
const [, hash] = docs.match(/style-src [^;\n]*'(sha256-[^']+)'/);
const quick = snippet.replace(/ \d+s backwards/, " 300ms backwards");
const changed = (text) => ({ type: "text", text });
/** `elementtiming` makes the browser tell what it has painted. */
const body = '<h1><div elementtiming="old title">Old title</div></h1><div data-rapport-slot="hero"><p elementtiming="old slot">Old content</p></div><p elementtiming="rest">The rest</p>';
const page = (mask, tag = '<script async src="{{SDK_URL}}"></script>') => `<!doctype html><title>page</title>${mask}${tag}${body}`;
/** Of two selectors, and so long that no busy machine outlasts it. */
const title = snippet.replace("[data-rapport-slot]", "[data-rapport-slot],h1").replace(/ \d+s backwards/, " 600s backwards");
const csp = `default-src 'self'; script-src 'self' {{ENDPOINT}} 'wasm-unsafe-eval'; connect-src 'self' {{ENDPOINT}}; style-src '${hash}'; object-src 'none'; base-uri 'none'`;
const { browser, site } = await stage({
  later: LATER,
  flags: {
    features: { hero: { defaultValue: null, rules: [{ force: changed("New content") }] } },
    experiments: [{ key: "title", hashAttribute: "id", weights: [0, 1], variations: [{}, { domMutations: [{ selector: "h1", attribute: "html", action: "set", value: '<div elementtiming="new title">New title</div>' }] }] }],
  },
  pages: {
    "/masked": page(title),
    "/bare": page(""),
    "/never": page(quick.replace("[data-rapport-slot]", "[data-rapport-slot], h1"), ""),
    "/refused": page(title, `<script async src="{{SDK_URL}}" data-rapport='{"consent":{"initial":{"personalization":false}}}'></script>`),
    "/policy": { html: page(snippet), csp },
  },
});

/** What was painted, in order, once everything that is to come is there. */
async function painted(path, until, { url } = site) {
  const context = await browser.newContext();
  await context.addInitScript(() => {
    window.painted = [];
    new PerformanceObserver((list) => window.painted.push(...list.getEntries().map(({ identifier }) => identifier))).observe({ type: "element", buffered: true });
    window.violations = [];
    document.addEventListener("securitypolicyviolation", ({ violatedDirective }) => window.violations.push(violatedDirective));
  });
  const page = await visit(browser, `${url}${path}`, { context });
  await page.waitForFunction((until) => window.painted.includes(until), until);
  return page;
}
const seen = (page) => page.evaluate(() => window.painted);

test("no frame shows the old content of what is masked, while the rest of the page is there at once", { timeout }, async () => {
  // The page has long painted what is not masked when its decisions come.
  let go;
  site.state.gate = new Promise((resolve) => { go = resolve; });
  const page = await painted("/masked", "rest");
  assert.deepEqual(await seen(page), ["rest"]);
  go();
  await page.waitForFunction(() => window.painted.includes("new title"));
  assert.deepEqual(await seen(page), ["rest", "new title"]);
  assert.equal(await page.evaluate(() => document.querySelector("[data-rapport-slot]").textContent), "New content");
  assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector("[data-rapport-slot]")).visibility), "visible");
});

test("without a mask the old content would be seen: the test above can fail", { timeout }, async () => {
  let go;
  site.state.gate = new Promise((resolve) => { go = resolve; });
  const page = await painted("/bare", "old slot");
  go();
  await page.waitForFunction(() => window.painted.includes("new title"));
  assert.ok((await seen(page)).includes("old title"));
});

test("a mask goes after its time where the script never comes", { timeout }, async () => {
  const page = await painted("/never", "old slot");
  assert.deepEqual((await seen(page)).sort(), ["old slot", "old title", "rest"]);
});

test("a mask goes at once where personalization is refused", { timeout }, async () => {
  const page = await painted("/refused", "old slot");
  assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector("h1")).visibility), "visible");
});

test("a mask goes at once where nothing is published that could change it", { timeout }, async (t) => {
  const own = await startSite({ later: [], tracks: true, pages: { "/": page(title) } });
  t.after(() => own.close());
  const opened = await painted("/", "old slot", own);
  assert.equal(await opened.evaluate(() => getComputedStyle(document.querySelector("h1")).visibility), "visible");
});

test("the documented policy lets the documented mask work, by its hash", { timeout }, async () => {
  assert.equal(hash, `sha256-${createHash("sha256").update(snippet.replace(/<\/?style>/g, "")).digest("base64")}`);
  const page = await painted("/policy", "rest");
  assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector("[data-rapport-slot]")).animationName), "rapport-mask");
  await page.waitForFunction(() => document.querySelector("[data-rapport-slot]").textContent === "New content");
  assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector("[data-rapport-slot]")).visibility), "visible");
  assert.deepEqual(await page.evaluate(() => window.violations), []);
});
