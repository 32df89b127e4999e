// Who a visitor is, from subdomain to subdomain and site to site, by whatever path, and who else takes part.
import assert from "node:assert/strict";
import { test } from "node:test";
import { identityToken } from "../../dist/server.js";
import { decision, visit } from "../site/chromium.mjs";
import { LATER } from "../site/site.mjs";
import { stage } from "../site/stage.mjs";
import { arrived, settled, until } from "../site/wait.mjs";

const timeout = 60_000;
const page = (settings, before = "") =>
  `<!doctype html><title>page</title>${before}<script async src="{{SDK_URL}}" data-rapport='${JSON.stringify(settings)}'></script><button>press</button>
  <a id="other">to the other site</a><a id="foreign">to somebody else</a>`;
const PLUGINS = `<script>
  window.seen = [];
  (window.rapport ||= []).push(
    ["track", "Early"],
    ["use", { name: "no clicks", before: ({ event }) => event !== "Clicked" }],
    ["use", { name: "broken", before() { throw new Error("the plugin's own"); }, enrich() { throw new Error("the plugin's own"); }, destination() { throw new Error("the plugin's own"); } }],
    ["use", { name: "plan", enrich: (event) => ({ ...event, messageId: "forged", properties: { ...event.properties, plan: "team" } }), destination: (event) => seen.push(event.event ?? event.type) }]);
</script>`;
const OWN = { paths: { "/v1/events": "/c", "/v1/decide": "/d", "/v1/parts": "/p", "/v1/sdk": "/s" } };
const npm = (options) => `<!doctype html><title>npm</title><script type="module">
  import { createRapport } from "/dist/index.js";
  window.rapport = createRapport({ key: "test-key", endpoint: "{{ENDPOINT}}", ...${options} });</script><button>press</button>`;
const { browser, site } = await stage({
  later: LATER,
  pages: {
    "/plain": page({}),
    "/shared": page({ cookieDomain: "acme.test" }),
    "/linked": page({ linkDomains: ["other.test"] }),
    "/arrived": page({ linkDomains: ["acme.test"] }),
    "/plugins": page({}, PLUGINS),
    "/last-word": npm(`{ beforeSend: (event) => (event.event === "Secret" ? null : { ...event, context: { ...event.context, page: { ...event.context.page, title: "hidden" } } }) }`),
    "/debug": page({ debug: true, consent: { mode: "strict" } }, `<script>(window.rapport ||= []).push(["use", { name: "no clicks", before: ({ event }) => event !== "Clicked" }])</script>`),
    "/proxied": `<!doctype html><title>own</title><script async src="/own/s/test-key.js" data-rapport='${JSON.stringify({ ...OWN, endpoint: "/own" })}'></script>`,
  },
});

const host = (name, path) => `http://${name}:${site.port}${path}`;
const id = (page) => page.evaluate(() => window.rapport.anonymousId);

async function open(url, context) {
  const page = await visit(browser, url, context ? { context } : {});
  await decision(page);
  return page;
}

test("a token of the site's server travels beside the claim that it proves", { timeout }, async () => {
  const page = await open(`${site.url}/plain`);
  const token = identityToken("a secret of the workspace", "u1", { expiresIn: 60 });
  await page.evaluate((token) => window.rapport.identify("u1", { plan: "team" }, { token }), token);
  const [event] = await arrived(site, "identify");
  assert.deepEqual([event.userId, event.token, event.traits], ["u1", token, { plan: "team" }]);
  await page.evaluate(() => window.rapport.group("g1"));
  const [group] = await arrived(site, "group");
  assert.deepEqual([group.groupId, group.context.groupId, group.token], ["g1", "g1", undefined]);
});

