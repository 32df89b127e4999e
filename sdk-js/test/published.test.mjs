// The server SDK against the real server: what is published is here soon, and what is private with a secret key only.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { openRapport } from "../dist/server.js";
import { startServer } from "./site/serve.mjs";

const timeout = 120_000;
/** What publishing promises: servers have it within this time. */
const WITHIN_MS = 5_000;
const server = await startServer();
after(() => server.close());
const { url: endpoint, key, secret: secretKey } = server;
// An SDK's own timers and streams keep no process alive.
const alive = setInterval(() => undefined, 1_000);
after(() => clearInterval(alive));

/** Resolves with the milliseconds until the condition holds, looked at with each new bundle. */
function here(rapport, holds, since) {
  return new Promise((resolve) => {
    const look = () => holds() && resolve(performance.now() - since);
    rapport.onChange(look);
    look();
  });
}

test("what is authored, changed, stopped or published is with a listening server in time", { timeout }, async (context) => {
  const rapport = await openRapport({ key, endpoint, secretKey, refresh: { stream: true } });
  after(() => rapport.close());
  const visitor = { anonymousId: "a1", attributes: { country: "DE" } };
  const value = (key) => rapport.decide(visitor).features[key]?.value;
  const steps = [
    ["a new feature", () => server.author("features", "hero", { defaultValue: "plain" }), () => value("hero") === "plain"],
    ["a changed one", () => server.ask("PUT", "/v1/features/hero", { definition: { defaultValue: "bold" } }), () => value("hero") === "bold"],
    ["an experience", () => server.author("experiences", "hello", { slot: "hero", condition: { country: "DE" }, content: { type: "text", text: "Hallo" } }), () => value("hero")?.text === "Hallo"],
    ["its end", () => server.ask("PUT", "/v1/experiences/hello/status", { status: "stopped" }), () => value("hero") === "bold"],
    ["a model for servers alone", () => server.publish([{ name: "leads", score_in_page: "edge" }]), () => rapport.decide(visitor).bundle !== first],
  ];
  let first;
  for (const [what, does, holds] of steps) {
    first = rapport.bundle;
    await does();
    const took = await here(rapport, holds, performance.now());
    context.diagnostic(`${what}: ${Math.round(took)} ms after the server said yes`);
    assert.ok(took < WITHIN_MS, `${what} took ${took} ms`);
    const page = await (await fetch(`${endpoint}/v1/sdk/${key}.json`)).json();
    assert.equal(page.bundle, rapport.bundle, "pages get the same at their next navigation");
  }
});

test("a private model scores on servers with a secret key; the others decide without a score", { timeout }, async () => {
  await server.publish([{ name: "leads", score_in_page: "edge" }]);
  const trusted = await openRapport({ key, endpoint, secretKey });
  const open = await openRapport({ key, endpoint });
  assert.equal(typeof trusted.score({ anonymousId: "a1" }), "number");
  assert.equal(open.score({ anonymousId: "a1" }), undefined);
  assert.equal(open.bundle, trusted.bundle);
  assert.deepEqual(Object.keys(open.decide({}).features), Object.keys(trusted.decide({}).features));
  await assert.rejects(openRapport({ key, endpoint, secretKey: `${secretKey}x` }), /answered 401/);
});
