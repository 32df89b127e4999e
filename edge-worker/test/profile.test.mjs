// What an edge remembers of a visitor by the events that went through it: in a cookie that nobody else can write.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { startHouse } from "./house.mjs";

const flags = {
  features: {
    pitch: { defaultValue: { type: "text", text: "calm" }, rules: [{ id: "hot", force: { type: "text", text: "loud" }, condition: { $score: { $gte: 30 } } }] },
    offer: { defaultValue: null, rules: [{ key: "offer-test", variations: [{ type: "text", text: "one" }, { type: "text", text: "two" }], meta: [{ key: "1" }, { key: "2" }], hashVersion: 2, bucketVersion: 1 }] },
  },
  experiences: [{ key: "twice", slot: "note", content: { type: "text", text: "seen rarely" }, cap: { times: 2 } }],
};
const PAGE = `<!doctype html><html><head><title>Shop</title></head><body><h1 data-rapport-slot="pitch">Hello</h1><p data-rapport-slot="note">plain</p><p data-rapport-slot="offer">none</p></body></html>`;
const SECRET = "a secret that is long enough";

let house, edge, site, origin;

before(async () => {
  house = await startHouse(flags);
  await house.publish();
  site = createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end(PAGE));
  await new Promise((ready) => site.listen(0, "127.0.0.1", ready));
  origin = `http://127.0.0.1:${site.address().port}`;
  edge = await house.startEdge({ site: origin, secret: SECRET });
});

after(async () => {
  await edge?.stop();
  site?.close();
  site?.closeAllConnections();
  await house?.stop();
});

/** A browser: it keeps what it is given, and is on the site's pages. */
function browser(anonymousId, at = () => edge) {
  let cookie, number = 0;
  const headers = (more) => {
    const id = `rapport_${house.key}_id=${encodeURIComponent(JSON.stringify({ anonymousId, sequence: 0 }))}`;
    return { origin: at().url, cookie: [id, cookie].filter(Boolean).join("; "), ...more };
  };
  const taken = (answer) => {
    const [set] = answer.headers.getSetCookie().filter((one) => one.startsWith(`rapport_${house.key}_edge=`));
    if (set) cookie = /Max-Age=0/.test(set) ? undefined : set.split(";")[0];
    return set;
  };
  return {
    get cookie() { return cookie; },
    set cookie(other) { cookie = other; },
    event: (type, more = {}) => ({ type, anonymousId, messageId: `${anonymousId}-${(number += 1)}`, timestamp: new Date().toISOString(), ...more }),
    page(path, more) {
      const page = { path, url: `https://acme.example${path}` };
      return this.event("page", { properties: page, context: { page }, ...more });
    },
    async send(batch, more = {}) {
      const answer = await fetch(`${at().url}/v1/events?key=${house.key}`, { method: "POST", body: JSON.stringify({ sentAt: new Date().toISOString(), batch, ...more }), headers: headers() });
      assert.equal(answer.status, 200, await answer.clone().text());
      return taken(answer);
    },
    async decide(more = {}) {
      const answer = await fetch(`${at().url}/v1/decide`, { method: "POST", body: JSON.stringify({ key: house.key, anonymousId, ...more }), headers: headers() });
      assert.equal(answer.status, 200, await answer.clone().text());
      return answer.json();
    },
    async visit(path = "/", more = {}) {
      const answer = await fetch(at().url + path, { headers: headers({ accept: "text/html", ...more }) });
      const text = await answer.text();
      const hydration = text.match(/id="rapport-hydration"[^>]*>(.*?)<\/script>/);
      taken(answer);
      return { text, hydration: hydration && JSON.parse(hydration[1]) };
    },
  };
}

const said = ({ score, band, base, reasons, rest }) => ({ score, band, base, reasons: reasons.map(({ signal, points }) => [signal, points]), rest });

test("a visitor who comes back is scored as what they are", async () => {
  const visitor = browser("returning-1");
  const events = ["/", "/pricing", "/pricing", "/contact", "/docs/a"].map((path) => visitor.page(path));
  const unknown = await visitor.decide();
  await visitor.send(events.slice(0, 2));
  const set = await visitor.send(events.slice(2));
  assert.match(set, /HttpOnly; SameSite=Lax; Max-Age=\d{8}/);
  const [here, there] = [await visitor.decide(), await browser("returning-1").decide({ events })];
  assert.deepEqual(said(here), said(there), "what was folded batch by batch is what is folded at once");
  assert.notDeepEqual(said(here), said(unknown));
});

test("what a page sends again counts once", async () => {
  const visitor = browser("again-1");
  const events = ["/", "/pricing"].map((path) => visitor.page(path));
  await visitor.send(events);
  const once = await visitor.decide();
  await visitor.send(events);
  const pending = await visitor.decide({ events });
  assert.deepEqual([said(await visitor.decide()), said(pending)], [said(once), said(once)]);
});

test("a page in flight is decided as if its view was told", async () => {
  const visitor = browser("flight-1");
  for (let turn = 0; turn < 3; turn += 1) await visitor.send(["/pricing", "/contact", "/product"].map((path) => visitor.page(path)));
  const { text, hydration } = await visitor.visit("/pricing");
  const told = await visitor.decide({ events: [visitor.page("/pricing")] });
  assert.equal(hydration.verdict.score, told.score);
  assert.ok(text.includes(told.score >= 30 ? ">loud</h1>" : ">calm</h1>"));
  const again = await visitor.visit("/pricing");
  assert.equal(again.hydration.verdict.score, hydration.verdict.score, "to look is not to tell");
});