test("subdomains share a visitor, a visit and an order of events by a cookie; other sites do not", { timeout }, async () => {
  const context = await browser.newContext();
  const one = await open(host("www.acme.test", "/shared"), context);
  await arrived(site, "page", 1);
  const two = await open(host("blog.acme.test", "/shared"), context);
  await arrived(site, "page", 2);
  assert.equal(await id(one), await id(two));
  const sequences = site.state.events.map(({ sequence }) => sequence);
  assert.equal(new Set(sequences).size, sequences.length);
  assert.equal(new Set(site.state.events.map(({ context }) => context.sessionId)).size, 1);
  const [cookie] = (await context.cookies()).filter(({ name }) => name.endsWith("_id"));
  assert.deepEqual([cookie.domain, cookie.sameSite], [".acme.test", "Lax"]);
  const three = await open(host("www.other.test", "/shared"), context);
  assert.notEqual(await id(three), await id(one));
  // Its domain takes no cookie of acme.test: it keeps its visitor for the page alone, and goes on.
  await one.evaluate(() => window.rapport.consent({ analytics: false, profiling: false }));
  const left = (await context.cookies()).map(({ name }) => name.replace(/^.*_/, ""));
  assert.deepEqual(left, ["consent"]);
});

test("a link to the owner's other site brings the visitor along, for two minutes, in this browser, from the owner's pages", { timeout }, async () => {
  const context = await browser.newContext();
  const page = await open(host("www.acme.test", "/linked"), context);
  /** Where a click on a link leads, which is not followed. */
  const led = (selector, to) =>
    page.evaluate(([selector, to]) => {
      const link = document.querySelector(selector);
      link.href = to;
      let href;
      addEventListener("click", (event) => { event.preventDefault(); href = link.href; }, { once: true });
      link.click();
      return href;
    }, [selector, to]);
  const other = host("shop.other.test", "/arrived?x=1");
  const marked = await until(async () => {
    const href = await led("#other", other);
    return href.includes("_rapport=") && href;
  });
  assert.equal(await led("#foreign", "http://elsewhere.test/"), "http://elsewhere.test/");
  // What the visitor copies later from the page is the bare link.
  await page.waitForFunction((bare) => document.querySelector("#other").href === bare, other);

  /** Who somebody is who comes to a marked address; from `from`, or by typing it where there is none. */
  const arriving = async (address, context, from = host("www.acme.test", "/linked")) => {
    const there = await context.newPage();
    await there.addInitScript(() => { window.decisions = []; addEventListener("rapport:decision", ({ detail }) => window.decisions.push(detail)); });
    await there.goto(address, from ? { referer: from } : {});
    await there.waitForFunction(() => window.rapport?.flush && !location.search.includes("_rapport"));
    assert.equal(await there.evaluate(() => location.search), "?x=1");
    return id(there);
  };
  const visitor = await id(page);
  assert.equal(await arriving(marked, context), visitor);
  const pages = await arrived(site, "page", 2);
  assert.ok(pages.every(({ context }) => !context.page.url.includes("_rapport")));
  // Somebody else gets the link by mail, opens it from a page of somebody else's, or has another browser.
  assert.notEqual(await arriving(marked, await browser.newContext(), ""), visitor);
  assert.notEqual(await arriving(marked, await browser.newContext(), "http://elsewhere.test/"), visitor);
  assert.notEqual(await arriving(marked, await browser.newContext({ userAgent: "Mozilla/5.0 (Macintosh) Firefox/140.0" })), visitor);
  // A link found later is worth nothing, nor is one that somebody wrote, nor one to who is known there already.
  const late = await browser.newContext();
  await late.clock.install({ time: Date.now() + 180_000 });
  assert.notEqual(await arriving(marked, late), visitor);
  const forged = marked.replace(/_rapport=[^.]+/, "_rapport=00000000-0000-4000-8000-000000000000");
  assert.ok(!(await arriving(forged, await browser.newContext())).startsWith("00000000"));
  const known = await browser.newContext();
  const before = await arriving(host("shop.other.test", "/arrived?x=1"), known);
  assert.equal(await arriving(marked, known), before);
});

