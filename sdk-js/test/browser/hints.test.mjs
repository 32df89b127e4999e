// What the server tells a page of its visitor, and what the page makes of it: the real server, and one that lies.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, test } from "node:test";
import { identityToken } from "../../dist/server.js";
import { importModel, initSync } from "../../dist/full/engine.js";
import { decision, inspector, launch, shown, visit } from "../site/chromium.mjs";
import { startDemo } from "../site/demo.mjs";
import { settled, until } from "../site/wait.mjs";

const timeout = 120_000;
/** A model that asks for three open deals, as LightGBM writes it. */
const DEALS = `tree
version=v4
num_class=1
num_tree_per_iteration=1
max_feature_idx=0
objective=binary sigmoid:1
feature_names=open_deals
feature_infos=[0:10]

Tree=0
num_leaves=2
num_cat=0
split_feature=0
split_gain=1
threshold=2.5
decision_type=10
left_child=-1
right_child=-2
leaf_value=-1 1
leaf_weight=100 100
leaf_count=100 100
internal_value=0
internal_weight=200
internal_count=200
is_linear=0
shrinkage=1

end of trees
`;
let browser;
let demo;
let server;
let owner;

before(
  async () => {
    initSync({ module: await readFile(new URL("../../dist/full/engine_bg.wasm", import.meta.url)) });
    browser = await launch();
    demo = await startDemo();
    server = new URL(demo.live).origin;
    const { headers } = await fetch(demo.live, { redirect: "manual" });
    owner = headers.get("set-cookie").split(";")[0];
  },
  { timeout: 300_000 },
);
after(() => Promise.all([browser?.close(), demo?.stop()]));
afterEach(() => Promise.all(browser.contexts().map(leave)));

/** Closes a browser; an answer that is still on its way to it is nobody's fault. */
async function leave(context) {
  await Promise.all([context, ...context.pages()].map((routed) => routed.unrouteAll({ behavior: "ignoreErrors" })));
  await context.close();
}

/** Leaves features and experiments out: to tell that they were seen is one event more, at any time. */
function withoutFlags() {
  Object.defineProperty(self, "rapportConfig", {
    configurable: true,
    set(value) {
      delete value.parts.flags;
      Object.defineProperty(self, "rapportConfig", { configurable: true, value });
    },
  });
}

/** A new browser at the demo's first website; `sent` holds the bodies of all batches. */
async function open(options = {}) {
  const context = options.context ?? (await browser.newContext());
  if (!options.context) await context.addInitScript(withoutFlags);
  const sent = options.sent ?? [];
  context.on("request", (request) => {
    if (request.url().endsWith("/v1/events")) sent.push(JSON.parse(request.postData()));
  });
  const page = await visit(browser, options.url ?? demo.sites[0], { context });
  page.sent = sent;
  await decision(page);
  return page;
}

const track = (page, name, properties = {}) => page.evaluate(([name, properties]) => window.rapport.track(name, properties), [name, properties]);
const names = (page) => page.evaluate(() => Object.keys(localStorage));
const entry = (page, name) => page.evaluate((name) => localStorage.getItem(Object.keys(localStorage).find((key) => key.endsWith(`:${name}`))), name);
const put = (page, name, text) =>
  page.evaluate(([name, text]) => {
    const id = Object.keys(localStorage).find((key) => key.endsWith(":id"));
    localStorage.setItem(id.replace(/id$/, name), text);
  }, [name, text]);
const drop = (page, ...gone) => page.evaluate((gone) => Object.keys(localStorage).filter((key) => gone.some((name) => key.endsWith(`:${name}`))).forEach((key) => localStorage.removeItem(key)), gone);
/** How many events went into a profile: docs/profile-format.md. */
const count = (profile) => Buffer.from(profile ?? "", "base64").readUInt32LE(42);

/** The states of a profile by their signals; undefined before the first match. */
function states(profile) {
  const bytes = Buffer.from(profile, "base64");
  const found = new Map();
  const widths = { 0: 4, 2: 8, 3: 16, 4: 16, 5: 12, 6: 12, 7: 8, 8: 8, 9: 8, 10: 16, 11: 8, 12: 8, 13: 28, 15: 16, 16: 12, 255: 0 };
  let at = 54;
  for (let left = bytes.readUInt16LE(8); left > 0; left -= 1) {
    const [id, tag, start] = [bytes.readUInt32LE(at), bytes[at + 4], at + 5];
    at = start + (widths[tag] ?? (bytes[start] === 255 ? 25 : 1 + 4 * bytes[start]));
    found.set(id, tag === 255 ? undefined : bytes.subarray(start, at));
  }
  assert.equal(at, bytes.length);
  return found;
}

