// Experiments on pages: who gets what, remembered and told once, over routes, redirects and sign-ins.
import assert from "node:assert/strict";
import { test } from "node:test";
import { launch, visit } from "../site/chromium.mjs";
import { LATER } from "../site/site.mjs";
import { stage } from "../site/stage.mjs";
import { settled, until, viewed } from "../site/wait.mjs";

const timeout = 60_000;
const page = (body, settings = {}) => `<!doctype html><title>page</title><script async src="{{SDK_URL}}" data-rapport='${JSON.stringify(settings)}'></script>${body}`;
const text = (text) => ({ type: "text", text });
const feature = (...rules) => ({ defaultValue: null, rules });
const on = (...paths) => paths.map((pattern) => ({ include: true, type: "simple", pattern }));
const title = (text) => ({ domMutations: [{ selector: "h1", attribute: "text", action: "set", value: text }] });
const all = { hashAttribute: "id", weights: [0, 1] };
const slotted = (name, more) => feature({ key: name, hashAttribute: "id", variations: [text("A"), text("B")], meta: [{ key: "a" }, { key: "b" }], weights: [0.5, 0.5], ...more });

const features = {
  kept: slotted("kept", { bucketVersion: 1 }),
  signed: slotted("signed", { hashAttribute: "userId", fallbackAttribute: "anonymousId", bucketVersion: 1 }),
  asked: slotted("asked", { weights: [1, 0] }),
};
const flags = {
  features,
  experiments: [
    { key: "route", variations: [{}, title("Changed")], ...all, urlPatterns: on("/spa/b") },
    { key: "moved", variations: [{}, { urlRedirect: "/new?v=2" }], ...all, persistQueryString: true, urlPatterns: on("/old") },
    { key: "away", variations: [{}, { urlRedirect: "http://other.test:PORT/landed" }], ...all, urlPatterns: on("/away") },
    { key: "there", variations: [{}, { urlRedirect: "/back" }], ...all, urlPatterns: on("/there") },
    { key: "back", variations: [{}, { urlRedirect: "/there" }], ...all, urlPatterns: on("/back") },
    { key: "bounce", variations: [{}, { urlRedirect: "/bouncing" }], ...all, urlPatterns: on("/bounce") },
    { key: "script", variations: [{}, { urlRedirect: "javascript:window.bad=1" }], ...all, urlPatterns: on("/script") },
    { key: "control", variations: [{}, { urlRedirect: "/new" }], hashAttribute: "id", weights: [1, 0], urlPatterns: on("/control") },
  ],
};
const experiences = [
  { key: "offer", slot: "offer", content: text("Once"), cap: { times: 1 } },
  { key: "headline", changes: title("For you"), urlPatterns: on("/offer") },
];
flags.experiences = experiences;
const slots = Object.keys(features).map((name) => `<p data-rapport-slot="${name}">Default</p>`).join("");
const bounced = '<!doctype html><script>if (location.search === "") location.replace("/bounce")</script>';
const { browser, site } = await stage({
  later: LATER,
  flags,
  pages: Object.fromEntries([
    ...["/slots", "/spa/a", "/spa/b", "/old", "/new", "/away", "/landed", "/there", "/back", "/bounce", "/script", "/control", "/offer"].map((path) => [path, page(`<h1>Title</h1>${path === "/slots" ? slots : ""}${path === "/offer" ? '<p data-rapport-slot="offer">Default</p>' : ""}`)]),
    ["/bouncing", bounced],
  ]),
});
const withPort = JSON.parse(JSON.stringify(flags).replace("PORT", site.port));

async function open(path, options) {
  site.state.flags ??= withPort;
  const page = await visit(browser, `${site.url}${path}`, options);
  await page.waitForFunction(() => window.rapport?.decide);
  return page;
}
const of = (key) => ({ experimentId }) => experimentId === key;
const slot = (page, name) => page.evaluate((name) => document.querySelector(`[data-rapport-slot=${name}]`).textContent, name);
const changed = (change) => {
  const next = structuredClone(withPort);
  for (const [name, more] of Object.entries(change)) Object.assign(next.features[name].rules[0], more);
  return next;
};

test("what a visitor saw stays, whatever the shares become; a new version decides anew", { timeout }, async () => {
  const context = await browser.newContext();
  const page = await open("/slots", { context });
  const first = await slot(page, "kept");
  await viewed(site, page, 3);
  const other = first === "A" ? [0, 1] : [1, 0];
  site.state.flags = changed({ kept: { weights: other } });
  assert.equal(await slot(await open("/slots", { context }), "kept"), first);
  site.state.flags = changed({ kept: { weights: other, bucketVersion: 2 } });
  assert.notEqual(await slot(await open("/slots", { context }), "kept"), first);
});

