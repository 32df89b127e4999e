// What the tracker sees without code: pages, clicks, forms, reading, campaigns, visits.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decision, visit } from "../site/chromium.mjs";
import { LATER } from "../site/site.mjs";
import { stage } from "../site/stage.mjs";
import { arrived, settled, until } from "../site/wait.mjs";

const timeout = 60_000;
const TAG = `<script async src="{{SDK_URL}}"></script>`;
const tall = `<div style="height:3000px">far</div>`;
const CLICKS = `<!doctype html><title>clicks</title>${TAG}
  <a id="link" href="#a">A link</a><a id="out" href="https://elsewhere.test/page">Out</a><a id="file" href="/files/list.pdf?x=1">List</a>
  <a id="download" href="/export" download>Export</a><button id="button"> A  button <b>bold</b></button><div role="button" id="role">Role</div>
  <input type="submit" id="submit" value="Send secret"><button id="icon" aria-label="Search"></button><button id="image"><img alt="Logo"></button>
  <summary id="summary">More</summary><map><area id="area" href="#area"></map><p id="named" data-rapport-event="Plan Chosen">Team</p>
  <div role="button" id="typed">Note <textarea>a secret</textarea></div><button id="masked" data-rapport-mask>a secret name</button>
  <div contenteditable><button id="edited">a secret draft</button></div><p id="text">no button</p>
  <div data-rapport-ignore><button id="ignored">secret</button><p data-rapport-allow><button id="allowed">Allowed</button></p></div><div id="shadow"></div>
  <script>document.querySelector("#shadow").attachShadow({mode:"open"}).innerHTML = "<button id=inner>Inside</button>";
  addEventListener("click", (event) => event.preventDefault());</script>`;
const { browser, site } = await stage({
  later: LATER,
  pages: {
    "/clicks": CLICKS,
    "/marked": CLICKS.replace("<script async", `<script data-rapport='{"autocapture":{"clicks":"marked"}}' async`),
    "/tall": `<!doctype html><title>tall</title>${TAG}${tall}`,
    "/vitals": `<!doctype html><title>vitals</title><script async src="{{SDK_URL}}" data-rapport='{"autocapture":{"vitals":true}}'></script><h1>Large</h1><button>press</button>`,
    "/plain": `<!doctype html><title>plain</title>${TAG}<p>plain</p>`,
  },
});

/** A page of a new visitor, and what the collector then holds of it. */
async function open(path, options) {
  site.state.events.length = site.state.batches.length = 0;
  const page = await visit(browser, `${site.url}${path}`, options);
  await decision(page);
  return page;
}

const names = (events) => events.map(({ event, type }) => event ?? type);

test("each route is one page, by whatever way it comes; the same address again is none", { timeout }, async () => {
  const page = await open("/plain");
  const route = async (act, count) => {
    await page.evaluate(act);
    return (await arrived(site, "page", count)).at(-1).properties.url.replace(site.url, "");
  };
  assert.equal(await route(() => history.replaceState({}, "", location.href) ?? history.pushState({}, "", "/one"), 2), "/one");
  assert.equal(await route(() => history.replaceState({}, "", "/two?x=1"), 3), "/two?x=1");
  assert.equal(await route(() => history.back(), 4), "/plain");
  assert.equal(await route(() => { location.hash = "#place"; history.pushState({}, "", location.href); location.hash = "#/three"; }, 5), "/plain#/three");
  assert.equal(await route(() => history.pushState({}, "", "/four"), 6), "/four");
  await settled(page);
  assert.equal(names(site.state.events).filter((name) => name === "page").length, 6);
});

test("every click on what is made to be clicked is reported, and nothing that was typed", { timeout }, async () => {
  const page = await open("/clicks");
  await page.evaluate(() => {
    for (const element of document.querySelectorAll("[id]")) element.click();
    document.querySelector("#shadow").shadowRoot.querySelector("button").click();
    document.querySelector("#out").dispatchEvent(new MouseEvent("auxclick", { button: 1, bubbles: true }));
  });
  await settled(page);
  const clicks = site.state.events.filter(({ event }) => event === "Clicked").map(({ properties }) => properties);
  const texts = ["A link", "Out", "List", "Export", "A button bold", "Role", "", "Search", "Logo", "More", "", "", "", "", "Allowed", "Inside", "Out"];
  assert.deepEqual(clicks.map(({ text }) => text), texts);
  assert.deepEqual(clicks.filter(({ outbound }) => outbound).map(({ href }) => href), ["https://elsewhere.test/page", "https://elsewhere.test/page"]);
  assert.deepEqual(clicks.flatMap(({ file }) => file ?? []), ["list.pdf", "export"]);
  assert.equal(names(site.state.events).filter((name) => name === "Plan Chosen").length, 1);
  assert.ok(!JSON.stringify(site.state.events).includes("secret"));
});

