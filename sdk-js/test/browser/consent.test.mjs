// What visitors allow decides what is stored, sent and scored, at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decision, visit } from "../site/chromium.mjs";
import { LATER } from "../site/site.mjs";
import { stage } from "../site/stage.mjs";
import { arrived, settled, until } from "../site/wait.mjs";

const timeout = 60_000;
const page = (settings, more = "") => `<!doctype html><title>page</title>${more}<script async src="{{SDK_URL}}" data-rapport='${JSON.stringify(settings)}'></script><button>press</button>`;
const GOOGLE = `<script>window.dataLayer = []; function gtag() { dataLayer.push(arguments); }
  gtag("consent", "default", { analytics_storage: "denied", ad_storage: "denied", ad_user_data: "denied", ad_personalization: "denied" });</script>`;
const TCF = `<script>window.__tcfapi = (command, version, listener) => {
  window.tell = (eventStatus, purposes) => listener({ gdprApplies: true, eventStatus, purpose: { consents: purposes } }, true);
  tell("cmpuishown", {});
};</script>`;
const strict = { consent: { mode: "strict" } };
const { browser, site } = await stage({
  later: LATER,
  pages: {
    "/open": page({}),
    "/strict": page(strict),
    "/signals": page({ consent: { gpc: false, dnt: false } }),
    "/cookieless": page({ cookieless: "always" }),
    "/on-reject": page({ cookieless: "on-reject", consent: { mode: "strict" } }),
    "/google": page({ consent: { mode: "strict", platforms: ["google"] } }, GOOGLE),
    "/tcf": page({ consent: { mode: "strict", platforms: ["tcf"] } }, TCF),
  },
});

async function open(path, { context, init } = {}) {
  const where = context ?? (await browser.newContext());
  if (init) await where.addInitScript(init);
  // Every write to what a browser keeps.
  await where.addInitScript(() => {
    window.writes = [];
    const set = Storage.prototype.setItem;
    Storage.prototype.setItem = function (name, value) { window.writes.push(name); return set.call(this, name, value); };
    const cookie = Object.getOwnPropertyDescriptor(Document.prototype, "cookie");
    Object.defineProperty(document, "cookie", { get() { return cookie.get.call(this); }, set(text) { window.writes.push(text); cookie.set.call(this, text); } });
  });
  const page = await visit(browser, `${site.url}${path}`, { context: where });
  await page.waitForFunction(() => window.rapport?.flush);
  return page;
}

const kept = (page) => page.evaluate(() => ({ entries: Object.keys(localStorage), session: Object.keys(sessionStorage), cookies: document.cookie, writes: window.writes }));
const nothing = { entries: [], session: [], cookies: "", writes: [] };
const consent = (page, choice) => page.evaluate((choice) => window.rapport.consent(choice), choice);
const names = () => site.state.events.map(({ event, type }) => event ?? type);

test("before a grant a strict site stores and sends nothing; a grant sends what waited, as it happened", { timeout }, async () => {
  const page = await open("/strict");
  const before = Date.now();
  await page.click("button");
  await page.evaluate(() => window.rapport.track("Tried", { n: 1 }));
  await settled(page);
  assert.deepEqual(await kept(page), nothing);
  assert.deepEqual(site.state.events, []);
  assert.ok(!site.state.requests.some((line) => line.startsWith("POST")));
  assert.equal(await page.evaluate(() => window.rapport.consentTo("analytics")), "pending");
  await consent(page, { analytics: true, profiling: true });
  const [tried] = await arrived(site, "Tried");
  assert.deepEqual(names().filter((name) => name !== "Visit Started"), ["page", "Clicked", "Tried", "Consent Updated"]);
  assert.deepEqual(tried.context.consent, { analytics: true, profiling: true });
  assert.ok(Date.parse(tried.timestamp) <= Date.now() && Date.parse(tried.timestamp) >= before - 1_000);
  await decision(page);
  await page.reload();
  await arrived(site, "page", 2);
  assert.equal(new Set(site.state.events.map(({ anonymousId }) => anonymousId)).size, 1);
});

test("a refusal in strict mode keeps nothing but the refusal", { timeout }, async () => {
  const page = await open("/strict");
  await consent(page, { analytics: false, profiling: false });
  await page.evaluate(() => window.rapport.track("Tried"));
  await settled(page);
  assert.deepEqual((await kept(page)).entries, ["rapport:test-key:consent"]);
  assert.deepEqual(site.state.events, []);
  await page.reload();
  await page.waitForFunction(() => window.rapport?.flush);
  await settled(page);
  assert.deepEqual(site.state.events, []);
});

test("who withdraws is forgotten at once: no id, no profile, no score, and the server hears of it", { timeout }, async () => {
  const page = await open("/open");
  await decision(page);
  await consent(page, { analytics: true, profiling: true });
  await arrived(site, "Consent Updated");
  const id = await page.evaluate(() => window.rapport.anonymousId);
  await consent(page, { analytics: false, profiling: false, personalization: false });
  assert.equal(await page.evaluate(() => window.rapport.decision), undefined);
  const entries = await page.evaluate(() => Object.keys(localStorage).filter((name) => !name.includes(":out:")));
  assert.deepEqual(entries, ["rapport:test-key:consent"]);
  const [, last] = await arrived(site, "Consent Updated", 2);
  assert.equal(last.anonymousId, id);
  assert.deepEqual(last.context.consent, { analytics: false, profiling: false, personalization: false });
  const count = await page.evaluate(() => { window.rapport.track("After"); return window.decisions.length; });
  await settled(page);
  assert.ok(!names().includes("After"));
  assert.equal(await page.evaluate(() => window.decisions.length), count);
  assert.notEqual(await page.evaluate(() => window.rapport.anonymousId), id);
});