test("who signs in keeps the variation, here and on the next page", { timeout }, async () => {
  const context = await browser.newContext();
  for (const user of ["ada", "bob", "cyd", "dan"]) {
    const page = await open("/slots", { context });
    const before = await slot(page, "signed");
    await viewed(site, page, 3);
    await page.evaluate((user) => window.rapport.identify(user), user);
    await page.waitForFunction((user) => window.rapport.identity.userId === user, user);
    assert.equal(await slot(page, "signed"), before);
    await settled(page);
    assert.equal(await slot(await open("/slots", { context }), "signed"), before);
    await page.evaluate(() => window.rapport.reset());
    await page.close();
  }
});

test("an address or a tester's choice forces a variation, and nobody counts it", { timeout }, async () => {
  const page = await open("/slots?asked=1");
  assert.equal(await slot(page, "asked"), "B");
  assert.deepEqual((await viewed(site, page, 2)).filter(of("asked")), []);
  await page.goto(`${site.url}/slots`);
  await page.waitForFunction(() => window.rapport?.decide);
  assert.equal(await slot(page, "asked"), "A");
  await page.evaluate(() => window.rapport.override({ experiments: { asked: 1 }, features: { kept: { type: "text", text: "Tester's" } } }));
  assert.deepEqual([await slot(page, "asked"), await slot(page, "kept")], ["B", "Tester's"]);
  await page.reload();
  await page.waitForFunction(() => window.rapport?.decide);
  assert.deepEqual([await slot(page, "asked"), await slot(page, "kept")], ["B", "Tester's"]);
  await page.evaluate(() => window.rapport.override());
  assert.equal(await slot(page, "asked"), "A");
});