async function post(body) {
  const answer = await fetch(`${server}/v1/events`, { method: "POST", body: JSON.stringify(body), headers: { "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0" } });
  assert.equal(answer.status, 200);
  return answer.json();
}

/** The server's hints for a visitor, once they hold a profile: asked by sending again what it has. */
function hintsOf({ key, batch: [first], sentAt }) {
  return until(async () => {
    const { hints } = await post({ key, sentAt, hints: true, batch: [first] });
    return hints?.profile && hints;
  }, "the server's profile");
}

/** Waits until the page took hints with nothing left to acknowledge. */
async function confirmed(page, version = 0) {
  await until(async () => JSON.parse((await entry(page, "hints")) ?? "{}").version >= version, "hints in the page");
  await settled(page);
}

/**
 * Has the page ask anew, as after 24 hours, until it ends with the server's profile, to the bit; of whom,
 * a batch that was sent says. What happens on a page after its answer came waits for the next one.
 */
async function agreed(page, sent) {
  let seen;
  const same = async () => {
    const [mine, theirs] = [await entry(page, "profile"), (await hintsOf(sent)).profile];
    seen = `${count(mine)} and ${count(theirs)} events`;
    return mine === theirs;
  };
  for (let times = 0; times < 20; times += 1) {
    await put(page, "hints", JSON.stringify({ ...JSON.parse((await entry(page, "hints")) ?? "{}"), until: 0 }));
    await page.reload();
    await decision(page);
    for (let looks = 0; looks < 40; looks += 1) {
      await settled(page);
      if (await same()) return entry(page, "profile");
    }
  }
  return assert.fail(`the page and the server do not agree: ${seen}`);
}

