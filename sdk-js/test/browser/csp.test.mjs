// Every policy in docs/csp.md, as it is printed there.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { decision, inspector, shown, visit } from "../site/chromium.mjs";
import { LATER } from "../site/site.mjs";
import { stage } from "../site/stage.mjs";
import { arrived, until } from "../site/wait.mjs";

const timeout = 60_000;
/** The HTTP path's budget, from the event to the decision. */
const BUDGET_MS = 200;
const text = await readFile(new URL("../../../docs/csp.md", import.meta.url), "utf8");
const MODES = [...text.matchAll(/^## (.+)\n[^]*?```http\nContent-Security-Policy: (.+)\n```\n```html\n(.+)\n```/gm)].map(([, name, csp, tag], index) => ({ name, csp, tag, path: `/mode-${index}` }));
const here = (text) => text.replaceAll("https://rapport.example.com", "{{ENDPOINT}}").replaceAll("KEY", "test-key");
const slot = '<div data-rapport-slot="hero">Default</div>';
const html = '<b style="color: rgb(1, 2, 3)">Decided</b>';
const flags = { features: { hero: { defaultValue: null, rules: [{ force: { type: "html", html } }] } } };
/** What the server says of it where the page may not run the engine. */
const served = { features: { hero: { value: { type: "html", html }, on: true, off: false, source: "force", ruleId: "", exposures: [] } }, experiments: {} };
const form = `<form id="form"><input name="mail" autocomplete="email"><button>Send</button></form>`;
const pages = MODES.map(({ csp, tag, path }) => [path, { html: `<!doctype html><title>policy</title>${here(tag)}${form}${slot}`, csp: here(csp) }]);
const app = `import { createRapport } from "/dist/index.js"; window.rapport = createRapport({ key: "test-key", endpoint: "{{ENDPOINT}}" });`;
const { browser, site } = await stage({ later: LATER, flags, served, settings: { patience: 30_000 }, pages: { ...Object.fromEntries(pages), "/app.js": { html: app, type: "text/javascript" } } });

test("the page documents the modes that it promises", () => {
  assert.ok(MODES.length >= 7);
  assert.ok(MODES.every(({ csp }) => !/unsafe-inline|'unsafe-eval'/.test(csp)));
  assert.ok(MODES.some(({ csp }) => csp.includes("strict-dynamic")) && MODES.some(({ csp }) => !csp.includes("wasm-unsafe-eval")));
});

for (const { name, csp, path } of MODES) {
  test(`${name}: tracks, decides and shows under exactly this header`, { timeout }, async () => {
    site.state.events.length = 0;
    const context = await browser.newContext();
    await context.addInitScript(() => {
      window.violations = [];
      document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => window.violations.push(`${violatedDirective} ${blockedURI}`));
    });
    const page = await visit(browser, `${site.url}${path}?rapport-inspect`, { context });
    const engine = csp.includes("wasm-unsafe-eval");
    const first = await decision(page);
    assert.equal(first.source, engine ? "page" : "server");
    await inspector(page);
    assert.equal((await shown(page)).base, first.base);
    await arrived(site, "Form Viewed");
    await page.fill("[name=mail]", "ada@example.com");
    await page.evaluate(() => document.querySelector("form").dispatchEvent(new Event("submit", { bubbles: true, cancelable: true })));
    assert.equal((await arrived(site, "identify"))[0].traits.email, "ada@example.com");
    if (!engine) {
      // A busy machine may be late once; the path itself is not.
      const within = await until(async () => {
        await page.evaluate(() => window.rapport.track("Tick"));
        const { took } = await decision(page);
        return took < BUDGET_MS && took;
      }, `a decision within ${BUDGET_MS} ms`);
      assert.ok(within > 0);
    }
    const decided = () => page.evaluate(() => { const slot = document.querySelector("[data-rapport-slot]"); return `${slot.textContent} ${slot.firstElementChild && getComputedStyle(slot.firstElementChild).color}`; });
    await until(async () => (await decided()) === "Decided rgb(1, 2, 3)", "the slot's content");
    const violations = (await page.evaluate(() => window.violations)).filter((violation) => engine || !violation.endsWith("wasm-eval"));
    assert.deepEqual(violations, []);
    assert.deepEqual(page.errors, []);
  });
}
