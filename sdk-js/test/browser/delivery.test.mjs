// Every event has exactly one effect, whatever becomes of networks, servers and tabs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decision, visit } from "../site/chromium.mjs";
import { stage } from "../site/stage.mjs";
import { arrived, settled, until } from "../site/wait.mjs";

const timeout = 60_000;
const DAY = 86_400_000;
const html = `<!doctype html><title>page</title><script async src="{{SDK_URL}}"></script><p>page</p>`;
const { browser, site } = await stage({ later: [], pages: { "/": html, "/next": html } });

async function open(context, path = "/") {
  const page = await visit(browser, site.url + path, { context });
  await decision(page);
  return page;
}

const track = (page, ...names) => page.evaluate((names) => names.forEach((name) => window.rapport.track(name)), names);
/** What this browser has written down for a later page. */
const waiting = (page) =>
  page.evaluate(() => Object.keys(localStorage).filter((name) => name.includes(":out:")).flatMap((name) => JSON.parse(localStorage[name])).map(({ event, type }) => event ?? type));
const named = (name) => site.state.events.filter(({ event }) => event === name);

/** All that the server ever got of an event, doubles too. */
const copies = (name) => site.state.batches.flatMap(({ batch }) => batch).filter(({ event }) => event === name);

test("what happened offline arrives a day later, once, with its own time", { timeout }, async () => {
  const start = Date.UTC(2026, 10, 2, 9);
  const context = await browser.newContext();
  await context.clock.install({ time: start });
  const page = await open(context);
  await arrived(site, "page");
  await context.setOffline(true);
  await track(page, "Offline One", "Offline Two");
  await settled(page);
  assert.deepEqual(await waiting(page), ["Offline One", "Offline Two"]);
  await page.close();
  await context.setOffline(false);
  await context.clock.setSystemTime(start + DAY);
  await open(context, "/next");
  await arrived(site, "Offline Two");
  const [one] = named("Offline One");
  assert.ok(Math.abs(Date.parse(one.timestamp) - start) < 60_000, one.timestamp);
  const { sentAt } = site.state.batches.find(({ batch }) => batch.some(({ event }) => event === "Offline One"));
  assert.ok(Date.parse(sentAt) - Date.parse(one.timestamp) >= DAY - 60_000, sentAt);
  assert.equal(new Set(copies("Offline One").map(({ messageId }) => messageId)).size, 1);
});

test("what is older than a week is given up, and what is no event", { timeout }, async () => {
  const context = await browser.newContext();
  const page = await open(context);
  await settled(page);
  await page.evaluate((week) => {
    const event = (name, age) => ({ type: "track", event: name, messageId: `${name}-id`, anonymousId: window.rapport.anonymousId, timestamp: new Date(Date.now() - age).toISOString(), sequence: 1, context: { page: {}, locale: "en" } });
    localStorage.setItem("rapport:test-key:out:left", JSON.stringify([event("Old", week + 1_000), event("Young", week - 60_000), { nonsense: true }, null]));
    localStorage.setItem("rapport:test-key:out:broken", "{[");
  }, 7 * DAY);
  const next = await open(context, "/next");
  await arrived(site, "Young");
  await settled(next);
  assert.deepEqual(named("Old"), []);
});

test("of too many that wait the oldest is given up", { timeout }, async () => {
  const context = await browser.newContext();
  const page = await open(context);
  await settled(page);
  await context.setOffline(true);
  await page.evaluate(() => {
    for (let n = 0; n < 1_100; n += 1) window.rapport.track(`Many ${n}`);
  });
  await settled(page);
  const kept = await waiting(page);
  assert.deepEqual([kept.length, kept[0], kept.at(-1)], [1_000, "Many 100", "Many 1099"]);
});

