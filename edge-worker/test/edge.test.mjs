// What an edge answers, whichever host carries it.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";
import { eventually, experiments, startHouse } from "./house.mjs";

const flags = {
  features: {
    ...experiments.features,
    sticky: { defaultValue: null, rules: [{ key: "sticky-test", variations: ["one", "two"], meta: [{ key: "1" }, { key: "2" }], hashVersion: 2, bucketVersion: 1 }] },
  },
  experiments: [{ key: "shop", status: "running", variations: [{}, { domMutations: [{ selector: "h1", attribute: "text", action: "set", value: "x" }] }], hashAttribute: "id", urlPatterns: [{ type: "simple", include: true, pattern: "/shop*" }] }],
  experiences: [{ key: "capped", slot: "capped", content: { type: "text", text: "rarely" }, cap: { times: 1 } }],
};

let house, edge, publicKey;

before(async () => {
  house = await startHouse(flags);
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

test("what the edge and the backend decide for a page is the same, value for value", async () => {
  const sticky = (id, variation) => ({ [`id||${id}`]: { attributeName: "id", attributeValue: id, assignments: { "sticky-test__1": variation } } });
  const events = [page("/pricing"), page("/contact"), page("/pricing", { messageId: "again" })];
  const refusing = [page("/", { context: { consent: { personalization: false } } })];
  const asked = [
    ...Array.from({ length: 12 }, (_, number) => ({ anonymousId: `value-${number}`, events: number % 3 ? events : [], visitor: { attributes: { id: `value-${number}`, country: number % 2 ? "DE" : "FR" }, url: `https://acme.example/${number % 4 ? "shop" : ""}?x=${number}` } })),
    { anonymousId: "value-a", visitor: { attributes: {}, shown: { capped: { times: 1, last: Date.now() } } } },
    { anonymousId: "value-b", visitor: { attributes: { id: "value-b" }, stickyBucketAssignmentDocs: sticky("value-b", "2") } },
    { anonymousId: "value-c", visitor: { attributes: { id: "value-c" }, stickyBucketAssignmentDocs: sticky("value-c", "1") } },
    { anonymousId: "value-d", visitor: { attributes: { id: "value-d", $score: 100 }, forcedVariations: { "headline-test": 1, shop: 0 } } },
    { visitor: { attributes: { id: "value-e" }, url: "https://acme.example/shop" } },
    { anonymousId: "value-f", events: refusing, visitor: { attributes: { id: "value-f" } } },
    { anonymousId: "value-g", events },
  ];
  const plain = ({ bundle, probability, asOf, ...rest }) => rest;
  for (const question of asked) {
    const [here, there] = [await decide(question), await decide(question, house.backend)];
    if (!question.anonymousId) for (const member of ["score", "band", "base", "reasons", "rest", "probability", "asOf"]) (delete here[member], delete there[member]);
    assert.deepEqual(plain(here), plain(there), JSON.stringify(question));
  }
  assert.equal((await decide(asked[12])).flags.features.capped.value, null);
  assert.equal((await decide(asked[13])).flags.features.sticky.experimentResult.stickyBucketUsed, true);
  assert.equal((await decide(asked[17])).flags, undefined, "who refuses personalization is asked about nothing");
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
  assert.ok(script.startsWith("//# allFunctionsCalledOnLoad\nself.rapportConfig={") && script.includes("currentScript"));
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

test("OpenFeature's clients hear the same of every flag, and where changes are", async () => {
  const ask = async (at, path, context) => {
    const answer = await fetch(`${at}/ofrep/v1/evaluate/flags${path}`, { method: "POST", body: JSON.stringify({ context }), headers: { authorization: `Bearer ${house.key}` } });
    return { status: answer.status, body: await answer.json() };
  };
  for (const context of [{ targetingKey: "visitor-7", country: "DE" }, { targetingKey: "visitor-8" }, { id: "a", targetingKey: "b" }, {}]) {
    const [here, there] = [await ask(edge.url, "", context), await ask(house.backend, "", context)];
    assert.deepEqual([here.status, here.body.flags, here.body.eventStreams], [there.status, there.body.flags, there.body.eventStreams]);
    for (const key of ["plan", "headline", "nothing"]) assert.deepEqual(await ask(edge.url, `/${key}`, context), await ask(house.backend, `/${key}`, context));
  }
});

/** What a stream says, as it comes. */
async function listen(path) {
  const leave = new AbortController();
  const answer = await fetch(edge.url + path, { signal: leave.signal });
  assert.equal(answer.headers.get("content-type"), "text/event-stream");
  const heard = { text: "", leave: () => leave.abort() };
  void (async () => {
    for await (const piece of answer.body) heard.text += Buffer.from(piece).toString();
  })().catch(() => undefined);
  return heard;
}

test("who listens hears of every bundle that is published, and OpenFeature's clients of what they have to fetch anew", async () => {
  const { bundle } = await decide({ anonymousId: "a" });
  const [ours, theirs] = [await listen(`/sub/${house.key}`), await listen(`/ofrep/v1/changes/${house.key}`)];
  try {
    await eventually(() => ours.text.includes(`event: bundle\ndata: ${bundle}\n\n`));
    await house.publish({ flags: { features: { ...flags.features, fresh: { defaultValue: 1 } } } });
    await eventually(() => ours.text.split("event: bundle").length === 3);
    const after = (await decide({ anonymousId: "a", visitor: {} }));
    assert.ok(after.bundle !== bundle && after.flags.features.fresh.value === 1 && ours.text.includes(after.bundle));
    await eventually(() => theirs.text.includes("refetchEvaluation"));
    const told = JSON.parse(theirs.text.match(/data: (.*)/)[1]);
    assert.equal(told.etag, `"${after.bundle.slice(0, 32)}"`);
    assert.ok(Math.abs(told.lastModified - Date.now() / 1_000) < 60);
    assert.equal(theirs.text.split("event: message").length, 2, "of what there was nobody is told");
  } finally {
    ours.leave();
    theirs.leave();
  }
  for (const path of ["/sub/wk_live_other", "/ofrep/v1/changes/wk_live_other"]) assert.equal((await fetch(edge.url + path)).status, 401);
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