/** Numbers that look random and come again. */
function dice(seed) {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

test("a page asks once a visit, not with each batch", { timeout }, async () => {
  const page = await open();
  await settled(page);
  await confirmed(page, 1);
  await until(async () => {
    await track(page, "Settling");
    await settled(page);
    return !page.sent.at(-1).hints;
  }, "a batch that asks nothing");
  const before = page.sent.length;
  for (let round = 0; round < 4; round += 1) {
    await track(page, "Round", { round });
    await settled(page);
  }
  await page.reload();
  await decision(page);
  await settled(page);
  const later = page.sent.slice(before);
  assert.ok(later.length >= 5);
  assert.deepEqual(later.filter(({ hints }) => hints), []);
  assert.ok(page.sent.slice(0, before).some(({ hints }) => hints === true));
});

for (const seed of (process.env.RAPPORT_SOAK ? Array.from({ length: 20 }, (_, index) => index + 1) : [1, 2])) {
  test(`whatever happens, the page ends with the server's profile, to the bit (${seed})`, { timeout: timeout * 3 }, async (t) => {
    const roll = dice(seed);
    const first = await open();
    const { sent } = first;
    const context = first.context();
    const tabs = [first];
    const steps = {
      route: (page) => page.evaluate((path) => history.pushState({}, "", path), `/pricing/${roll(5)}`),
      track: (page) => track(page, ["Form Started", "Form Submitted", "Trial Started"][roll(3)], { form: ["demo", "contact"][roll(2)], n: roll(9) }),
      traits: (page) => page.evaluate((size) => window.rapport.identify(null, { industry: "software", employees: size }), roll(900)),
      offline: (page) => page.context().setOffline(true),
      online: (page) => page.context().setOffline(false),
      sent: (page) => settled(page),
      again: async () => { if (sent.length > 0) await post({ ...sent[roll(sent.length)], hints: undefined }); },
      late: async () => {
        if (sent.length === 0) return;
        const { key, batch, sentAt } = sent[0];
        const { anonymousId, context } = batch[0];
        const timestamp = new Date(Date.parse(sentAt) - 60_000 - roll(3_600_000)).toISOString();
        const event = { type: "track", event: "Form Submitted", properties: { form: "demo" }, messageId: `late-${seed}-${roll(1e9)}`, anonymousId, timestamp, context };
        await post({ key, sentAt, batch: [event] });
      },
      tab: async () => { if (tabs.length < 3) tabs.push(await open({ context, sent })); },
      hide: (page) => page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide"))),
    };
    for (let step = 0; step < 60; step += 1) {
      const names = Object.keys(steps);
      const name = names[roll(names.length)];
      // A tab does not open without a network.
      if (name === "tab") await context.setOffline(false);
      await steps[name](tabs[roll(tabs.length)]);
    }
    await context.setOffline(false);
    await Promise.all(tabs.map(settled));
    for (const tab of tabs.slice(1)) await tab.close();
    const events = count(await agreed(first, sent[0]));
    t.diagnostic(`${events} events`);
    assert.ok(events >= 15);
    assert.deepEqual(first.errors, []);
  });
}

for (const days of [3, -3]) {
  test(`a browser whose clock is ${days} days off folds by the server's clock once it knows it`, { timeout }, async () => {
    const context = await browser.newContext();
    await context.addInitScript((off) => {
      const Real = Date;
      globalThis.Date = class extends Real {
        constructor(...given) {
          if (given.length > 0) super(...given);
          else super(Real.now() + off);
        }
        static now() {
          return Real.now() + off;
        }
      };
    }, days * 86_400_000);
    const page = await open({ context });
    await track(page, "Form Submitted", { form: "demo" });
    await settled(page);
    await confirmed(page, 1);
    await agreed(page, page.sent[0]);
    await track(page, "After");
    const clock = Number(Buffer.from(await entry(page, "profile"), "base64").readBigInt64LE(10));
    assert.ok(Math.abs(clock - Date.now()) < 30_000, `${clock - Date.now()} ms`);
    await settled(page);
    await page.reload();
    await decision(page);
    await settled(page);
    assert.ok(JSON.parse(await entry(page, "hints")).ahead * days < 0);
  });
}

test("two tabs that cross end with the server's profile, though nothing more happens", { timeout }, async () => {
  const one = await open();
  const two = await open({ context: one.context(), sent: one.sent });
  for (let round = 0; round < 4; round += 1) {
    await Promise.all([one, two].map((tab, index) => tab.evaluate(([index, round]) => window.rapport.track("Form Started", { form: `${index} ${round}` }), [index, round])));
  }
  await Promise.all([one, two].map(settled));
  let seen;
  await until(async () => {
    const hints = await hintsOf(one.sent[0]);
    const shown = await Promise.all([one, two].map((tab) => tab.evaluate(() => window.rapport.decision.score)));
    seen = [count(await entry(one, "profile")), hints.events, ...shown];
    // Both may for a moment lack what the other tab sent.
    return seen[0] >= 10 && (await entry(one, "profile")) === hints.profile && shown[0] === shown[1];
  }, "the same bytes").catch((error) => assert.fail(`${error}: ${seen}`));
});

test("after a reset in one tab nothing of the visitor before comes back into any", { timeout }, async () => {
  const one = await open();
  for (const form of ["demo", "contact"]) await track(one, "Form Submitted", { form });
  await settled(one);
  await confirmed(one, 1);
  const two = await open({ context: one.context() });
  await settled(two);
  const before = await one.evaluate(() => window.rapport.anonymousId);
  // An answer about the visitor before is on its way when the visitor goes.
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const asked = new Promise((resolve) => {
    void two.route("**/v1/events", async (route) => {
      const answer = await route.fetch();
      resolve();
      await held;
      await route.fulfill({ response: answer });
    });
  });
  await drop(two, "hints");
  await two.reload();
  await asked;
  await one.evaluate(() => window.rapport.reset());
  await track(one, "Somebody Else");
  const id = await one.evaluate(() => window.rapport.anonymousId);
  assert.notEqual(id, before);
  await until(() => two.evaluate((id) => window.rapport.anonymousId === id, id), "the new visitor in the other tab");
  release();
  await settled(two);
  await until(async () => {
    await Promise.all([one, two].map((tab) => track(tab, "Somebody Else")));
    await Promise.all([one, two].map(settled));
    return JSON.parse((await entry(one, "hints")) ?? "{}").anonymousId === id;
  }, "hints of the new visitor");
  const theirs = one.sent.find(({ batch }) => batch[0].anonymousId === id);
  const events = count(await agreed(one, theirs));
  const own = one.sent.flatMap(({ batch }) => batch).filter(({ anonymousId }) => anonymousId === id);
  assert.equal(events, new Set(own.map(({ messageId }) => messageId)).size);
});

test("a browser that lost its profile gets the server's back, and what happens then counts once", { timeout }, async () => {
  const page = await open();
  for (const form of ["demo", "contact", "demo"]) await track(page, "Form Submitted", { form });
  await settled(page);
  await confirmed(page, 1);
  for (const text of [undefined, "damaged", btoa("RPP9 of tomorrow")]) {
    if (text === undefined) await drop(page, "profile");
    else await put(page, "profile", text);
    await page.reload();
    await page.waitForFunction(() => window.decisions.some(({ cause }) => cause === "hints"));
    await settled(page);
    const hints = await hintsOf(page.sent[0]);
    assert.equal(await entry(page, "profile"), hints.profile);
    const scores = await page.evaluate(() => window.decisions.map(({ score }) => score));
    assert.ok(scores.at(-1) > scores[0], scores.join());
  }
  const before = count(await entry(page, "profile"));
  await track(page, "Once");
  assert.equal(count(await entry(page, "profile")), before + 1);
});

test("what is not acknowledged yet is folded on top of the server's profile", { timeout }, async () => {
  const page = await open();
  await settled(page);
  await confirmed(page, 1);
  await drop(page, "profile", "hints");
  // The answer is held back until something else has happened.
  let release;
  const held = new Promise((resolve) => (release = resolve));
  const asked = new Promise((resolve) => {
    void page.route("**/v1/events", async (route) => {
      const answer = await route.fetch();
      resolve();
      await held;
      await route.fulfill({ response: answer });
    });
  });
  await page.reload();
  await asked;
  await track(page, "Meanwhile");
  release();
  await page.waitForFunction(() => Object.keys(localStorage).some((key) => key.endsWith(":hints")));
  await page.unroute("**/v1/events");
  await settled(page);
  const hints = await hintsOf(page.sent[0]);
  await until(async () => count(await entry(page, "profile")) === hints.events, "each event once");
  assert.ok(page.sent.some(({ batch }) => batch.some(({ event }) => event === "Meanwhile")));
});

test("hints outlive the page: what is older is left, what has expired is dropped", { timeout }, async () => {
  const page = await open();
  await settled(page);
  await confirmed(page, 1);
  const kept = JSON.parse(await entry(page, "hints"));
  const mine = await entry(page, "profile");
  await page.reload();
  await decision(page);
  await settled(page);
  assert.equal(JSON.parse(await entry(page, "hints")).version, kept.version);
  assert.ok(count(await entry(page, "profile")) > count(mine));
  // Something newer is here: the server's view comes, and is left.
  await put(page, "hints", JSON.stringify({ ...kept, version: kept.version + 1_000_000, bundle: "another" }));
  await page.reload();
  await decision(page);
  await track(page, "Asked");
  await settled(page);
  const before = await entry(page, "profile");
  assert.ok(page.sent.at(-1).hints || page.sent.at(-2).hints);
  assert.equal(JSON.parse(await entry(page, "hints")).version, kept.version + 1_000_000);
  assert.equal(await entry(page, "profile"), before);
  await put(page, "hints", JSON.stringify({ ...kept, version: kept.version + 1_000_000, until: Date.now() - 1 }));
  await page.reload();
  await confirmed(page);
  await until(async () => JSON.parse((await entry(page, "hints")) ?? "{}").version < kept.version + 1_000_000, "hints after those that expired");
});

/** A page whose server answers each batch that asks with `change(hints)`; says what the page noted. */
async function lied(change) {
  const context = await browser.newContext();
  const notes = [];
  const answered = [];
  await context.route("**/v1/events", async (route) => {
    const answer = await route.fetch();
    const body = await answer.json();
    const given = JSON.parse(route.request().postData());
    if (!given.hints) return route.fulfill({ response: answer });
    const text = change(body, given);
    answered.push(text);
    return route.fulfill({ response: answer, body: typeof text === "string" ? text : JSON.stringify(text) });
  });
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(error));
  page.on("console", (message) => { if (message.text().includes("the server's view")) notes.push(message.text()); });
  await page.addInitScript(() => {
    window.decisions = [];
    window.addEventListener("rapport:decision", (event) => window.decisions.push(event.detail));
  });
  await page.goto(`${demo.sites[0]}?rapport-debug`);
  await decision(page);
  await until(async () => {
    if (notes.length > 0) return true;
    await track(page, "More");
    await settled(page);
    return false;
  }, "an answer that lies");
  return { page, notes, answered };
}