test("the inspector says what is shown and why, and shows something else on a click", { timeout }, async () => {
  const page = await open("/slots?rapport-inspect");
  const rows = page.locator("rapport-inspector .shown li");
  await rows.filter({ hasText: "asked" }).first().waitFor();
  const row = rows.filter({ has: page.getByText("asked", { exact: true }) });
  assert.match(await row.textContent(), /the visitor('s place falls to this variation| got this variation before)/);
  assert.equal(await row.locator("[aria-pressed=true]").textContent(), "asked a");
  await row.getByRole("button", { name: "asked b" }).click();
  await page.waitForFunction(() => document.querySelector("[data-rapport-slot=asked]").textContent === "B");
  assert.equal(await row.locator("[aria-pressed=true]").textContent(), "asked b");
  await page.locator("rapport-inspector .reset").click();
  await page.waitForFunction(() => document.querySelector("[data-rapport-slot=asked]").textContent === "A");
  assert.equal(await page.locator("rapport-inspector .reset").isVisible(), false);
  assert.deepEqual(page.errors, []);
});

test("pointing at an element in the inspector names it, and the element notices nothing", { timeout }, async () => {
  const page = await open("/slots?rapport-inspect");
  const point = page.locator("rapport-inspector .pick");
  await point.waitFor();
  await page.evaluate(() => {
    document.body.insertAdjacentHTML("afterbegin", '<a id="cta" href="/elsewhere"><svg width="40" height="40"><path d="M0 0h40v40H0z"/></svg></a>');
    window.noticed = [];
    for (const type of ["click", "pointerdown", "mousemove"]) document.querySelector("#cta").addEventListener(type, () => window.noticed.push(type), true);
  });
  const { x, y } = await page.locator("#cta svg").boundingBox();
  await point.click();
  await page.mouse.move(x + 20, y + 20);
  assert.deepEqual(await page.locator("rapport-inspector .box").boundingBox(), { x, y, width: 40, height: 40 });
  await page.mouse.click(x + 20, y + 20);
  assert.equal(await page.locator("rapport-inspector .picked").textContent(), "#cta > svg");
  assert.equal(new URL(page.url()).pathname, "/slots");
  assert.deepEqual(await page.evaluate(() => window.noticed), []);
  await point.click();
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("rapport-inspector .veil").count(), 0);
  assert.equal(await page.locator("rapport-inspector #details").isVisible(), true, "Escape ended the pointing only");
  assert.deepEqual(page.errors, []);
});

test("a page that comes back from the back cache goes on, and tells nothing twice", { timeout }, async () => {
  const browser = await launch({ ignoreDefaultArgs: ["--disable-back-forward-cache"] });
  try {
    site.state.flags = withPort;
    const page = await visit(browser, `${site.url}/slots`);
    await page.waitForFunction(() => window.rapport?.decide);
    await viewed(site, page, 3);
    await page.evaluate(() => addEventListener("pageshow", ({ persisted }) => { window.persisted = persisted; }));
    const before = await slot(page, "kept");
    await page.goto(`${site.url}/bouncing?stay`);
    // Playwright waits in vain for a load that does not come again.
    await page.goBack({ waitUntil: "commit" });
    await page.waitForFunction(() => window.persisted);
    assert.equal(await slot(page, "kept"), before);
    await page.evaluate(() => window.rapport.override({ experiments: { asked: 1 } }));
    await page.waitForFunction(() => document.querySelector("[data-rapport-slot=asked]").textContent === "B");
    await settled(page);
    assert.equal((await viewed(site, page)).length, 3);
  } finally {
    await browser.close();
  }
});

test("an experience is told as one, and shown no more often than its cap allows", { timeout }, async () => {
  const context = await browser.newContext();
  const page = await open("/offer", { context });
  assert.equal(await slot(page, "offer"), "Once");
  await page.waitForFunction(() => document.querySelector("h1").textContent === "For you");
  const told = await viewed(site, page, 2);
  assert.deepEqual(told.map(({ experienceId }) => experienceId).sort(), ["headline", "offer"]);
  // It does not end itself while it is seen.
  await page.evaluate(() => window.rapport.attributes({ plan: "team" }));
  await page.evaluate(() => Promise.resolve());
  assert.equal(await slot(page, "offer"), "Once");
  await page.reload();
  await page.waitForFunction(() => document.querySelector("h1").textContent === "For you");
  assert.equal(await slot(page, "offer"), "Default");
});

test("a route of a single-page app is decided anew, and its experiment told once", { timeout }, async () => {
  const page = await open("/spa/a");
  const go = async (path, expected) => {
    await page.evaluate((path) => history.pushState({}, "", path), path);
    await page.waitForFunction((expected) => document.querySelector("h1").textContent === expected, expected);
  };
  await go("/spa/b", "Changed");
  await viewed(site, page, 1);
  await go("/spa/a", "Title");
  await go("/spa/b", "Changed");
  await settled(page);
  assert.deepEqual(await viewed(site, page), [{ experimentId: "route", variationId: "1" }]);
  assert.deepEqual(page.errors, []);
});

for (const [name, trouble] of [
  ["answers", () => undefined],
  ["is slow", () => { let go; site.state.hold = new Promise((resolve) => { go = resolve; }); return go; }],
  ["hangs up", () => { site.state.closing = true; return () => { site.state.closing = false; }; }],
  ["fails", () => { site.state.failing = true; return () => { site.state.failing = false; }; }],
]) {
  test(`a redirect keeps the query and tells one exposure, where the server ${name}`, { timeout }, async () => {
    const end = trouble();
    site.state.flags = withPort;
    const page = await visit(browser, `${site.url}/old?utm_source=ads&v=1`);
    await page.waitForURL(`${site.url}/new?v=2&utm_source=ads`);
    await page.waitForFunction(() => window.rapport?.decide);
    end?.();
    await viewed(site, page, 1);
    await settled(page);
    await page.reload();
    await page.waitForFunction(() => window.rapport?.decide);
    await settled(page);
    assert.deepEqual(await viewed(site, page), [{ experimentId: "moved", variationId: "1" }]);
  });
}

test("a redirect to another site waits for the server, but not for ever", { timeout }, async () => {
  site.state.flags = withPort;
  const page = await visit(browser, `${site.url}/away`);
  await page.waitForURL(`http://other.test:${site.port}/landed`);
  const away = () => site.state.events.filter(({ properties }) => properties?.experimentId === "away").length;
  await until(away);
  site.state.hold = new Promise(() => undefined);
  const other = await visit(browser, `${site.url}/away`);
  await other.waitForURL(`http://other.test:${site.port}/landed`);
  assert.equal(away(), 1);
});

test("redirects in a circle, by us or with the server's help, end; what is no address leads nowhere", { timeout }, async () => {
  const page = await open("/there");
  await until(async () => (await page.evaluate(() => window.rapport?.explain?.().why.some(({ why }) => /circle/.test(why))).catch(() => false)), "the circle is noticed");
  await open("/bounce").then((page) => until(() => page.evaluate(() => window.rapport?.explain?.().why.some(({ why }) => /circle/.test(why))).catch(() => false)));
  const script = await open("/script");
  assert.equal(await script.evaluate(() => window.bad), undefined);
  assert.match(await script.evaluate(() => JSON.stringify(window.rapport.explain().why)), /no address to redirect to/);
});

test("who stays is counted as well as who is sent on", { timeout }, async () => {
  const page = await open("/control");
  const told = await viewed(site, page, 1);
  assert.equal(new URL(page.url()).pathname, "/control");
  assert.deepEqual(told, [{ experimentId: "control", variationId: "0" }]);
});

test("flags that are damaged, or too many, leave the page as it is", { timeout }, async () => {
  for (const bytes of [Buffer.from("RPF1 and then nothing"), Buffer.alloc(10_000_000, 1)]) {
    site.state.flags = bytes;
    const context = await browser.newContext();
    await context.addInitScript(() => {
      const { warn } = console;
      window.warned = "";
      console.warn = (...words) => { window.warned += words.join(" "); warn(...words); };
    });
    const page = await visit(browser, `${site.url}/slots`, { context });
    await page.waitForFunction(() => window.warned.includes("nothing is personalized"));
    assert.match(await page.evaluate(() => window.warned), /damaged|too many/);
    await page.waitForFunction(() => window.decisions.length > 0);
    assert.equal(await slot(page, "kept"), "Default");
    assert.deepEqual(page.errors, []);
  }
});
