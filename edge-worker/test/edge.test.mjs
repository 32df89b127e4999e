// What an edge answers, whichever host carries it.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { startHouse } from "./house.mjs";

let house, edge, publicKey;

before(async () => {
  house = await startHouse();
  publicKey = await house.publish();
  edge = await house.startEdge({ publicKey });
});

after(async () => {
  await edge?.stop();
  await house?.stop();
});

const post = (path, body, headers = {}) => fetch(edge.url + path, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body), headers });
const decide = async (visitor, at = edge.url) => {
  const answer = await fetch(`${at}/v1/decide`, { method: "POST", body: JSON.stringify({ key: house.key, ...visitor }) });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
};
const evaluate = async (visitor, at = edge.url) => {
  const answer = await fetch(`${at}/v1/evaluate?key=${house.key}`, { method: "POST", body: JSON.stringify(visitor) });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
};
const page = (path, at = {}) => ({ type: "page", anonymousId: "visitor-1", messageId: `m${path}`, timestamp: new Date().toISOString(), context: { page: { path, url: `https://acme.example${path}` } }, properties: { path }, ...at });

test("it scores what happened as the backend does, with the same reasons", async () => {
  const visitor = { anonymousId: "visitor-1", events: [page("/pricing"), page("/pricing", { messageId: "again" }), page("/contact")] };
  const [here, there] = [await decide(visitor), await decide(visitor, house.backend)];
  for (const member of ["score", "band", "base", "rest", "reasons"]) assert.deepEqual(here[member], there[member], member);
  assert.ok(Math.abs(here.probability - there.probability) < 1e-9);
  assert.equal(here.base + here.reasons.reduce((sum, { points }) => sum + points, 0) + here.rest, here.score);
  assert.ok((await decide({ ...visitor, reasons: 0 })).reasons.length === 0, "explanations are given on demand");
});

test("everything is decided by attributes, and said as the backend says it", async () => {
  const visitor = { anonymousId: "visitor-3", attributes: { country: "DE" }, now: Date.now() };
  const [here, there] = [await evaluate(visitor), await evaluate(visitor, house.backend)];
  assert.equal(here.features.plan.value, "pro");
  assert.deepEqual(here.features, there.features);
  assert.deepEqual([here.pages, here.experiences], [there.pages, there.experiences]);
  const { probability, ...score } = here.score;
  assert.deepEqual(score, (({ probability, ...rest }) => rest)(there.score));
  const arms = new Set();
  for (let number = 0; number < 20; number += 1) arms.add((await evaluate({ anonymousId: `visitor-${number}` })).features.headline.value);
  assert.deepEqual([...arms].sort(), ["cold", "warm"]);
});

test("a page that says of whom gets features and experiments with its score", async () => {
  const { flags, score } = await decide({ anonymousId: "visitor-1", visitor: { attributes: { country: "DE" } } });
  assert.equal(flags.features.plan.value, "pro");
  assert.equal(flags.features.headline.experimentResult.hashValue, "visitor-1");
  assert.deepEqual(flags.features.headline.exposures.map(({ experiment }) => experiment.key), ["headline-test"]);
  assert.equal(typeof score, "number");
});

test("nobody says by an attribute what only core knows", async () => {
  const { features } = await evaluate({ anonymousId: "a", attributes: { $score: 100 } });
  assert.equal(features.pitch.value, "calm");
});

test("who refuses profiling has no score, and who refuses personalization gets the defaults", async () => {
  const unscored = await evaluate({ anonymousId: "a", consent: { profiling: false } });
  assert.ok(unscored.score === null && unscored.features.limit.value === 5);
  const refusing = { anonymousId: "a", attributes: { country: "DE" }, events: [page("/", { context: { consent: { personalization: false } } })] };
  const { features } = await evaluate(refusing);
  assert.equal(features.plan.value, "free");
  assert.deepEqual(features.headline.exposures, []);
  assert.equal((await post("/v1/decide", { key: house.key, anonymousId: "a", events: [page("/", { context: { consent: { profiling: false } } })] })).status, 404);
});

test("answers about a visitor are kept by nobody", async () => {
  const answer = await post("/v1/decide", { key: house.key, anonymousId: "a" });
  assert.equal(answer.headers.get("cache-control"), "private, no-store");
  assert.equal(answer.headers.get("access-control-allow-origin"), "*");
});

test("what is no question, or somebody else's, is refused with a problem document", async () => {
  const wrong = [
    [{ key: "wk_live_other", anonymousId: "a" }, 401],
    [{ anonymousId: "a" }, 401],
    ["{", 400],
    [{ key: house.key, anonymousId: "" }, 400],
    [{ key: house.key, events: [{ type: "nonsense" }] }, 400],
    [{ key: house.key, profile: "AAAA" }, 400],
    [{ key: house.key, anonymousId: "x".repeat(70_000) }, 413],
  ];
  for (const [body, status] of wrong) {
    const answer = await post("/v1/decide", body);
    assert.equal(answer.status, status, JSON.stringify(body).slice(0, 80));
    assert.equal(answer.headers.get("content-type"), "application/problem+json");
    assert.equal((await answer.json()).status, status);
  }
  assert.equal((await fetch(`${edge.url}/v1/decide`)).status, 405);
  assert.equal((await fetch(`${edge.url}/v1/nothing`)).status, 404);
});

