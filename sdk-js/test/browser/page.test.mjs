// The page as a visitor meets it: the demo's website, the SDK, the engine, and a collector that remembers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decision, inspector, shown, visit } from "../site/chromium.mjs";
import { startSite } from "../site/site.mjs";
import { stage } from "../site/stage.mjs";
import { until } from "../site/wait.mjs";

const timeout = 60_000;
const { browser, site } = await stage();

const reading = ({ event }) => event === "Engaged";

/** All that the collector holds of the page's visitor. */
async function held(page, where = site) {
  const { anonymousId } = await page.evaluate(() => ({ anonymousId: window.rapport.anonymousId }));
  return where.state.events.filter((event) => event.anonymousId === anonymousId);
}

/** The visitor's events, once the collector holds `count`; without reading time, which comes on top where a machine is slow. */
function delivered(page, count, where = site) {
  return until(async () => {
    const own = (await held(page, where)).filter((event) => !reading(event));
    return own.length >= count && own;
  }, `${count} events`);
}

/** Asserts that the page's newest decision is what the collector's events up to its own give; returns how many those are. */
async function asTheCollectorFolds(page) {
  const { messageId, probability, asOf, score } = await decision(page);
  const { before, last } = await until(async () => {
    const events = await held(page);
    const last = events.find((event) => event.messageId === messageId);
    const before = events.filter(({ sequence }) => sequence <= last?.sequence);
    return before.length === last?.sequence && { before, last };
  }, "every event of the decision with the collector");
  assert.equal(site.decide(before, Date.parse(last.timestamp)).probability, probability);
  assert.equal(site.decide(before, asOf).score, score);
  return before.length;
}

test("a script tag puts a score on the screen", { timeout }, async () => {
  const page = await visit(browser, site.url);
  assert.equal((await decision(page)).source, "page");
  await inspector(page);
  const { newest, score } = await shown(page);
  assert.equal(score, newest.score);
  assert.deepEqual(page.errors, []);
});

test("one visit moves the score by 25 points through six signals, and every step adds up", { timeout }, async () => {
  const context = await browser.newContext();
  await context.clock.install();
  const page = await visit(browser, site.url, { context });
  const scores = [];
  const signals = new Set();
  /** Stays on the page for a while, with a hand on the mouse. */
  const read = async (seconds) => {
    for (let second = 0; second < seconds; second += 10) {
      await page.mouse.move(300 + second, 300);
      await context.clock.runFor(10_000);
    }
  };
  const step = async () => {
    await decision(page);
    await inspector(page);
    const panel = await shown(page);
    const { score, base, reasons, rest } = panel.newest;
    assert.equal(panel.score, score);
    assert.equal(base + reasons.reduce((sum, { points }) => sum + points, rest), score);
    assert.equal(panel.base + panel.points.reduce((sum, points) => sum + points, 0), panel.score);
    scores.push(score);
    for (const { signal, points } of reasons) if (points !== 0) signals.add(signal);
  };
  await step();
  await read(20);
  await step();
  for (const path of ["product", "pricing", "case-studies/solheim-stalverk", "case-studies/brenner-praezision", "pricing", "docs", "demo"]) {
    await page.goto(`${site.url}/${path}`);
    await step();
    await read(30);
    await step();
  }
  await page.fill("[name=name]", "Ada Test");
  await step();
  await page.fill("[name=email]", "ada@example.com");
  await page.fill("[name=company]", "Example");
  await page.selectOption("[name=employees]", "350");
  await page.click("form button");
  await page.waitForFunction(() => window.decisions.at(-1).cause === "identify");
  await step();
  assert.ok(Math.max(...scores) - Math.min(...scores) >= 25, `scores ${scores}`);
  assert.ok(signals.size >= 6, `signals ${[...signals]}`);
  assert.ok(new Set(scores).size >= 5, `scores ${scores}`);
});

test("the server's fold of the same events gives the page's score to the bit", { timeout }, async () => {
  const page = await visit(browser, `${site.url}/pricing?utm_source=june&utm_medium=email`);
  await page.waitForFunction(() => window.rapport?.anonymousId);
  await page.goto(`${site.url}/docs`);
  await page.waitForFunction(() => window.rapport?.anonymousId);
  await page.evaluate(() => window.rapport.track("Form Submitted", { form: "demo", nested: { list: [1, 2], flag: true, none: null } }));
  await decision(page, 2);
  assert.ok((await asTheCollectorFolds(page)) >= 3);
});

