// Slots and changes of the page where no WebAssembly may run: the real server decides, and says what the engine would say.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { launch } from "../site/chromium.mjs";
import { firefox, launchFirefox } from "../site/firefox.mjs";
import { startServer } from "../site/serve.mjs";
import { until } from "../site/wait.mjs";

const timeout = 120_000;
/** On a busy machine an answer may take longer than a page waits. */
const patience = 30_000;
const half = (variations, more = {}) => ({ variations, hashVersion: 2, ...more });
const text = (text) => ({ type: "text", text });
const AUTHORED = [
  ["features", "plain", { defaultValue: "standard" }],
  ["features", "price", { defaultValue: 10, rules: [{ id: "eu", force: 9, condition: { country: "DE" } }] }],
  ["features", "tried", { defaultValue: null }],
  ["experiments", "trial", { feature: "tried", ...half([text("A"), text("B"), text("C")], { minBucketVersion: 0, bucketVersion: 1 }) }],
  ["experiments", "title", half([{}, { domMutations: [{ selector: "h1", attribute: "text", action: "set", value: "New title" }] }], { urlPatterns: [{ include: true, type: "simple", pattern: "/*" }] })],
  ["experiments", "elsewhere", half([{}, { domMutations: [{ selector: "h1", attribute: "text", action: "set", value: "Elsewhere" }] }], { urlPatterns: [{ include: true, type: "simple", pattern: "/other*" }], weights: [0, 1] })],
  ["experiences", "greeting", { slot: "greeting", cap: { times: 2 }, content: text("Welcome") }],
  ["experiences", "known", { slot: "known", condition: { $band: { $in: ["not", "undecided", "qualified"] } }, content: { type: "html", html: "<b>Scored</b>" } }],
];
const SLOTS = ["tried", "greeting", "known", "unknown"];

let server, site, url, browser;

