// GrowthBook's and OpenFeature's own clients against a server of ours: they read its flags, and learn of a change.
// RAPPORT is the server's binary, PYTHON an interpreter with flags.txt installed.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { GrowthBook, GrowthBookClient, setPolyfills } from "@growthbook/growthbook";
import { OFREPProvider } from "@openfeature/ofrep-provider";
import { OpenFeature } from "@openfeature/server-sdk";
import { EventSource } from "eventsource";

let directory, server, url, key, secret, link;

/** GrowthBook's client leaves its stream open, and asks for it for ever once the server is gone. */
const streams = [];
class Stream extends EventSource {
  constructor(...given) {
    super(...given);
    streams.push(this);
  }
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "rapport-flags-"));
  server = spawn(process.env.RAPPORT, ["serve", "--listen", "127.0.0.1:0", "--dir", directory], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: server.stdout })) {
    url ??= line.match(/^Rapport serves at (\S+)/)?.[1];
    key ??= line.match(/\/v1\/sdk\/(wk_live_\w+)\.js/)?.[1];
    secret ??= line.match(/(sk_live_\w+)/)?.[1];
    link = line.match(/^Owner link.*?(http\S+)/)?.[1];
    if (link) break;
  }
  setPolyfills({ EventSource: Stream, fetch });
  await define("features", "banner", { defaultValue: "off", rules: [{ id: "germans", force: "on", condition: { country: "DE" } }] });
  await define("features", "hero", { defaultValue: "plain" });
  await define("features", "limit", { defaultValue: 5 });
  await define("features", "layout", { defaultValue: { columns: 2 } });
  await define("audiences", "french", { condition: { country: "FR" } });
  await define("experiences", "bonjour", { slot: "greeting", audience: "french", variations: [{ type: "text", text: "Bonjour" }, { type: "text", text: "Salut" }] });
  await define("experiences", "known", { slot: "greeting", priority: 5, condition: { $score: { $lt: 50 } }, content: { type: "text", text: "Cold" } });
  await define("experiences", "paint", { audience: "french", changes: { css: "h1 { color: blue }" } });
  await define("experiments", "headline", { feature: "hero", variations: ["cold", "warm"], meta: [{ key: "c" }, { key: "w" }], hashVersion: 2 });
});

after(async () => {
  streams.forEach((stream) => stream.close());
  await OpenFeature.close();
  const ended = new Promise((resolve) => server.once("exit", resolve));
  server.kill();
  await ended;
  await rm(directory, { recursive: true });
});

const ask = async (method, path, body, headers = {}) => {
  const answer = await fetch(url + path, { method, body: JSON.stringify(body), headers: { authorization: `Bearer ${secret}`, "content-type": "application/json", ...headers } });
  assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
};
const define = (kind, name, definition) => ask("POST", `/v1/${kind}`, { key: name, status: "running", definition });
const edit = (kind, name, definition) => ask("PUT", `/v1/${kind}/${name}`, { definition }, { "if-match": "*" });