test("a profile outlives a reload, and its visitor keeps the id", { timeout }, async () => {
  const page = await visit(browser, `${site.url}/pricing`);
  await decision(page);
  const id = await page.evaluate(() => window.rapport.anonymousId);
  for (let count = 0; count < 3; count += 1) await page.reload();
  await decision(page);
  assert.equal(await page.evaluate(() => window.rapport.anonymousId), id);
  assert.ok((await asTheCollectorFolds(page)) >= 2);
});

for (const [what, answer] of [["pages left before their engine came", () => {}], ["pages whose engine failed to come", (route) => route.abort()]]) {
  test(`${what} are folded by the first page that has one`, { timeout }, async () => {
    const context = await browser.newContext();
    await context.route("**/v1/parts/wasm", answer);
    const page = await visit(browser, `${site.url}/pricing`, { context });
    for (const path of ["docs", "demo"]) {
      await page.waitForFunction(() => window.rapport?.anonymousId);
      await page.goto(`${site.url}/${path}`);
    }
    await page.waitForFunction(() => window.rapport?.anonymousId);
    await context.unroute("**/v1/parts/wasm", answer);
    await page.goto(`${site.url}/product`);
    await page.waitForFunction(() => window.decisions.at(-1)?.source === "page");
    assert.ok((await asTheCollectorFolds(page)) >= 4);
  });
}

test("damaged storage starts anew", { timeout }, async () => {
  const page = await visit(browser, `${site.url}/pricing`);
  await decision(page);
  for (const [name, value] of [["profile", "%%%"], ["profile", "UlBQMQAAAAA="], ["id", "{"], ["id", '{"anonymousId":5}']]) {
    await page.evaluate(([name, value]) => localStorage.setItem(`rapport:test-key:${name}`, value), [name, value]);
    await page.reload();
    const { source } = await decision(page);
    assert.equal(source, "page");
  }
  assert.deepEqual(page.errors, []);
});

test("forbidden storage costs the memory, not the score", { timeout }, async () => {
  const context = await browser.newContext();
  await context.addInitScript(() => {
    for (const name of ["localStorage", "sessionStorage"]) {
      Object.defineProperty(window, name, { get: () => { throw new DOMException("denied", "SecurityError"); } });
    }
  });
  const page = await visit(browser, `${site.url}/pricing`, { context });
  await decision(page);
  await inspector(page);
  const { newest, score } = await shown(page);
  assert.equal(score, newest.score);
  assert.deepEqual(page.errors, []);
});

test("where a policy forbids WebAssembly, decisions come over HTTP", { timeout }, async () => {
  const strict = await startSite({ csp: "script-src 'self' http://127.0.0.1:*; object-src 'none'; style-src 'self'" });
  try {
    const page = await visit(browser, `${strict.url}/pricing`);
    const first = await decision(page);
    assert.equal(first.source, "server");
    await inspector(page);
    await page.evaluate(() => window.rapport.track("Form Started", { form: "demo" }));
    const next = await decision(page, 2);
    assert.notEqual(next.probability, first.probability);
    assert.equal(next.change, next.score - first.score);
    const { newest, score } = await shown(page);
    assert.equal(score, newest.score);
    assert.equal((await delivered(page, 2, strict)).length, 2);
    assert.deepEqual(page.errors, []);
  } finally {
    await strict.close();
  }
});

test("two tabs share one profile", { timeout }, async () => {
  const context = await browser.newContext();
  const one = await visit(browser, site.url, { context });
  await decision(one);
  const two = await visit(browser, `${site.url}/pricing`, { context });
  await one.waitForFunction(() => window.decisions.some(({ cause }) => cause === "another tab"));
  await until(async () => (await decision(one)).score === (await decision(two)).score, "one score in both tabs");
  await one.evaluate(() => window.rapport.track("Form Submitted", { form: "demo" }));
  const events = await delivered(one, 3);
  assert.equal(events.length, 3);
  assert.equal(new Set((await held(one)).map(({ sequence }) => sequence)).size, (await held(one)).length);
});

test("what happens just before a page goes still arrives, once", { timeout }, async () => {
  const page = await visit(browser, site.url);
  await decision(page);
  const id = await page.evaluate(() => window.rapport.anonymousId);
  for (const path of ["product", "pricing", "docs", "blog"]) {
    await page.evaluate((path) => {
      window.rapport.track("Left", { to: path });
      location.href = `/${path}`;
    }, path);
    await page.waitForURL(`**/${path}`);
    await decision(page);
  }
  const events = await delivered(page, 9);
  assert.equal(events.length, 9);
  assert.equal(new Set(events.map(({ messageId }) => messageId)).size, 9);
  assert.ok(events.every(({ anonymousId }) => anonymousId === id));
});