before(async () => {
  [server, browser] = await Promise.all([startServer(), launch()]);
  for (const authored of AUTHORED) await server.author(...authored);
  await until(async () => {
    const answer = await fetch(`${server.url}/v1/decide`, { method: "POST", body: JSON.stringify({ key: server.key, visitor: {} }) });
    return (await answer.text()).includes('"known"');
  }, "everything is published");
  // `engine` lets the page run WebAssembly, `settings` is what stands in the tag.
  site = createServer((request, response) => {
    const { searchParams } = new URL(request.url, "http://localhost");
    const settings = { patience, ...JSON.parse(searchParams.get("settings") ?? "{}") };
    const wasm = searchParams.has("engine") ? " 'wasm-unsafe-eval'" : "";
    response.writeHead(200, { "content-type": "text/html", "content-security-policy": `default-src 'self'; script-src ${server.url}${wasm}; connect-src ${server.url}; style-src 'unsafe-inline'` });
    response.end(`<!doctype html><title>page</title><style>@keyframes rapport-mask{from{visibility:hidden}}[data-rapport-slot]{animation:rapport-mask 0s 600s backwards}</style>
      <script async src="${server.url}/v1/sdk/${server.key}.js" data-rapport='${JSON.stringify(settings)}'></script><h1>Old title</h1>${SLOTS.map((name) => `<p data-rapport-slot="${name}">Default</p>`).join("")}`);
  });
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${site.address().port}`;
}, { timeout });

after(async () => {
  await browser?.close();
  site?.close();
  site?.closeAllConnections();
  await server?.close();
});

const address = (path, { engine = false, ...settings } = {}) => `${url}${path}?settings=${encodeURIComponent(JSON.stringify(settings))}${engine ? "&engine" : ""}`;

/** A page of a new visitor, or of `context`'s, and what it asks and tells. */
async function open(path, { context, answer, ...options } = {}) {
  context ??= await browser.newContext();
  const page = await context.newPage();
  page.asked = [];
  page.told = [];
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(error));
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (pathname === "/v1/decide") page.asked.push(JSON.parse(request.postData()));
    if (pathname === "/v1/events") page.told.push(...(JSON.parse(request.postData()).batch ?? []).filter(({ event }) => /^Experi\w+ Viewed$/.test(event)).map(({ event, properties }) => ({ event, ...properties })));
  });
  if (answer) await page.route("**/v1/decide", answer);
  await page.goto(address(path, options));
  await page.waitForFunction(() => window.rapport?.decide);
  return page;
}

const texts = (page) => page.evaluate(() => [...document.querySelectorAll("h1, [data-rapport-slot]")].map((element) => element.textContent));
const masked = (page) => page.evaluate(() => [...document.querySelectorAll("[data-rapport-slot]")].filter((slot) => getComputedStyle(slot).visibility === "hidden").length);
const filled = (page) => page.waitForFunction(() => document.querySelector("[data-rapport-slot=known]").textContent === "Scored");

/** All that a visitor sees and tells; `told` are the views that are expected at least. */
async function everything(page, told) {
  await filled(page);
  await until(async () => {
    await page.evaluate(() => window.rapport.flush());
    return page.told.length >= told;
  }, `${told} views`);
  const { features, slots } = await page.evaluate(() => window.rapport.decide());
  const views = page.told.map((view) => JSON.stringify(view)).sort();
  return { texts: await texts(page), features, slots, views };
}

test("the server says what the engine says: slots, changes of the page, features, exposures", { timeout }, async () => {
  const seen = new Set();
  for (const id of ["u1", "u2", "u3", "u4", "u5", "u6"]) {
    const attributes = { id, country: id < "u4" ? "DE" : "FR" };
    // Of the experiments on this page each visitor tells both, and both experiences.
    const [engine, served] = [await open("/", { engine: true, attributes }), await open("/", { attributes })];
    const expected = await everything(engine, 4);
    assert.deepEqual(await everything(served, 4), expected);
    assert.equal(engine.asked.filter(({ visitor }) => visitor).length, 0);
    assert.equal(expected.features.price, id < "u4" ? 9 : 10);
    assert.deepEqual([...engine.errors, ...served.errors], []);
    expected.texts.forEach((text) => seen.add(text));
    await Promise.all([engine.context().close(), served.context().close()]);
  }
  for (const text of ["Old title", "New title", "Welcome", "Scored", "Default"]) assert.ok(seen.has(text), `${text} among ${[...seen]}`);
});

test("one request brings score and everything else, and nothing is masked any more", { timeout }, async () => {
  const page = await open("/");
  await filled(page);
  assert.ok(page.asked[0].visitor, "the first question asks for all");
  assert.equal(await page.evaluate(() => window.rapport.decision.source), "server");
  assert.equal(typeof (await page.evaluate(() => window.rapport.decide().score)), "number");
  assert.equal(await masked(page), 0);
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

test("what a visitor saw stays on the next page, and counts towards its cap", { timeout }, async () => {
  const context = await browser.newContext();
  const shown = [];
  for (let visit = 0; visit < 3; visit += 1) {
    const page = await open("/", { context, attributes: { id: "u1" } });
    await filled(page);
    shown.push((await texts(page))[2]);
    await page.evaluate(() => window.rapport.flush());
    const sticky = await page.evaluate(() => Object.entries(localStorage).find(([name]) => name.endsWith(":sticky"))?.[1]);
    assert.match(sticky, /trial__1/);
    await page.close();
  }
  assert.deepEqual(shown, ["Welcome", "Welcome", "Default"]);
  await context.close();
});

test("a route of a single-page app is decided anew by the server", { timeout }, async () => {
  const page = await open("/", { attributes: { id: "u1" } });
  await filled(page);
  await page.evaluate(() => history.pushState({}, "", `/other${location.search}`));
  await page.waitForFunction(() => document.querySelector("h1").textContent === "Elsewhere");
  await page.evaluate(() => history.back());
  await page.waitForFunction(() => document.querySelector("h1").textContent !== "Elsewhere");
  assert.deepEqual(page.errors, []);
  await page.context().close();
});

const FAILURES = {
  "hangs up": (route) => route.abort(),
  fails: (route) => route.fulfill({ status: 503, body: "" }),
  "says something else": (route) => route.fulfill({ status: 200, headers: { "access-control-allow-origin": "*" }, body: '{"flags":7}' }),
};
for (const [what, answer] of Object.entries(FAILURES)) {
  test(`where the server ${what}, the page is as its site made it`, { timeout }, async () => {
    const page = await open("/", { answer });
    await until(async () => (await masked(page)) === 0, "nothing is masked");
    assert.deepEqual(await texts(page), ["Old title", "Default", "Default", "Default", "Default"]);
    assert.equal(await page.evaluate(() => window.rapport.feature("plain", "own")), "standard");
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });
}

test("an answer that comes too late is not shown any more, though its score counts", { timeout }, async () => {
  let go;
  const late = new Promise((resolve) => (go = resolve));
  const page = await open("/", { patience: 200, answer: async (route) => { await late; await route.continue(); } });
  await until(async () => (await masked(page)) === 0, "nothing is masked");
  go();
  await page.waitForFunction(() => window.rapport.decision);
  assert.deepEqual(await texts(page), ["Old title", "Default", "Default", "Default", "Default"]);
  await page.context().close();
});

test("the server is asked only about who agrees, and a withdrawal takes back what is shown", { timeout }, async () => {
  const page = await open("/", { consent: { mode: "strict" }, attributes: { id: "u1" } });
  await until(async () => (await masked(page)) === 0, "nothing is masked");
  assert.deepEqual((await texts(page)).slice(1), ["Default", "Default", "Default", "Default"]);
  assert.ok(page.asked.every(({ visitor }) => visitor === undefined));
  await page.evaluate(() => window.rapport.consent({ analytics: true, profiling: false, personalization: true }));
  await page.waitForFunction(() => document.querySelector("[data-rapport-slot=greeting]").textContent === "Welcome");
  assert.equal((await texts(page))[3], "Default", "nobody scores who refuses to be profiled");
  assert.equal(await page.evaluate(() => window.rapport.decision), undefined);
  const asked = page.asked.length;
  await page.evaluate(() => window.rapport.consent({ analytics: true, profiling: false, personalization: false }));
  await page.waitForFunction(() => document.querySelector("[data-rapport-slot=greeting]").textContent === "Default");
  await page.evaluate(() => window.rapport.attributes({ country: "DE" }));
  await page.evaluate(() => window.rapport.flush());
  assert.equal(page.asked.slice(asked).filter(({ visitor }) => visitor).length, 0);
  await page.context().close();
});

test("in Firefox the server decides too", { timeout, skip: firefox ? false : "no Firefox: install the package `firefox-esr` or set FIREFOX to its path" }, async () => {
  const fox = await launchFirefox();
  try {
    const page = await fox.newPage();
    await page.goto(address("/", { attributes: { id: "u1" } }));
    await until(() => page.evaluate(() => document.querySelector("[data-rapport-slot=known]")?.textContent === "Scored"), "the slot is filled");
    assert.equal((await texts(page))[2], "Welcome");
    assert.equal(await masked(page), 0);
  } finally {
    await fox.close();
  }
});
