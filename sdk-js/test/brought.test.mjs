// Models that only the workspace's server can run, on a customer's own server: the same score as the server says, else the fallback's.
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openRapport } from "../dist/server.js";
import { startServer } from "./site/serve.mjs";

const timeout = 120_000;
const folder = await mkdtemp(join(tmpdir(), "rapport-brought-"));
const server = await startServer({ models: [{ name: "leads", score_in_page: "edge" }] });
after(() => Promise.all([server.close(), rm(folder, { recursive: true })]));
const { url: endpoint, key, secret: secretKey } = server;
const NOW = Date.UTC(2026, 10, 23, 12);
const looks = (count) => Array.from({ length: count }, (_, at) => ({ type: "page", timestamp: new Date(NOW - 60_000 * (count - at)).toISOString(), messageId: `m${at}`, context: { page: { path: "/pricing", url: "https://example.com/pricing" } } }));
const visitor = { anonymousId: "a1", events: looks(3), now: NOW };

const read = (path) => readFile(new URL(`../../${path}`, import.meta.url), "base64");
const signals = (names) => names.map((name) => ({ name, missing: 0 }));
const MODELS = {
  visits: { file: "conformance/brought/visits.wasm", signals: ["pricing_views", "page_views"], background: [[0, 1], [1, 4]] },
  net: { file: "onnx/tests/exports/mlp.onnx", signals: ["page_views", "visits", "engaged_seconds", "visit_pages", "pricing_views", "product_views"], background: [[0, 1, 2, 3, 0, 1], [1, 4, 9, 2, 2, 0]] },
};

/** Adds a model and makes it live. */
async function bring(name) {
  const { file, signals: names, background } = MODELS[name];
  const card = { name, bands: { not_below: 0.25, qualified_from: 0.45 }, signals: signals(names), background };
  await server.ask("POST", "/v1/models", { card, file: await read(file) });
  await server.ask("POST", `/v1/models/${name}/promote`, {});
}

const told = async (question) => {
  const headers = { authorization: `Bearer ${secretKey}`, "content-type": "application/json" };
  return (await fetch(`${endpoint}/v1/decide`, { method: "POST", headers, body: JSON.stringify(question) })).json();
};
const addsUp = ({ score, base, reasons, rest }) => assert.equal(reasons.reduce((sum, { points }) => sum + points, base + rest), score);