test("the time read on a page that goes arrives too", { timeout }, async () => {
  const page = await visit(browser, site.url);
  await decision(page);
  await delivered(page, 1);
  await page.mouse.move(200, 200);
  await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1_300)));
  await page.mouse.move(220, 200);
  await page.goto(`${site.url}/pricing`);
  const read = await until(async () => (await held(page)).find(reading), "reading time");
  assert.ok(read.properties.seconds >= 1, JSON.stringify(read.properties));
});

test("a collector that fails gets every event when it is back", { timeout }, async () => {
  const page = await visit(browser, site.url);
  await decision(page);
  await delivered(page, 1);
  site.state.failing = true;
  await page.evaluate(() => [1, 2, 3].forEach((n) => window.rapport.track("Tried", { n })));
  await page.evaluate(() => window.rapport.flush());
  site.state.failing = false;
  const events = await delivered(page, 4);
  assert.deepEqual(events.map(({ properties }) => properties.n).filter(Boolean), [1, 2, 3]);
});

test("parts are fetched at once", { timeout }, async () => {
  const context = await browser.newContext();
  const parts = ["decision", "scoring", "sdk", "wasm"];
  const held = new Map();
  // None comes before all are asked for: a page that waits for one to ask for another never decides.
  await context.route("**/v1/parts/*", async (route) => {
    const name = route.request().url().split("/").at(-1);
    if (!parts.includes(name)) return route.continue();
    held.set(name, route);
    if (held.size === parts.length) await Promise.all([...held.values()].map((route) => route.continue()));
  });
  const page = await visit(browser, site.url, { context });
  await decision(page);
  assert.deepEqual([...held.keys()].sort(), parts);
});

test("parts are fetched once", { timeout }, async () => {
  const page = await visit(browser, site.url);
  await decision(page);
  await inspector(page);
  const fetched = () => site.state.requests.filter((line) => line.includes("/parts/")).length;
  const before = fetched();
  await page.goto(`${site.url}/docs`);
  await decision(page);
  await inspector(page);
  assert.equal(fetched(), before);
});

test("forms report that they were used, never what was typed", { timeout }, async () => {
  const page = await visit(browser, `${site.url}/contact`);
  await decision(page);
  await page.fill("[name=message]", "a secret message");
  await page.evaluate(() => document.querySelector("form").addEventListener("submit", (event) => event.stopImmediatePropagation(), true));
  await page.fill("[name=name]", "Ada Test");
  await page.evaluate(() => document.querySelector("form").dispatchEvent(new Event("submit", { bubbles: true, cancelable: true })));
  await until(() => site.state.events.some(({ event, properties }) => event === "Form Submitted" && properties.form === "contact"));
  const events = (await delivered(page, 3)).filter(({ event }) => event !== "Form Viewed");
  assert.deepEqual(events.slice(0, 3).map(({ event, type }) => event ?? type), ["page", "Form Started", "Form Submitted"]);
  assert.ok(!JSON.stringify(site.state.events).includes("secret"));
});

test("a single-page route is a page, the same address again is none", { timeout }, async () => {
  const page = await visit(browser, site.url);
  await decision(page);
  await page.evaluate(() => history.replaceState({}, "", location.href));
  await page.evaluate(() => history.pushState({}, "", "/inside"));
  await decision(page, 2);
  await page.goBack();
  await decision(page, 3);
  const events = await delivered(page, 3);
  assert.deepEqual(events.map(({ properties }) => properties.path), ["/", "/inside", "/"]);
  // A place on the page is no page; a router's hash is one.
  await page.evaluate(() => (location.hash = "#questions"));
  await page.waitForTimeout(100);
  await page.evaluate(() => (location.hash = "#/inside"));
  await decision(page, 4);
  const all = await delivered(page, 4);
  assert.deepEqual(all.slice(3).map(({ properties }) => new URL(properties.url).hash), ["#/inside"]);
});