test("a withdrawal that finds no network is kept until the server has it, and nothing else is", { timeout }, async () => {
  const context = await browser.newContext();
  const page = await open("/open", { context });
  await arrived(site, "page");
  await settled(page);
  const id = await page.evaluate(() => window.rapport.anonymousId);
  await context.setOffline(true);
  await page.evaluate(() => { window.rapport.track("Unsent"); window.rapport.consent({ analytics: false, profiling: false }); return window.rapport.flush(); });
  await page.close();
  await context.setOffline(false);
  const next = await open("/open", { context });
  const [told] = await arrived(site, "Consent Updated");
  assert.equal(told.anonymousId, id);
  await until(async () => (await kept(next)).entries.length === 1);
  assert.deepEqual((await kept(next)).entries, ["rapport:test-key:consent"]);
  assert.ok(!names().includes("Unsent"));
});

test("without profiling there are events and no score, until it is allowed again", { timeout }, async () => {
  const page = await open("/open");
  await decision(page);
  await consent(page, { profiling: false });
  const count = await page.evaluate(() => { window.rapport.track("Counted"); return window.decisions.length; });
  const [counted] = await arrived(site, "Counted");
  assert.deepEqual(counted.context.consent, { profiling: false });
  assert.equal(await page.evaluate(() => window.decisions.length), count);
  assert.equal(await page.evaluate(() => window.rapport.decision), undefined);
  assert.ok(!(await kept(page)).entries.includes("rapport:test-key:profile"));
  await consent(page, { profiling: true });
  await decision(page, count + 1);
});

test("Global Privacy Control refuses profiling, Do Not Track everything, unless the visitor says otherwise", { timeout }, async () => {
  const gpc = () => Object.defineProperty(Navigator.prototype, "globalPrivacyControl", { get: () => true });
  const dnt = () => Object.defineProperty(Navigator.prototype, "doNotTrack", { get: () => "1" });
  const one = await open("/open", { init: gpc });
  const [seen] = await arrived(site, "page");
  assert.deepEqual(seen.context.consent, { profiling: false, personalization: false });
  assert.equal(await one.evaluate(() => window.rapport.decision), undefined);
  await consent(one, { profiling: true });
  await decision(one);
  await arrived(site, "Consent Updated");
  await settled(one);
  await one.close();
  site.state.events.length = 0;
  const two = await open("/open", { init: dnt });
  await settled(two);
  assert.deepEqual([names(), await kept(two)], [[], nothing]);
  await open("/signals", { init: dnt });
  await arrived(site, "page");
});

test("cookieless is without an id and without a single write", { timeout }, async () => {
  const page = await open("/cookieless");
  await page.click("button");
  await page.evaluate(() => { window.rapport.alias("u1"); window.rapport.consent({ analytics: true }); });
  await arrived(site, "Clicked");
  await settled(page);
  await page.goto(`${site.url}/cookieless?again`);
  await arrived(site, "page", 2);
  assert.deepEqual(await kept(page), nothing);
  assert.ok(site.state.batches.length > 0 && site.state.batches.every(({ cookieless }) => cookieless === true));
  for (const event of site.state.events) {
    assert.equal(event.anonymousId, undefined);
    assert.equal(event.context.sessionId, undefined);
    assert.equal(event.previousId, undefined);
  }
});

test("who refuses can be counted without an id where the site asks for that", { timeout }, async () => {
  const page = await open("/on-reject");
  await settled(page);
  assert.deepEqual(site.state.events, []);
  await consent(page, { analytics: false, profiling: false });
  await page.evaluate(() => window.rapport.track("Counted"));
  await arrived(site, "Counted");
  await settled(page);
  assert.ok(site.state.events.every(({ anonymousId }) => anonymousId === undefined));
  assert.deepEqual((await kept(page)).entries, ["rapport:test-key:consent"]);
});

test("Google Consent Mode decides: a default that denies waits, an update grants or withdraws, and nothing of it is kept here", { timeout }, async () => {
  const page = await open("/google");
  await until(() => site.state.requests.includes("GET /v1/parts/platforms"));
  await settled(page);
  assert.deepEqual([names(), await kept(page)], [[], nothing]);
  await page.evaluate(() => window.gtag("consent", "update", { analytics_storage: "granted", ad_storage: "granted", ad_user_data: "granted" }));
  await page.evaluate(() => window.rapport.track("Allowed"));
  const [allowed] = await arrived(site, "Allowed");
  assert.deepEqual(allowed.context.consent, { analytics: true, profiling: true });
  assert.ok(names().includes("page"));
  await page.evaluate(() => window.gtag("consent", "update", { analytics_storage: "denied", ad_storage: "denied" }));
  await arrived(site, "Consent Updated", 2);
  await until(async () => (await kept(page)).entries.length === 0);
});

test("the TCF's purposes decide, once its dialog is answered", { timeout }, async () => {
  const page = await open("/tcf");
  await page.waitForFunction(() => window.tell);
  await settled(page);
  assert.deepEqual([names(), await kept(page)], [[], nothing]);
  await page.evaluate(() => window.tell("useractioncomplete", { 1: true, 8: true, 5: true, 6: false }));
  const [seen] = await arrived(site, "page");
  assert.deepEqual(seen.context.consent, { analytics: true, profiling: true, personalization: false });
  await decision(page);
  await page.evaluate(() => window.tell("useractioncomplete", { 1: false, 8: true, 5: true }));
  const [, last] = await arrived(site, "Consent Updated", 2);
  assert.deepEqual(last.context.consent, { analytics: false, profiling: false, personalization: false });
  assert.equal(await page.evaluate(() => window.rapport.decision), undefined);
});