test("a site may have only what it marks", { timeout }, async () => {
  const page = await open("/marked");
  await page.evaluate(() => document.querySelectorAll("[id]").forEach((element) => element.click()));
  await settled(page);
  const clicks = site.state.events.filter(({ event }) => event === "Clicked");
  assert.deepEqual(clicks.map(({ properties }) => properties.text), ["Allowed"]);
});

test("reading counts while the tab is visible, with how far was scrolled, for the page where it was", { timeout }, async () => {
  const context = await browser.newContext({ viewport: { width: 800, height: 600 } });
  await context.clock.install();
  const page = await open("/tall", { context });
  const read = async (seconds) => {
    for (let second = 0; second < seconds; second += 1) {
      await page.mouse.move(100 + second, 100);
      await context.clock.runFor(1_000);
    }
  };
  await read(4);
  await page.evaluate(() => scrollTo(0, 1_200));
  await read(4);
  // Hidden time is nobody's reading.
  const show = (state) =>
    page.evaluate((state) => {
      Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, state);
  await show("hidden");
  await context.clock.runFor(60_000);
  await show("visible");
  await read(3);
  await page.evaluate(() => history.pushState({}, "", "/next"));
  await context.clock.runFor(1_000);
  const [first, second] = await arrived(site, "Engaged", 2);
  assert.ok(first.properties.seconds >= 7 && first.properties.seconds <= 9, JSON.stringify(first.properties));
  assert.equal(first.properties.depth, 60);
  assert.ok(second.properties.seconds >= 2 && second.properties.seconds <= 4, JSON.stringify(second.properties));
  assert.equal(second.context.page.path, "/tall");
});

test("a visit says how it came: the first touch stays, the last that was not direct too", { timeout }, async () => {
  const context = await browser.newContext();
  const ids = "?utm_source=june&utm_medium=email&utm_campaign=summer&utm_term=t&utm_content=c&utm_id=7&gclid=G1&li_fat_id=L1";
  const page = await open(`/plain${ids}`, { context });
  const [first] = await arrived(site, "Visit Started", 1);
  assert.equal(first.properties.channel, "Email");
  assert.deepEqual(first.properties.clickIds, { gclid: "G1", li_fat_id: "L1" });
  assert.deepEqual(first.context.campaign, { source: "june", medium: "email", name: "summer", term: "t", content: "c", id: "7" });
  assert.deepEqual(first.context.clickIds, { gclid: "G1", li_fat_id: "L1" });
  await page.goto(`${site.url}/plain`);
  await page.goto(`${site.url}/plain?gclid=G2&utm_source=google&utm_medium=cpc`);
  const [, second] = await arrived(site, "Visit Started", 2);
  assert.equal(second.properties.channel, "Paid Search");
  assert.deepEqual([second.properties.first.source, second.properties.last.source], ["june", "google"]);
  assert.notEqual(second.context.sessionId, first.context.sessionId);
  // Half an hour later somebody comes back by heart.
  await page.evaluate(() => {
    const name = Object.keys(localStorage).find((name) => name.endsWith(":session"));
    const session = JSON.parse(localStorage.getItem(name));
    localStorage.setItem(name, JSON.stringify({ ...session, last: session.last - 1_800_000 }));
  });
  await page.goto(`${site.url}/plain`);
  const [, , third] = await arrived(site, "Visit Started", 3);
  assert.equal(third.properties.channel, "Direct");
  assert.deepEqual([third.properties.first.source, third.properties.last.source], ["june", "google"]);
});

test("a visit left before it could say how it came says so from the next page", { timeout }, async () => {
  const context = await browser.newContext();
  let blocked = true;
  site.state.apart = true;
  await context.route("**/v1/parts/scoring", (route) => (blocked ? route.abort() : route.continue()));
  site.state.events.length = 0;
  const page = await visit(browser, `${site.url}/plain?utm_source=booth&utm_medium=event`, { context });
  await arrived(site, "page");
  await settled(page);
  assert.ok(!names(site.state.events).includes("Visit Started"));
  blocked = false;
  await page.goto(`${site.url}/clicks`);
  const [begun] = await arrived(site, "Visit Started");
  assert.deepEqual([begun.properties.source, begun.properties.landing], ["booth", "/plain"]);
  site.state.apart = false;
});

test("visits end after 30 minutes without an event, and 24 hours after they began, to the millisecond", { timeout }, async () => {
  const start = Date.UTC(2026, 10, 2, 9);
  const context = await browser.newContext();
  await context.clock.install({ time: start });
  await context.clock.pauseAt(start + 1);
  const page = await open("/plain", { context });
  const at = async (time) => {
    await context.clock.setFixedTime(time);
    return page.evaluate(async () => {
      window.rapport.track("Tick");
      return JSON.parse(localStorage.getItem("rapport:test-key:session")).id;
    });
  };
  const first = await at(start + 10);
  assert.equal(await at(start + 10 + 1_799_999), first);
  const second = await at(start + 10 + 1_799_999 + 1_800_000);
  assert.notEqual(second, first);
  for (let time = second; time < second + 86_400_000 - 1_000_000; time += 1_000_000) await at(time);
  assert.equal(await at(second + 86_399_999), second);
  assert.equal(await at(second + 86_400_000), second + 86_400_000);
  assert.equal(await at(second + 5), second + 86_400_000, "a clock that goes back starts no visit");
});

test("a page that is only prepared counts when it is shown", { timeout }, async () => {
  const context = await browser.newContext();
  await context.addInitScript(() => Object.defineProperty(document, "prerendering", { get: () => !window.shown }));
  site.state.events.length = 0;
  const page = await visit(browser, `${site.url}/plain`, { context });
  await page.waitForFunction(() => window.rapport?.flush);
  await settled(page);
  assert.deepEqual(site.state.events, []);
  await page.evaluate(() => {
    window.shown = true;
    document.dispatchEvent(new Event("prerenderingchange", { bubbles: true }));
  });
  await arrived(site, "page");
});

test("web vitals come from a chunk that only sites who want them load", { timeout }, async () => {
  const page = await open("/vitals");
  await until(() => site.state.requests.includes("GET /v1/parts/vitals"));
  await page.click("button");
  await page.waitForFunction(() => performance.getEntriesByType("paint").some(({ name }) => name === "first-contentful-paint"));
  await page.waitForFunction(() => new Promise((resolve) => new PerformanceObserver((list) => resolve(list.getEntries().length > 0)).observe({ type: "largest-contentful-paint", buffered: true })));
  await page.goto(`${site.url}/plain`);
  const [{ properties, context }] = await arrived(site, "Web Vitals");
  assert.equal(context.page.path, "/vitals");
  for (const name of ["fcp", "lcp", "ttfb", "cls"]) assert.ok(properties[name] >= 0, JSON.stringify(properties));
  site.state.requests.length = 0;
  await page.goto(`${site.url}/clicks`);
  await decision(page);
  assert.ok(!site.state.requests.includes("GET /v1/parts/vitals"));
});

test("crawlers are dropped, automated browsers are marked or dropped, people are neither", { timeout }, async () => {
  const person = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
  const tracked = async (userAgent, webdriver) => {
    const context = await browser.newContext({ userAgent });
    await context.addInitScript((value) => Object.defineProperty(Navigator.prototype, "webdriver", { get: () => value }), webdriver);
    const page = await visit(browser, `${site.url}/plain`, { context });
    await page.waitForFunction(() => window.rapport?.flush);
    await settled(page);
    const id = await page.evaluate(() => window.rapport.anonymousId);
    return site.state.events.filter(({ type, anonymousId }) => type === "page" && anonymousId === id).map(({ context }) => context.bot);
  };
  assert.deepEqual(await tracked("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", false), []);
  assert.deepEqual(await tracked(person, true), ["automated"]);
  assert.deepEqual(await tracked(person, false), [undefined]);
});