test("a link is really followed to the owner's other site", { timeout }, async () => {
  const context = await browser.newContext();
  const page = await open(host("www.acme.test", "/linked"), context);
  const visitor = await id(page);
  await page.evaluate((href) => { document.querySelector("#other").href = href; }, host("shop.other.test", "/arrived?x=1"));
  await until(() => site.state.requests.includes("GET /v1/parts/links"));
  await page.waitForFunction(() => {
    let marked = false;
    addEventListener("click", (event) => { event.preventDefault(); marked = event.target.href.includes("_rapport"); }, { once: true });
    document.querySelector("#other").click();
    return marked;
  });
  await page.click("#other");
  await page.waitForURL("**/arrived?x=1");
  await page.waitForFunction(() => window.rapport?.flush && !location.search.includes("_rapport"));
  assert.equal(await id(page), visitor);
});

test("behind the site's own path everything works, and no request bears a known name", { timeout }, async () => {
  const context = await browser.newContext();
  const asked = [];
  context.on("request", (request) => asked.push(request.url()));
  const page = await open(`${site.url}/proxied`, context);
  assert.equal((await decision(page)).source, "page");
  await arrived(site, "page");
  await settled(page);
  assert.ok(asked.every((url) => url.startsWith(site.url)), asked.join("\n"));
  const paths = asked.map((url) => new URL(url).pathname).filter((path) => path !== "/proxied" && path !== "/favicon.ico");
  assert.ok(paths.length >= 4 && paths.every((path) => /^\/own\/[cdps](\/|$)/.test(path)), paths.join("\n"));
});

test("plugins veto, enrich and receive; one that fails costs nothing but itself", { timeout }, async () => {
  const page = await open(`${site.url}/plugins`);
  await page.click("button");
  await page.evaluate(() => window.rapport.track("Bought", { n: 1 }));
  const [bought] = await arrived(site, "Bought");
  await settled(page);
  const names = site.state.events.map(({ event, type }) => event ?? type);
  assert.ok(!names.includes("Clicked") && names.includes("Early"), `${names}`);
  assert.deepEqual(bought.properties, { n: 1, plan: "team" });
  assert.notEqual(bought.messageId, "forged");
  assert.equal(site.state.events.find(({ type }) => type === "page").properties.plan, "team", "a plugin that was queued sees the first event");
  assert.deepEqual((await page.evaluate(() => window.seen)).sort(), names.sort());
  assert.ok(page.errors.every(({ message }) => message === "the plugin's own"));
});

test("the site has the last word on each event", { timeout }, async () => {
  const page = await open(`${site.url}/last-word`);
  await page.evaluate(() => { window.rapport.track("Secret"); window.rapport.track("Open"); });
  const [event] = await arrived(site, "Open");
  await settled(page);
  assert.equal(event.context.page.title, "hidden");
  assert.ok(!JSON.stringify(site.state.events).includes("Secret"));
});

test("debugging explains of each event why it was sent, or why not", { timeout }, async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const said = [];
  page.on("console", (message) => said.push(message.text()));
  const says = (words) => until(() => said.some((text) => text.startsWith("rapport:") && text.includes(words)), `${words} in\n${said.join("\n")}`);
  await page.goto(`${site.url}/debug`);
  await says("page waits: consent is pending, and the site is strict");
  await page.evaluate(() => window.rapport.consent({ analytics: true }));
  await says('consent is now {"analytics":true}');
  await says("page will be sent: consent allows it");
  await says("was given to the network in a batch of");
  await says("is with the server");
  await page.click("button");
  await says('"Clicked" was dropped: the plugin "no clicks" refused it');
  site.state.failing = true;
  await page.evaluate(() => { window.rapport.track("Tried"); return window.rapport.flush(); });
  await says('"Tried" is tried again in');
  site.state.failing = false;
  await page.evaluate(() => window.rapport.consent({ analytics: false, profiling: false }));
  await page.evaluate(() => window.rapport.track("After"));
  await says('"After" was dropped: the visitor refuses analytics and profiling');
});