/** Resolves when the feature is here: what is authored is published a moment later. */
async function published(rapport, feature) {
  for (const ends = performance.now() + 30_000; !rapport.keys.includes(feature); await rapport.refresh()) {
    assert.ok(performance.now() < ends, `${feature} is not published`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A server that stands before the real one, and answers questions for scores as the test says. */
async function standIn(answer) {
  const state = { answer, asked: 0 };
  const proxy = createServer(async (request, response) => {
    if (request.url === "/v1/decide") {
      state.asked += 1;
      return state.answer(response);
    }
    const { authorization } = request.headers;
    const real = await fetch(endpoint + request.url, { headers: authorization ? { authorization } : {} });
    response.writeHead(real.status, { "content-type": real.headers.get("content-type") ?? "" }).end(Buffer.from(await real.arrayBuffer()));
  });
  await new Promise((ready) => proxy.listen(0, "127.0.0.1", ready));
  after(() => proxy.closeAllConnections() ?? proxy.close());
  return { state, endpoint: `http://127.0.0.1:${proxy.address().port}` };
}

test("a private model of the workspace's own scores here as on the server", { timeout }, async () => {
  const rapport = await openRapport({ key, endpoint, secretKey });
  assert.equal(await rapport.ask(visitor), visitor, "there is nothing to ask");
  const { score, probability, band } = rapport.explain(visitor);
  const said = await told({ events: visitor.events, now: NOW });
  assert.deepEqual({ score, probability, band }, { score: said.score, probability: said.probability, band: said.band });
});

for (const name of ["visits", "net"]) {
  test(`the server's score by ${MODELS[name].file} is what decides`, { timeout }, async () => {
    await bring(name);
    await server.ask("POST", "/v1/features", { key: `hot-${name}`, status: "running", definition: { defaultValue: "no", rules: [{ condition: { $score: { $exists: true } }, force: "yes" }] } });
    const rapport = await openRapport({ key, endpoint, secretKey });
    await published(rapport, `hot-${name}`);
    const said = await told({ anonymousId: "a1", events: visitor.events, now: NOW, reasons: 5 });
    assert.equal(said.scoredBy, name);
    const known = await rapport.ask(visitor);
    const { features, why, bundle, ...decided } = rapport.decide(known);
    const { label, asOf, ...wanted } = { ...said, reasons: said.reasons.map(({ label, ...reason }) => reason) };
    assert.deepEqual(decided, wanted);
    addsUp(decided);
    assert.equal(rapport.score(known), said.score);
    assert.equal(features[`hot-${name}`].value, "yes");
    assert.equal(rapport.feature(`hot-${name}`, known).value, "yes");
    assert.ok(why.some((sentence) => sentence.startsWith("+")), why.join("\n"));
    assert.ok(rapport.explain(known).reasons.every(({ error }) => typeof error === "number"));

    const many = { ...visitor, events: Array.from({ length: 150 }, (_, at) => ({ ...looks(1)[0], messageId: `n${at}`, context: { page: { path: "/" } } })).concat(looks(2)) };
    const { score, scoredBy, fault } = rapport.explain(await rapport.ask(many));
    assert.deepEqual({ scoredBy, fault }, { scoredBy: name, fault: undefined }, "more events than a question takes are folded here");
    if (name === "visits") assert.equal(score, 40);
    const large = looks(60).map((event) => ({ ...event, context: { page: { path: "/" } }, properties: { text: "x".repeat(1_200) } }));
    assert.equal(rapport.explain(await rapport.ask({ ...visitor, events: large })).scoredBy, name, "and larger ones");
    assert.equal(await rapport.ask({ ...visitor, consent: { profiling: false } }).then((refusing) => rapport.score(refusing)), undefined);
  });
}

test("where the model fails, the server's fallback scores and says why", { timeout }, async () => {
  await server.ask("POST", "/v1/models/visits/promote", {});
  const rapport = await openRapport({ key, endpoint, secretKey });
  const verdict = rapport.explain(await rapport.ask({ ...visitor, events: looks(14) }));
  assert.deepEqual([verdict.scoredBy, verdict.fault], ["leads", "trap"]);
  addsUp(verdict);
});

test("nobody asked, no key, and from a file: the fallback scores, with the reason", { timeout }, async () => {
  const cache = join(folder, "bundle.json");
  const trusted = await openRapport({ key, endpoint, secretKey, cache });
  const own = trusted.explain(visitor);
  assert.deepEqual([own.scoredBy, own.fault, typeof own.score], ["leads", "absent", "number"]);
  addsUp(own);
  const offline = await openRapport({ file: cache });
  const { score, scoredBy, fault } = offline.decide(await offline.ask(visitor));
  assert.deepEqual([score, scoredBy, fault], [own.score, "leads", "absent"]);
  const open = await openRapport({ key, endpoint });
  const unknown = open.decide(await open.ask(visitor));
  assert.deepEqual([unknown.score, unknown.fault], [undefined, "absent"], "unknown, never 0, where the fallback is private too");
  assert.equal(unknown.features["hot-visits"].value, "no");
});

test("a server that is slow, away or talks nonsense costs one wait, and the fallback scores", { timeout }, async () => {
  const drip = (response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const timer = setInterval(() => response.write(" "), 20);
    response.on("close", () => clearInterval(timer));
  };
  const cases = [
    ["time", () => undefined],
    ["time", drip],
    ["absent", (response) => response.writeHead(503).end()],
    ["absent", (response) => response.writeHead(401, { "content-type": "application/problem+json" }).end('{"detail":"no such key"}')],
    ["absent", (response) => response.destroy()],
    ["nonsense", (response) => response.end("<html>")],
    ["nonsense", (response) => response.end('{"score":250,"probability":1,"band":"qualified","base":0,"reasons":[],"rest":250}')],
    ["nonsense", (response) => response.end('{"score":50,"probability":0.5,"band":"qualified","base":0,"reasons":[],"rest":3}')],
    ["nonsense", (response) => response.end("x".repeat(300_000))],
  ];
  const { state, endpoint: other } = await standIn();
  for (const [fault, answer] of cases) {
    state.answer = answer;
    const heard = [];
    const rapport = await openRapport({ key, endpoint: other, secretKey, patience: fault === "time" ? 150 : 30_000, onFault: (...said) => heard.push(said) });
    const before = state.asked;
    for (let view = 0; view < 3; view += 1) {
      const verdict = rapport.explain(await rapport.ask(visitor));
      assert.deepEqual([verdict.fault, verdict.scoredBy], [fault, "leads"], String(answer));
    }
    assert.equal(state.asked, before + 1, "who failed is not asked again at once");
    assert.equal(heard.length, 1);
    assert.equal(heard[0][0], fault);
    assert.ok(!heard[0][1].includes(secretKey));
  }
});