/** Asks until it holds; what is pushed has five seconds on a machine that is not busy. */
async function eventually(holds) {
  for (const start = Date.now(); !(await holds()); ) {
    assert.ok(Date.now() - start < 20_000, "nothing happened for 20 s");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** What the server itself says is published: nothing is asked of a client before. */
const published = (text) => eventually(async () => (await (await fetch(`${url}/api/features/${key}`)).text()).includes(text));

test("@growthbook/growthbook reads the payload and splits as the server does", async () => {
  await published("headline");
  const exposed = [];
  const client = new GrowthBookClient({ apiHost: url, clientKey: key, trackingCallback: (experiment, result) => exposed.push([experiment.key, result.key]) });
  const { success, error } = await client.init({ timeout: 10_000 });
  assert.ok(success, error);
  const visitor = (attributes) => ({ attributes });
  assert.equal(client.getFeatureValue("banner", "?", visitor({ id: "1", country: "DE" })), "on");
  assert.equal(client.getFeatureValue("banner", "?", visitor({ id: "1", country: "US" })), "off");
  for (const id of ["a", "b", "zoë", "🦀", "e"]) {
    const theirs = client.getFeatureValue("hero", "?", visitor({ id }));
    const answer = await fetch(`${url}/ofrep/v1/evaluate/flags/hero`, { method: "POST", headers: { "x-api-key": key }, body: JSON.stringify({ context: { targetingKey: id } }) });
    assert.equal(theirs, (await answer.json()).value, id);
  }
  assert.deepEqual(new Set(exposed.map(([experiment]) => experiment)), new Set(["headline"]));
  client.destroy();
});

test("@growthbook/growthbook decrypts the payload of a key that asks for it", async () => {
  await published("headline");
  const session = await fetch(link, { redirect: "manual" });
  const people = { cookie: session.headers.get("set-cookie").split(";")[0], origin: url, "content-type": "application/json" };
  const body = JSON.stringify({ name: "encrypted", role: "page", encryptPayload: true });
  const made = await (await fetch(`${url}/v1/keys`, { method: "POST", headers: people, body })).json();
  const { keys } = await (await fetch(`${url}/v1/keys`, { headers: people })).json();
  const { payloadKey } = keys.find(({ id }) => id === made.id);
  const sent = await (await fetch(`${url}/api/features/${made.key}`)).text();
  assert.ok(!sent.includes("germans") && sent.includes("encryptedFeatures"), sent);
  const client = new GrowthBookClient({ apiHost: url, clientKey: made.key, decryptionKey: payloadKey });
  const { success, error } = await client.init({ timeout: 10_000 });
  assert.ok(success, error);
  const german = { attributes: { id: "1", country: "DE" } };
  assert.equal(client.getFeatureValue("banner", "?", german), "on");
  assert.ok(["cold", "warm"].includes(client.getFeatureValue("hero", "?", german)));
  client.destroy();
  const other = new GrowthBook({ apiHost: url, clientKey: made.key, decryptionKey: Buffer.alloc(16).toString("base64"), attributes: { id: "1" } });
  const complaints = console.error;
  console.error = () => {};
  await other.init({ timeout: 10_000 });
  console.error = complaints;
  assert.equal(other.getFeatureValue("banner", "?"), "?", "another key opens nothing");
  other.destroy();
});

test("@growthbook/growthbook decides experiences, but for those that ask for a score", async () => {
  await published("bonjour");
  const exposed = [];
  const client = new GrowthBookClient({ apiHost: url, clientKey: key, trackingCallback: (experiment, result) => exposed.push([experiment.key, result.inExperiment]) });
  const { success, error } = await client.init({ timeout: 10_000 });
  assert.ok(success, error);
  const seen = new Set();
  for (let number = 0; number < 12; number += 1) {
    const id = `visitor ${number}`;
    const theirs = client.getFeatureValue("greeting", null, { attributes: { id, country: "FR" } });
    const answer = await (await fetch(`${url}/ofrep/v1/evaluate/flags/greeting`, { method: "POST", headers: { "x-api-key": key }, body: JSON.stringify({ context: { targetingKey: id, country: "FR", score: 99 } }) })).json();
    assert.ok(["Bonjour", "Salut"].includes(theirs.text), theirs.text);
    if (answer.value.text !== "Cold") assert.deepEqual(theirs, answer.value, id);
    seen.add(theirs.text);
  }
  assert.deepEqual(seen, new Set(["Bonjour", "Salut"]));
  assert.deepEqual(new Set(exposed.map(String)), new Set(["bonjour,true"]));
  assert.equal(client.getFeatureValue("greeting", null, { attributes: { id: "1", country: "US" } }), null, "the default, not a guess of the score");
  const page = client.getPayload().experiments.find((one) => one.key === "paint");
  assert.equal(client.runInlineExperiment(page, { attributes: { id: "1", country: "FR" } }).value.css, "h1 { color: blue }");
  assert.equal(client.runInlineExperiment(page, { attributes: { id: "1", country: "US" } }).inExperiment, false);
  client.destroy();
});

test("@growthbook/growthbook has a change pushed over its stream", async () => {
  const client = new GrowthBook({ apiHost: url, clientKey: key, attributes: { id: "1" } });
  const { success } = await client.init({ streaming: true, timeout: 10_000 });
  assert.ok(success);
  assert.equal(client.getFeatureValue("limit", 0), 5);
  await edit("features", "limit", { defaultValue: 6 });
  await eventually(() => client.getFeatureValue("limit", 0) === 6);
  client.destroy();
});

test("@growthbook/growthbook asks for a remote evaluation", async () => {
  const exposed = [];
  const client = new GrowthBook({ apiHost: url, clientKey: key, remoteEval: true, attributes: { id: "1", country: "DE" }, trackingCallback: (experiment, result) => exposed.push([experiment.key, result.value]) });
  const { success } = await client.init({ timeout: 10_000 });
  assert.ok(success);
  assert.equal(client.getFeatureValue("banner", "?"), "on");
  const value = client.getFeatureValue("hero", "?");
  assert.ok(["cold", "warm"].includes(value), value);
  assert.deepEqual(exposed, [["headline", value]]);
  assert.ok(!JSON.stringify(client.getPayload()).includes("germans"), "nothing of how it came about");
  client.destroy();
});

test("@openfeature/ofrep-provider resolves each type, and says why", async () => {
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: url, headers: [["authorization", `Bearer ${key}`]] }));
  const client = OpenFeature.getClient();
  const german = { targetingKey: "1", country: "DE" };
  const details = await client.getStringDetails("banner", "?", german);
  assert.deepEqual([details.value, details.reason, details.variant], ["on", "TARGETING_MATCH", "germans"]);
  assert.deepEqual(await client.getObjectValue("layout", {}, german), { columns: 2 });
  assert.equal(typeof (await client.getNumberValue("limit", 0, german)), "number");
  const split = await client.getStringDetails("hero", "?", german);
  assert.deepEqual([split.reason, split.flagMetadata.experimentId], ["SPLIT", "headline"]);
  assert.equal((await client.getBooleanDetails("nothing", true, german)).errorCode, "FLAG_NOT_FOUND");
  assert.equal((await client.getBooleanDetails("banner", true, german)).errorCode, "TYPE_MISMATCH");
});

for (const library of ["growthbook", "ofrep"]) {
  const skip = process.env.PYTHON ? false : "no Python with the packages of flags.txt";
  test(`PyPI's ${library} client reads flags${library === "growthbook" ? " and has a change pushed" : ""}`, { skip }, async () => {
    await edit("features", "banner", { defaultValue: "off", rules: [{ id: "germans", force: "on", condition: { country: "DE" } }] });
    await published('"on"');
    const script = fileURLToPath(new URL("flags.py", import.meta.url));
    const python = spawn(process.env.PYTHON, [script, library, url, key], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = new Promise((resolve) => python.once("exit", resolve));
    for await (const line of createInterface({ input: python.stdout })) {
      if (line === "change") await edit("features", "banner", { defaultValue: "pushed" });
    }
    assert.equal(await ended, 0);
  });
}
