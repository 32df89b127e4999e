// The tracker in another engine: what Chromium's tests show in depth holds in Firefox, too.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { firefox, launchFirefox } from "../site/firefox.mjs";
import { LATER, startSite } from "../site/site.mjs";
import { arrived, until } from "../site/wait.mjs";

const options = { timeout: 120_000, skip: firefox ? false : "no Firefox: install the package `firefox-esr` or set FIREFOX to its path" };
const tag = (settings) => `<!doctype html><title>page</title><script async src="{{SDK_URL}}" data-rapport='${JSON.stringify(settings)}'></script>`;
const BODY = `<a id="file" href="/files/list.pdf">List</a><form id="form"><input name="mail" autocomplete="email"><input name="note" value="a secret"><button>Send</button></form>
  <script>addEventListener("submit", (event) => event.preventDefault()); document.querySelector("#file").addEventListener("click", (event) => event.preventDefault());</script>`;
let browser;
let site;

before(
  async () => {
    if (!firefox) return;
    browser = await launchFirefox();
    site = await startSite({ later: LATER, pages: { "/": tag({}) + BODY, "/next": tag({}), "/strict": tag({ consent: { mode: "strict" } }), "/cookieless": tag({ cookieless: "always" }) } });
  },
  { timeout: 120_000 },
);
after(async () => {
  await browser?.close();
  await site?.close();
});

/** A page of a new visitor. */
async function open(path) {
  site.state.events.length = site.state.batches.length = 0;
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.goto(site.url + path);
  await until(() => page.evaluate(() => typeof window.rapport?.flush === "function"));
  return { page, context };
}

const names = () => site.state.events.map(({ event, type }) => event ?? type);

test("pages, routes, clicks, forms and a score work in Firefox", options, async () => {
  const { page, context } = await open("/?utm_source=june&utm_medium=email");
  await until(() => page.evaluate(() => window.rapport.decision?.source === "page"));
  assert.equal((await arrived(site, "Visit Started"))[0].properties.channel, "Email");
  await arrived(site, "Form Viewed");
  await page.evaluate(() => {
    history.pushState({}, "", "/inside");
    document.querySelector("#file").click();
    document.querySelector("[name=mail]").value = "ada@example.com";
    document.querySelector("#form button").click();
  });
  assert.deepEqual((await arrived(site, "identify"))[0].traits, { email: "ada@example.com" });
  assert.equal((await arrived(site, "Clicked"))[0].properties.file, "list.pdf");
  assert.equal((await arrived(site, "page", 2))[1].properties.path, "/inside");
  assert.ok(!JSON.stringify(site.state.events).includes("a secret"));
  await context.close();
});

test("what happens just before a page goes arrives once from Firefox", options, async () => {
  const { page, context } = await open("/next");
  for (const n of [1, 2, 3]) {
    await page.evaluate((n) => {
      window.rapport.track("Left", { n });
      location.href = `/next?${n}`;
    }, n);
    await until(() => page.evaluate((n) => location.search === `?${n}` && typeof window.rapport?.flush === "function", n).catch(() => false));
  }
  const left = await arrived(site, "Left", 3);
  assert.deepEqual(left.map(({ properties }) => properties.n).sort(), [1, 2, 3]);
  assert.equal(new Set(left.map(({ anonymousId }) => anonymousId)).size, 1);
  await context.close();
});

test("Firefox keeps nothing and sends nothing before a grant, and forgets on withdrawal", options, async () => {
  const { page, context } = await open("/strict");
  await page.evaluate(() => window.rapport.flush());
  assert.deepEqual([names(), await page.evaluate(() => [localStorage.length, document.cookie])], [[], [0, ""]]);
  await page.evaluate(() => window.rapport.consent({ analytics: true, profiling: true }));
  await arrived(site, "page");
  await page.evaluate(() => window.rapport.consent({ analytics: false, profiling: false }));
  await arrived(site, "Consent Updated", 2);
  await until(() => page.evaluate(() => localStorage.length === 1));
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage)), ["rapport:test-key:consent"]);
  await context.close();
});

test("cookieless writes nothing in Firefox", options, async () => {
  const { page, context } = await open("/cookieless");
  await arrived(site, "page");
  assert.ok(site.state.batches.every(({ cookieless }) => cookieless));
  assert.deepEqual(await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]), [0, 0, ""]);
  await context.close();
});