test("caps count what was shown, and a variation stays whoever changes the weights", async () => {
  const visitor = browser("capped-1");
  assert.ok((await visitor.visit()).text.includes("seen rarely"));
  const seen = () => visitor.event("track", { event: "Experience Viewed", properties: { experienceId: "twice" } });
  await visitor.send([seen()]);
  assert.ok((await visitor.visit()).text.includes("seen rarely"));
  await visitor.send([seen()]);
  assert.ok((await visitor.visit()).text.includes(">plain</p>"), "twice is enough");

  const { hydration } = await visitor.visit();
  const { properties } = hydration.features.offer.seen[0];
  const other = properties.variationId === "1" ? "2" : "1";
  await visitor.send([visitor.event("track", { event: "Experiment Viewed", properties: { ...properties, variationId: other } })]);
  const later = await visitor.visit();
  assert.equal(later.hydration.features.offer.variant, other, "what was seen first is remembered");
});

test("a cookie that this edge did not write counts for nothing", async () => {
  const visitor = browser("forged-1");
  await visitor.send([visitor.page("/pricing"), visitor.page("/contact")]);
  const [mine, good] = [visitor.cookie, await visitor.decide()];
  const [name, value] = mine.split("=");
  const flipped = (at) => value.slice(0, at) + (value[at] === "A" ? "B" : "A") + value.slice(at + 1);
  const stranger = said(await browser("forged-1").decide());
  assert.notDeepEqual(said(good), stranger);
  for (const wrong of ["", "x", "%00", "A".repeat(1_400), "A".repeat(100_000 / 8), flipped(0), flipped(30), flipped(value.length - 4), value.slice(0, -8), `${value}AAAA`]) {
    visitor.cookie = `${name}=${wrong}`;
    assert.deepEqual(said(await visitor.decide()), stranger, wrong.slice(0, 20));
    assert.ok((await visitor.visit()).text.includes("data-rapport-slot"));
  }
  // Somebody else's, signed as it is, is about somebody else.
  const thief = browser("forged-2");
  thief.cookie = mine;
  assert.deepEqual(said(await thief.decide()), said(await browser("forged-2").decide()));
  await thief.send([thief.page("/")]);
  assert.deepEqual(said(await thief.decide()), said(await browser("forged-2").decide({ events: [thief.page("/")] })));
});

test("it is small, and says nothing of whom it is about", async () => {
  const visitor = browser("somebody-with-a-long-id-4711");
  const person = { userId: "ada@acme.example", traits: { email: "ada@acme.example", employees: 250, occupation: "Businessman" } };
  for (let turn = 0; turn < 12; turn += 1) {
    const pages = Array.from({ length: 20 }, (_, at) => visitor.page(`/docs/${turn}-${at}`, { userId: person.userId }));
    await visitor.send([...pages, visitor.event("identify", person), visitor.event("track", { event: "Form Submitted", properties: { form: "demo" } }), visitor.event("track", { event: "Experience Viewed", properties: { experienceId: "twice" } })]);
  }
  assert.ok(visitor.cookie.length <= 1_500, `${visitor.cookie.length} bytes`);
  const bytes = Buffer.from(visitor.cookie.split("=")[1], "base64url").toString("latin1");
  for (const text of ["ada", "somebody", "acme", "demo", "twice", "Businessman"]) assert.ok(!bytes.includes(text), text);
});

test("who refuses to be profiled is forgotten, and who wants no cookies gets none", async () => {
  const visitor = browser("refusing-1");
  await visitor.send([visitor.page("/pricing")]);
  assert.ok(visitor.cookie);
  const set = await visitor.send([visitor.page("/", { context: { consent: { profiling: false } } })]);
  assert.match(set, /Max-Age=0/);
  assert.equal(visitor.cookie, undefined);
  assert.equal(await browser("nameless").send([{ type: "page", messageId: "n1" }], { cookieless: true }), undefined);
});

test("secrets can be changed: what an earlier one signed counts", async () => {
  const later = await house.startEdge({ site: origin, secret: `another secret as long, ${SECRET}`, folder: `${process.env.TMPDIR ?? "/tmp"}/rapport-edge-later-${process.pid}` });
  const stranger = await house.startEdge({ site: origin, secret: "the secret of somebody else", folder: `${process.env.TMPDIR ?? "/tmp"}/rapport-edge-stranger-${process.pid}` });
  try {
    const visitor = browser("moving-1");
    await visitor.send([visitor.page("/pricing"), visitor.page("/contact")]);
    const at = async (where) => {
      const other = browser("moving-1", () => where);
      other.cookie = visitor.cookie;
      return said(await other.decide());
    };
    assert.deepEqual(await at(later), await at(edge));
    assert.notDeepEqual(await at(stranger), await at(edge));
    // Told anew, it goes on from there, by the later secret.
    const moved = browser("moving-1", () => later);
    moved.cookie = visitor.cookie;
    await moved.send([moved.page("/docs", { messageId: "moved" })]);
    await visitor.send([visitor.page("/docs", { messageId: "moved" })]);
    assert.deepEqual(said(await moved.decide()), said(await visitor.decide()));
  } finally {
    await Promise.all([later.stop(), stranger.stop()]);
  }
});

test("an edge without a secret keeps nothing of anybody", async () => {
  const plain = await house.startEdge({ site: origin, folder: `${process.env.TMPDIR ?? "/tmp"}/rapport-edge-plain-${process.pid}` });
  try {
    const visitor = browser("plain-1", () => plain);
    assert.equal(await visitor.send([visitor.page("/pricing")]), undefined);
  } finally {
    await plain.stop();
  }
});