test("the SDK comes from the edge, with its parts, and pages talk to the edge", async () => {
  const answer = await fetch(`${edge.url}/v1/sdk/${house.key}.js`);
  assert.match(answer.headers.get("cache-control"), /max-age=60, stale-while-revalidate/);
  const script = await answer.text();
  const config = await (await fetch(`${edge.url}/v1/sdk/${house.key}.json`)).json();
  assert.ok(script.startsWith(`self.rapportConfig={`) && script.includes("currentScript"));
  assert.equal(config.endpoint, edge.url);
  const flags = await fetch(new URL(config.parts.flags, edge.url));
  assert.equal(flags.headers.get("cache-control"), "public, max-age=31536000, immutable");
  const bytes = Buffer.from(await flags.arrayBuffer());
  assert.ok(config.parts.flags.includes(createHash("sha256").update(bytes).digest("hex")));
  for (const path of ["/v1/sdk/wk_live_other.js", `/v1/parts/wk_live_other/${"a".repeat(64)}.bin`]) assert.equal((await fetch(edge.url + path)).status, 401);
  assert.equal((await fetch(`${edge.url}/v1/parts/${house.key}/..%2f..%2fsecret`)).status, 404);
});

test("a bundle is served by its hash for good, as it was signed", async () => {
  const { bundle } = await decide({ anonymousId: "a" });
  const answer = await fetch(`${edge.url}/v1/bundle/${bundle}`);
  assert.equal(answer.headers.get("cache-control"), "public, max-age=31536000, immutable");
  const { manifest, publicKey: signer } = await answer.json();
  assert.equal(createHash("sha256").update(manifest).digest("hex"), bundle);
  assert.equal(signer, publicKey);
  assert.equal((await fetch(`${edge.url}/v1/bundle/${"0".repeat(64)}`)).status, 404);
  assert.equal((await (await fetch(`${edge.url}/health`)).json()).bundle, bundle);
});

test("OpenFeature's protocol answers as the backend does", async () => {
  const headers = { authorization: `Bearer ${house.key}` };
  const context = { targetingKey: "visitor-7", country: "DE" };
  const ask = async (at, path, more = {}) => fetch(`${at}/ofrep/v1/evaluate/flags${path}`, { method: "POST", body: JSON.stringify({ context }), headers: { ...headers, ...more } });
  const all = await ask(edge.url, "");
  const { flags } = await all.json();
  const by = Object.fromEntries(flags.map((flag) => [flag.key, flag]));
  assert.deepEqual(by.plan, { key: "plan", reason: "TARGETING_MATCH", variant: "germans", metadata: { ruleId: "germans" }, value: "pro" });
  assert.deepEqual(by.limit, { key: "limit", reason: "STATIC", variant: "default", metadata: {}, value: 5 });
  assert.equal(by.headline.reason, "SPLIT");
  const again = await ask(edge.url, "", { "if-none-match": all.headers.get("etag") });
  assert.equal(again.status, 304);
  assert.equal((await ask(edge.url, "/nothing")).status, 404);
  assert.deepEqual(await (await ask(edge.url, "/plan")).json(), by.plan);
  const wrong = await post("/ofrep/v1/evaluate/flags/plan", { context: 1 }, headers);
  assert.deepEqual([wrong.status, (await wrong.json()).errorCode], [400, "INVALID_CONTEXT"]);
  assert.equal((await post("/ofrep/v1/evaluate/flags", {}, {})).status, 401);
});

test("while the backend is away it goes on, and starts again from what it kept", async () => {
  const { bundle } = await decide({ anonymousId: "a" });
  await fetch(`${edge.url}/v1/sdk/${house.key}.js`);
  house.cable.cut();
  try {
    await edge.stop();
    edge = await house.startEdge({ publicKey });
    assert.equal((await decide({ anonymousId: "a" })).bundle, bundle);
    const script = await fetch(`${edge.url}/v1/sdk/${house.key}.js`);
    assert.equal(script.status, 200);
    await script.text();
  } finally {
    house.cable.mend();
  }
});

test("a bundle that another key signed is refused", async () => {
  const other = await house.startEdge({ publicKey: Buffer.alloc(32, 1).toString("base64"), folder: `${process.env.TMPDIR ?? "/tmp"}/rapport-edge-other-${process.pid}` });
  try {
    const answer = await fetch(`${other.url}/v1/decide`, { method: "POST", body: JSON.stringify({ key: house.key, anonymousId: "a" }) });
    assert.equal(answer.status, 502);
    assert.match((await answer.json()).detail, /not signed by the key|public key/);
  } finally {
    await other.stop();
  }
});

test("a preflight is allowed what pages of any website ask", async () => {
  const answer = await fetch(`${edge.url}/ofrep/v1/evaluate/flags`, { method: "OPTIONS", headers: { "access-control-request-headers": "authorization", origin: "https://x.example" } });
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get("access-control-allow-headers"), "authorization");
});
