// Segment's own libraries against a server of ours: what they send is taken, and replayed it counts once.
// RAPPORT is the server's binary, PYTHON an interpreter with segment.txt installed.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Analytics } from "@segment/analytics-node";

let directory, server, wire, url, key;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), "rapport-clients-"));
  server = spawn(process.env.RAPPORT, ["serve", "--listen", "127.0.0.1:0", "--dir", directory], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: server.stdout })) {
    url ??= line.match(/^Rapport serves at (\S+)/)?.[1];
    key ??= line.match(/\/v1\/sdk\/(wk_live_\w+)\.js/)?.[1];
    if (line.startsWith("Owner link")) break;
  }
  wire = await listenIn(url);
});

after(async () => {
  wire.close();
  const ended = new Promise((resolve) => server.once("exit", resolve));
  server.kill();
  await ended;
  await rm(directory, { recursive: true });
});

/** Stands between a library and the server, and writes down what they say to each other. */
async function listenIn(target) {
  const heard = [];
  const between = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { host: _, connection: __, "transfer-encoding": ___, ...headers } = request.headers;
    const sent = { address: request.url, headers, body: Buffer.concat(chunks) };
    const answer = await say(target, sent);
    heard.push({ sent, ...answer });
    response.writeHead(answer.status, { "content-type": "application/json" }).end(JSON.stringify(answer.reply));
  });
  await new Promise((resolve) => between.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${between.address().port}`, heard: () => heard.splice(0), close: () => between.close() };
}

async function say(target, { address, headers, body }) {
  const answer = await fetch(target + address, { method: "POST", headers, body });
  return { status: answer.status, reply: await answer.json() };
}

/** All that a library sent was taken but the one event that is too much; a second time it changes nothing. */
async function check(heard, accepted) {
  assert.ok(heard.length > 0, "the library sent something");
  const sum = (name, replies) => replies.reduce((total, { reply }) => total + [reply[name]].flat().reduce((a, b) => a + (typeof b === "number" ? b : 1), 0), 0);
  assert.deepEqual(heard.map(({ status, reply }) => [status, reply.success]), heard.map(() => [200, true]));
  assert.equal(sum("accepted", heard), accepted, JSON.stringify(heard.map(({ reply }) => reply)));
  assert.deepEqual(heard.flatMap(({ reply }) => reply.rejected.map(({ code }) => code)), ["too-many-fields"]);
  const replayed = await Promise.all(heard.map(({ sent }) => say(url, sent)));
  assert.equal(sum("accepted", replayed), 0);
  assert.equal(sum("duplicates", replayed), accepted);
}

test("@segment/analytics-node sends every kind of call", async () => {
  const failed = [];
  const analytics = new Analytics({ writeKey: key, host: wire.url, flushAt: 4, maxRetries: 1 });
  analytics.on("error", (error) => failed.push(error));
  const userId = "node-user";
  analytics.identify({ userId, traits: { email: "ann@acme.example", plan: "team", since: new Date() } });
  analytics.track({ userId, event: "Trial Started", properties: { seats: 12, price: 9.5, tags: ["a", "b"], nested: { deep: true } } });
  analytics.page({ userId, category: "Docs", name: "Quickstart", properties: { url: "https://acme.example/docs" } });
  analytics.screen({ userId, name: "Settings" });
  analytics.group({ userId, groupId: "acme", traits: { industry: "logistics" } });
  analytics.alias({ userId, previousId: "somebody-before" });
  analytics.track({ anonymousId: "node-anonymous", event: "Anonymous", timestamp: new Date() });
  analytics.track({ userId, event: "Too Much", properties: Object.fromEntries(Array.from({ length: 200 }, (_, number) => [`property ${number}`, number])) });
  await analytics.closeAndFlush();
  assert.deepEqual(failed, []);
  await check(wire.heard(), 7);
});

for (const packed of ["plain", "gzip"]) {
  const skip = process.env.PYTHON ? false : "no Python with segment-analytics-python";
  test(`segment-analytics-python sends every kind of call, ${packed}`, { skip }, async () => {
    const script = fileURLToPath(new URL("send.py", import.meta.url));
    const python = spawn(process.env.PYTHON, [script, wire.url, key, packed], { stdio: "inherit" });
    const code = await new Promise((resolve) => python.once("exit", resolve));
    assert.equal(code, 0);
    const heard = wire.heard();
    assert.ok(heard.every(({ sent }) => (sent.headers["content-encoding"] === "gzip") === (packed === "gzip")));
    await check(heard, 7);
  });
}

test("a key that is unknown is refused as the library expects", async () => {
  const failed = [];
  const analytics = new Analytics({ writeKey: "wk_live_nobody", host: wire.url, flushAt: 1, maxRetries: 0 });
  analytics.on("error", (error) => failed.push(error.code));
  analytics.track({ userId: "u", event: "x" });
  await analytics.closeAndFlush();
  assert.equal(failed.length, 1);
  assert.deepEqual(wire.heard().map(({ status }) => status), [401]);
});