test("the npm import tracks, identifies, groups, aliases and resets", { timeout }, async () => {
  const page = await visit(browser, `${site.url}/npm`);
  await decision(page);
  const first = await page.evaluate(() => {
    window.rapport.identify("u1", { employees: 350 });
    window.rapport.group("g1", { plan: "team" });
    window.rapport.alias("u2");
    window.rapport.track("Trial Started");
    return window.rapport.anonymousId;
  });
  const events = await delivered(page, 5);
  assert.deepEqual(events.map(({ type }) => type), ["page", "identify", "group", "alias", "track"]);
  assert.equal(events[3].previousId, "u1");
  assert.deepEqual([events[4].userId, events[4].groupId], ["u2", "g1"]);
  const before = await decision(page, 5);
  await page.evaluate(() => window.rapport.reset());
  const fresh = await decision(page, 6);
  assert.notEqual(fresh.probability, before.probability);
  assert.notEqual(await page.evaluate(() => window.rapport.anonymousId), first);
});

test("nothing that fails in a host's listener or in ours reaches the other", { timeout }, async () => {
  const page = await visit(browser, site.url);
  await decision(page);
  const calls = await page.evaluate(() => {
    let calls = 0;
    window.rapport.onDecision(() => { throw new Error("the host's own"); });
    const stop = window.rapport.onDecision(() => { calls += 1; });
    window.rapport.track("One");
    stop();
    window.rapport.track("Two");
    const circular = {};
    circular.self = circular;
    window.rapport.track("Circular", circular);
    window.rapport.track("Big", { text: "x".repeat(100_000) });
    window.rapport.push(["nonsense"], ["constructor"], ["track", "Three"]);
    return calls;
  });
  assert.equal(calls, 2);
  assert.ok(page.errors.every(({ message }) => message === "the host's own"));
  const names = (await delivered(page, 5)).map(({ event }) => event);
  assert.ok(names.includes("Three"), `${names}`);
});

test("reasons that are read late speak of their own moment", { timeout }, async () => {
  const plain = await startSite({ pages: { "/": '<script async src="{{SDK_URL}}"></script>' } });
  try {
    const page = await visit(browser, plain.url);
    await decision(page);
    const decisions = await page.evaluate(() => {
      for (const form of ["demo", "contact", "demo"]) window.rapport.track("Form Submitted", { form });
      for (let count = 0; count < 8; count += 1) window.rapport.page({ path: "/pricing" });
      return window.decisions.reverse().map((decision) => ({ ...decision }));
    });
    assert.ok(new Set(decisions.map(({ score }) => score)).size > 1);
    for (const { score, base, reasons, rest } of decisions) {
      assert.ok(reasons.length > 0);
      assert.equal(base + reasons.reduce((sum, { points }) => sum + points, rest), score);
    }
  } finally {
    await plain.close();
  }
});

test("a broken bundle leaves the page whole and the tracking on", { timeout }, async () => {
  const broken = await startSite({ parts: { model: Buffer.from("no model") } });
  try {
    const page = await visit(browser, broken.url);
    assert.equal((await decision(page)).source, "server");
    assert.equal((await delivered(page, 1, broken)).length, 1);
    assert.deepEqual(page.errors, []);
  } finally {
    await broken.close();
  }
});

test("names and titles of any kind are shown as they are, and run nowhere", { timeout }, async () => {
  const page = await visit(browser, site.url);
  await decision(page);
  await inspector(page);
  const names = ["<img src=x onerror=alert(1)>", "toString", "__proto__", "constructor", '"\u202e<script>'];
  for (const name of names) {
    await page.evaluate((name) => window.rapport.track(name, { [name]: name }), name);
    await shown(page);
  }
  const text = await page.evaluate(() => document.querySelector("rapport-inspector").shadowRoot.textContent);
  for (const name of names) assert.ok(text.includes(name), `${name} in ${text}`);
  assert.equal(await page.evaluate(() => document.querySelector("rapport-inspector").shadowRoot.querySelectorAll("img, script").length), 0);
  assert.deepEqual(page.errors, []);
});

test("the inspector folds, changes sides and closes by keyboard, and fits a phone", { timeout }, async () => {
  const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
  const page = await visit(browser, site.url, { context });
  await decision(page);
  await inspector(page);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  const fold = page.locator("rapport-inspector .fold");
  assert.equal(await fold.getAttribute("aria-expanded"), "false");
  await fold.focus();
  await page.keyboard.press("Enter");
  assert.equal(await fold.getAttribute("aria-expanded"), "true");
  const box = await page.locator("rapport-inspector .panel").boundingBox();
  assert.ok(box.x >= 0 && box.x + box.width <= 390 && box.height < 844);
  await page.keyboard.press("Escape");
  assert.equal(await fold.getAttribute("aria-expanded"), "false");
  await page.getByLabel("Close the inspector").press("Enter");
  assert.equal(await page.locator("rapport-inspector").count(), 0);
});