test("a tab that closes while its batch is under way loses nothing and doubles nothing", { timeout }, async () => {
  const context = await browser.newContext();
  for (const fate of ["answered late", "never sent"]) {
    const name = `Closed ${fate}`;
    const page = await open(context);
    await settled(page);
    let reached;
    const reach = new Promise((resolve) => { reached = resolve; });
    await context.route("**/v1/events", async (route) => {
      reached();
      // Held in the network until the tab is gone.
      if (fate === "answered late") await route.fetch().catch(() => undefined);
      await route.abort().catch(() => undefined);
    });
    await track(page, name);
    await reach;
    await page.close();
    await context.unroute("**/v1/events");
    const next = await open(context, "/next");
    await arrived(site, name);
    await settled(next);
    assert.equal(named(name).length, 1);
    assert.equal(new Set(copies(name).map(({ messageId }) => messageId)).size, 1);
    await next.close();
  }
});

test("a server that is busy says how long to wait, and other pages wait as well", { timeout }, async () => {
  const context = await browser.newContext();
  await context.clock.install();
  const page = await open(context);
  await settled(page);
  site.state.refuse = [429, "text/plain", "later", { "retry-after": "120" }];
  await track(page, "Busy");
  await context.clock.runFor(1_000);
  const tries = () => site.state.requests.filter((line) => line === "POST /v1/events").length;
  await until(() => page.evaluate(() => localStorage.getItem("rapport:test-key:wait") !== null));
  const before = tries();
  await context.clock.runFor(100_000);
  assert.equal(tries(), before);
  const other = await open(context, "/next");
  await context.clock.runFor(5_000);
  assert.equal(tries(), before);
  site.state.refuse = undefined;
  await context.clock.runFor(30_000);
  await arrived(site, "Busy");
  await other.close();
  assert.equal(named("Busy").length, 1);
});

test("failures back off with jitter, and a refusal is not tried again", { timeout }, async () => {
  const context = await browser.newContext();
  await context.clock.install();
  const page = await open(context);
  await settled(page);
  site.state.failing = true;
  const tries = () => site.state.requests.filter((line) => line === "POST /v1/events").length;
  const before = tries();
  await track(page, "Failing");
  // 1, 2, 4, … seconds, halved at most: within a minute it is five to eight tries, not sixty.
  for (let second = 0; second < 60; second += 1) {
    await context.clock.runFor(1_000);
    await page.evaluate(() => fetch("/next"));
  }
  assert.ok(tries() - before >= 4 && tries() - before <= 9, `${tries() - before} tries`);
  site.state.failing = false;
  await page.evaluate(() => window.rapport.flush());
  await arrived(site, "Failing");
  site.state.refuse = [400, "text/plain", "no"];
  await track(page, "Refused");
  await page.evaluate(() => window.rapport.flush());
  site.state.refuse = undefined;
  await track(page, "Next");
  await page.evaluate(() => window.rapport.flush());
  await arrived(site, "Next");
  assert.deepEqual(named("Refused"), []);
});

test("a large queue goes in batches that may outlive the page", { timeout }, async () => {
  const context = await browser.newContext();
  const page = await open(context);
  await settled(page);
  site.state.batches.length = 0;
  await page.evaluate(() => {
    for (let n = 0; n < 120; n += 1) window.rapport.track("Large", { n, text: "ü".repeat(1_500) });
    location.href = "/next";
  });
  await arrived(site, "Large", 120);
  assert.ok(site.state.batches.every(({ bytes }) => bytes < 65_536), `${site.state.batches.map(({ bytes }) => bytes)}`);
  assert.deepEqual(named("Large").map(({ properties }) => properties.n).sort((a, b) => a - b), Array.from({ length: 120 }, (_, n) => n));
});

test("several tabs that fail together send each event with one effect", { timeout }, async () => {
  const context = await browser.newContext();
  const tabs = [await open(context), await open(context, "/next"), await open(context)];
  for (const tab of tabs) await settled(tab);
  site.state.failing = true;
  for (const [index, tab] of tabs.entries()) {
    await track(tab, `Tab ${index}`);
    await settled(tab);
  }
  await tabs[2].close();
  tabs[2] = await open(context);
  site.state.failing = false;
  for (const tab of tabs) await settled(tab);
  for (const index of [0, 1, 2]) {
    await arrived(site, `Tab ${index}`);
    assert.equal(named(`Tab ${index}`).length, 1);
    assert.equal(new Set(copies(`Tab ${index}`).map(({ messageId }) => messageId)).size, 1);
  }
  await until(async () => (await waiting(tabs[0])).length === 0);
});
