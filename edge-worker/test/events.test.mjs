// Events at the edge: acknowledged once they are on disk there, and brought to the backend however long it is away.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { HURRY, eventually, startHouse } from "./house.mjs";

/** Ten minutes, in the time of attempts. */
const TEN_MINUTES_MS = 600_000 / HURRY;

let house, edge;

before(async () => {
  house = await startHouse();
  await house.publish();
  edge = await house.startEdge();
});

after(async () => {
  await edge?.stop();
  await house?.stop();
});

let number = 0;
const event = (more = {}) => ({ type: "track", event: "Signed Up", anonymousId: `somebody-${(number += 1)}`, messageId: `message-${number}`, timestamp: new Date().toISOString(), ...more });
const send = async (batch, more = {}) => {
  const answer = await fetch(`${edge.url}/v1/events?key=${house.key}`, { method: "POST", body: JSON.stringify({ sentAt: new Date().toISOString(), batch, ...more }) });
  return { status: answer.status, ...(await answer.json()) };
};
const asked = async (path) => {
  const answer = await fetch(house.backend + path, { headers: { authorization: `Bearer ${house.secret}` } });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
};
const logged = async () => (await asked("/v1/profiles/status")).logged;

test("a batch is acknowledged in the backend's words, and gets there", async () => {
  const before = await logged();
  const answer = await send([event(), event(), { type: "dance", anonymousId: "a" }, 7, event({ anonymousId: undefined }), event({ event: "" })]);
  assert.equal(answer.status, 200);
  assert.equal(answer.accepted, 2);
  assert.deepEqual(answer.rejected.map(({ index, code }) => [index, code]), [[2, "unknown-type"], [3, "malformed"], [4, "no-visitor"], [5, "no-name"]]);
  assert.deepEqual(answer.results.map(({ status }) => status), ["accepted", "accepted", "rejected", "rejected", "rejected", "rejected"]);
  await eventually(async () => (await logged()) === before + 2);
});

test("an event without an id and a time gets both, and is one event however often it is forwarded", async () => {
  const before = await logged();
  await send([{ type: "track", event: "Nameless", anonymousId: "nameless" }]);
  await eventually(async () => (await logged()) === before + 1);
});

test("who has another key is refused, and nothing of them is kept", async () => {
  const answer = await fetch(`${edge.url}/v1/events?key=wk_live_other`, { method: "POST", body: JSON.stringify({ batch: [event()] }) });
  assert.equal(answer.status, 401);
  for (const body of ["", "[]", "{", JSON.stringify({ batch: Array(501).fill(event()) })]) {
    assert.equal((await fetch(`${edge.url}/v1/events?key=${house.key}`, { method: "POST", body })).status, 400, body.slice(0, 20));
  }
});

test("Segment's libraries name the key as a user", async () => {
  const before = await logged();
  const authorization = `Basic ${Buffer.from(`${house.key}:`).toString("base64")}`;
  const answer = await fetch(`${edge.url}/v1/batch`, { method: "POST", headers: { authorization }, body: JSON.stringify({ batch: [event()] }) });
  assert.equal(answer.status, 200);
  await eventually(async () => (await logged()) === before + 1);
});

test("who asks for hints gets the server's", async () => {
  const one = event();
  const answer = await send([one], { hints: true });
  assert.equal(answer.accepted, 1);
  assert.ok(answer.hints?.version !== undefined, JSON.stringify(answer));
});

test("while the backend is away for ten minutes nothing is lost, not even by a restart of the edge, and nothing is counted twice", async () => {
  const before = await logged();
  house.cable.cut();
  const sent = [];
  const start = Date.now();
  const happened = new Date(Date.now() - 5_000).toISOString();
  for (let batch = 0; batch < 30; batch += 1) {
    const events = Array.from({ length: 5 }, () => event({ timestamp: happened }));
    const answer = await send(events, batch === 7 ? { hints: true } : {});
    assert.deepEqual([answer.status, answer.accepted], [200, 5]);
    sent.push(...events);
    if (batch === 15) {
      await edge.stop();
      edge = await house.startEdge();
    }
  }
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, start + TEN_MINUTES_MS - Date.now())));
  assert.equal(await logged(), before, "the backend was away");
  house.cable.mend();
  // Sent again by its page, an event is the same event.
  await send(sent.slice(0, 5));
  await eventually(async () => (await logged()) >= before + sent.length);
  await eventually(async () => (await logged()) === before + sent.length);
});

test("a packed body is unpacked", async () => {
  const before = await logged();
  const answer = await fetch(`${edge.url}/v1/events?key=${house.key}`, { method: "POST", body: gzipSync(JSON.stringify({ batch: [event()] })) });
  assert.equal(answer.status, 200);
  await eventually(async () => (await logged()) === before + 1);
});

test("a beacon's form is read", async () => {
  const before = await logged();
  const body = new URLSearchParams({ key: house.key, data: JSON.stringify({ batch: [event()] }) });
  const answer = await fetch(`${edge.url}/v1/events`, { method: "POST", body });
  assert.equal(answer.status, 200);
  await eventually(async () => (await logged()) === before + 1);
});