const LIES = {
  "another visitor's": [(body) => ({ ...body, hints: { ...body.hints, anonymousId: "somebody-else-entirely" } }), /another visitor's/],
  "no JSON": [() => "<html>captive portal</html>", /not understood/],
  "another shape": [(body) => ({ ...body, hints: [[[["x"]]]] }), /another visitor's/],
  "a word": [() => "null", /did not come/],
  "a megabyte": [(body) => ({ ...body, hints: { ...body.hints, profile: "A".repeat(1 << 20) } }), /too long/],
  "a profile of a newer version": [(body, { batch }) => ({ ...body, hints: good(body, batch, { profile: btoa(`RPP9${"x".repeat(90)}`) }) }), /damaged/],
  "a profile that is no text": [(body, { batch }) => ({ ...body, hints: good(body, batch, { profile: { a: 1 } }) }), /damaged/],
  "a damaged profile": [(body, { batch }) => ({ ...body, hints: good(body, batch, { profile: "UlBQMQ==" }) }), /damaged/],
  "a version that is none": [(body, { batch }) => ({ ...body, hints: good(body, batch, { version: "1e9" }) }), /not understood/],
  "a version below nothing": [(body, { batch }) => ({ ...body, hints: good(body, batch, { version: -1 }) }), /not understood/],
  "signals that are none": [(body, { batch }) => ({ ...body, hints: good(body, batch, { signals: [["x", {}], 7] }) }), /not understood/],
  "what has expired": [(body, { batch }) => ({ ...body, hints: good(body, batch, { expires: 1_000 }) }), /expired/],
  "another bundle's": [(body, { batch }) => ({ ...body, hints: good(body, batch, { bundle: "f".repeat(64) }) }), /next page takes/],
  "an id that is none": [(body) => ({ ...body, visitor: "'; drop table" }), /the id in it is none/],
  "an id of another kind": [(body) => ({ ...body, visitor: { toString: 1 } }), /the id in it is none/],
};

/** Hints that are right but for what is changed. */
function good({ hints }, [{ anonymousId }], changed) {
  return { version: 1, now: Date.now(), expires: Date.now() + 60_000, anonymousId, profile: "", ...hints, ...changed };
}

test("an answer that lies is left, said so, and breaks nothing", { timeout: timeout * 2 }, async () => {
  for (const [what, [change, note]] of Object.entries(LIES)) {
    const { page, notes } = await lied(change);
    assert.match(notes.join("\n"), note, what);
    const id = await page.evaluate(() => window.rapport.anonymousId);
    assert.equal(await entry(page, "hints"), null, what);
    assert.equal(JSON.parse(await entry(page, "id")).anonymousId, id, what);
    const before = count(await entry(page, "profile"));
    await track(page, "Still Here");
    assert.equal(count(await entry(page, "profile")), before + 1, what);
    assert.equal((await decision(page)).cause, "Still Here", what);
    assert.deepEqual(page.errors, [], what);
    await leave(page.context());
  }
});

test("a server that always lies is asked no more than three times a visit", { timeout }, async () => {
  const { page, answered } = await lied((body) => ({ ...body, hints: 7 }));
  for (let round = 0; round < 5; round += 1) {
    await track(page, "Round", { round });
    await settled(page);
  }
  assert.equal(answered.length, 3);
});

test("before a grant nothing is asked or kept, and an answer that comes after a withdrawal is left", { timeout }, async () => {
  const context = await browser.newContext();
  await context.addInitScript(() => {
    const script = () => document.querySelector("script[src*='/v1/sdk/']");
    new MutationObserver(() => { if (script()) script().dataset.rapport = '{"consent": {"mode": "strict"}}'; }).observe(document, { childList: true, subtree: true });
  });
  const sent = [];
  context.on("request", (request) => { if (request.url().endsWith("/v1/events")) sent.push(request.postData()); });
  const page = await context.newPage();
  await page.goto(demo.sites[0]);
  await page.waitForFunction(() => window.rapport?.track);
  await track(page, "Held");
  assert.deepEqual(await names(page), []);
  let withdraw;
  const held = new Promise((resolve) => (withdraw = resolve));
  const asked = new Promise((resolve) => {
    void page.route("**/v1/events", async (route) => {
      const answer = await route.fetch();
      if (JSON.parse(route.request().postData()).hints) {
        resolve();
        await held;
      }
      await route.fulfill({ response: answer });
    });
  });
  assert.deepEqual(sent, []);
  await page.evaluate(() => window.rapport.consent({ analytics: true, profiling: true, personalization: true }));
  await page.waitForFunction(() => window.rapport.decision);
  await track(page, "Asked");
  await asked;
  await page.evaluate(() => window.rapport.consent({ analytics: true, profiling: false }));
  withdraw();
  await settled(page);
  await page.evaluate(() => window.rapport.flush());
  assert.equal(await page.evaluate(() => window.rapport.decision), undefined);
  const left = (await names(page)).map((name) => name.split(":").at(-1));
  assert.ok(!left.includes("hints") && !left.includes("profile"), left.join());
});

test("a browser whose storage was emptied gets its id back by the server's cookie, and its profile", { timeout }, async () => {
  const context = await browser.newContext();
  const sdk = await (async () => {
    const page = await open({ context });
    return page.evaluate(() => document.querySelector("script[src*='/v1/sdk/']").src);
  })();
  // A page on the server's own host, as behind a proxy of the website's own.
  await context.route(`${server}/shop*`, (route) => route.fulfill({ contentType: "text/html", body: `<!doctype html><title>shop</title><script async src="${sdk}"></script>` }));
  const page = await open({ context, url: `${server}/shop` });
  const id = await page.evaluate(() => window.rapport.anonymousId);
  for (const form of ["demo", "contact"]) await track(page, "Form Submitted", { form });
  await settled(page);
  await until(async () => (await context.cookies()).some(({ name }) => name === "rapport_vid"), "the visitor cookie");
  const { score } = await decision(page);
  await page.evaluate(() => localStorage.clear());
  await page.goto(`${server}/shop?again`);
  await decision(page);
  await until(async () => {
    await track(page, "Back");
    await settled(page);
    return (await page.evaluate(() => window.rapport.anonymousId)) === id;
  }, "the old id");
  await until(async () => {
    await track(page, "Known");
    await settled(page);
    return page.evaluate(() => window.decisions.some(({ cause }) => cause === "hints"));
  }, "the old profile");
  const hints = await hintsOf(page.sent.find(({ batch }) => batch[0].anonymousId === id));
  await until(async () => count(await entry(page, "profile")) === hints.events, "each event once");
  assert.ok((await decision(page)).score >= score);
  // Whoever comes after a reset is somebody else, whatever the cookie says.
  await page.evaluate(() => window.rapport.reset());
  const next = await page.evaluate(() => window.rapport.anonymousId);
  assert.notEqual(next, id);
  const before = page.sent.length;
  await until(async () => {
    await track(page, "Somebody Else");
    await settled(page);
    return JSON.parse((await entry(page, "hints")) ?? "{}").anonymousId === next;
  }, "hints of the new visitor");
  assert.ok(page.sent.slice(before).every(({ batch }) => batch.every(({ anonymousId }) => anonymousId === next)));
  await page.evaluate(() => window.rapport.consent({ analytics: false, profiling: false }));
  await until(async () => !(await context.cookies()).some(({ name }) => name === "rapport_vid"), "a refusal to take the cookie");
});

/** Asks the API as the owner of both workspaces. */
async function api(method, path, body) {
  const headers = { cookie: owner, origin: server, "content-type": "application/json" };
  const answer = await fetch(server + path, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.status === 204 ? undefined : answer.json();
}

test("who signs in on a second device sees the score of both, and a refusal on one reaches the other", { timeout }, async () => {
  const { workspaces } = await api("GET", "/v1/session");
  await api("PUT", "/v1/session", { workspace: workspaces.find(({ name }) => name === "Tidewright").id });
  const { secret } = await api("POST", "/v1/identity-secrets");
  const user = `user-${Date.now()}`;
  const token = identityToken(secret, user, { expiresIn: 3600 });
  const signIn = (page, proof) => page.evaluate(([user, token]) => window.rapport.identify(user, {}, { token }), [user, proof]);

  const phone = await open();
  await phone.evaluate(() => window.rapport.consent({ analytics: true, profiling: true, personalization: true }));
  for (const form of ["demo", "contact", "demo"]) await track(phone, "Form Submitted", { form });
  await signIn(phone, token);
  await settled(phone);

  const laptop = await open();
  await settled(laptop);
  const alone = await decision(laptop);
  // A claim gets nothing of that person.
  await signIn(laptop, undefined);
  await settled(laptop);
  assert.ok(count(await entry(laptop, "profile")) < 6);
  await signIn(laptop, token);
  let both;
  await until(async () => {
    await settled(laptop);
    both = await hintsOf(laptop.sent[0]);
    return both.events > 6 && (await entry(laptop, "profile")) === both.profile;
  }, "the profile of both");
  assert.ok((await decision(laptop)).score > alone.score);
  assert.equal((await decision(laptop)).cause, "hints");
  assert.equal((await hintsOf(phone.sent[0])).profile, both.profile);

  await phone.evaluate(() => window.rapport.consent({ profiling: false }));
  await settled(phone);
  await drop(laptop, "hints");
  await laptop.reload();
  await until(async () => {
    await track(laptop, "Looked");
    await settled(laptop);
    return laptop.evaluate(() => window.rapport.consentTo("profiling") === "denied");
  }, "the refusal");
  assert.equal(await laptop.evaluate(() => window.rapport.decision), undefined);
  assert.equal(await entry(laptop, "profile"), null);
  await settled(laptop);
  assert.ok(laptop.sent.at(-1).batch.some(({ event }) => event === "Consent Updated"));
});

test("a new bundle's signals, and what only the server sets, come as hints and go when they expire", { timeout }, async () => {
  const { workspaces } = await api("GET", "/v1/session");
  await api("PUT", "/v1/session", { workspace: workspaces.find(({ name }) => name === "Fernhollow").id });
  const context = await browser.newContext();
  // The one address whose answer changes is kept for a minute.
  await context.route("**/v1/sdk/*", (route) => route.continue());
  const page = await open({ context, url: demo.sites[1] });
  await track(page, "Form Submitted", { form: "demo" });
  await settled(page);
  await confirmed(page, 1);
  const before = await entry(page, "profile");
  const [{ id }] = (await api("GET", "/v1/visitors")).visitors;

  const signals = JSON.parse(await readFile(new URL("../../../examples/demo/signals.json", import.meta.url)));
  signals.push({ id: 900, name: "all", label: "All", kind: "count" }, { id: 901, name: "open_deals", label: "Open deals", kind: "server" });
  const leads = Buffer.from(importModel("lightgbm", new TextEncoder().encode(DEALS), 0.3, 0.6)).toString("base64");
  await api("POST", "/v1/bundles", { bundle: { signals, models: [{ name: "leads" }] }, models: { leads } });
  assert.ok(!states(before).has(900) && !states(before).has(901));
  const folded = states(await agreed(page, page.sent[0]));
  assert.equal(folded.get(900).readUInt32LE(), count(await entry(page, "profile")), "from the first event on");
  assert.ok(folded.has(901) && folded.get(901) === undefined, "known to be missing");

  await api("PUT", `/v1/profiles/${id}/signals`, { signals: { open_deals: 7 } });
  await until(async () => states(await agreed(page, page.sent[0])).get(901)?.readDoubleLE() === 7, "what the server set");
  assert.deepEqual(JSON.parse(await entry(page, "hints")).signals, [901]);
  const { score, reasons } = await page.evaluate(() => window.rapport.decision);
  assert.deepEqual([score, reasons.map(({ signal, server }) => [signal, server])], [73, [[901, true]]]);
  await inspector(page);
  assert.deepEqual((await shown(page)).texts, ["Open deals: 7 (from the server)"]);

  await put(page, "hints", JSON.stringify({ ...JSON.parse(await entry(page, "hints")), until: Date.now() - 1 }));
  await context.route("**/v1/events", (route) => route.abort());
  await page.reload();
  await decision(page);
  await track(page, "Offline");
  assert.equal(states(await entry(page, "profile")).get(901), undefined);
  assert.equal((await decision(page)).score, 27);
  assert.deepEqual(page.errors, []);
});
