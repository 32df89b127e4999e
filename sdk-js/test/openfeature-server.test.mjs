// OpenFeature's server SDK with our provider: the specification's scenarios, and what they do not say.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { AsyncLocalStorageTransactionContextPropagator, OpenFeature, ServerProviderEvents } from "@openfeature/server-sdk";
import { RapportProvider } from "../dist/openfeature-server.js";
import { openRapport } from "../dist/server.js";
import { bundleFile, testRapport } from "../dist/testing.js";
import { bundle, payload, startBackend } from "./openfeature/flags.mjs";
import { runScenarios } from "./openfeature/scenarios.mjs";

const backend = await startBackend();
after(() => backend.close());

/** A provider that shows the context that it was asked with. */
class Seeing extends RapportProvider {
  resolveStringEvaluation(key, otherwise, context, logger) {
    this.seen = context;
    return super.resolveStringEvaluation(key, otherwise, context, logger);
  }
}

const options = (more = {}) => ({ key: "wk_test", endpoint: backend.endpoint, publicKey: bundle.publicKey, ...more });
const OPEN = {
  stable: async () => new Seeing(options()),
  "not ready": async () => new Seeing(options({ fetch: () => new Promise(() => undefined) })),
  error: async () => new Seeing(options({ fetch: async () => new Response("", { status: 503 }) })),
  fatal: async () => new Seeing(options({ publicKey: bundleFile({ flags: payload }).publicKey })),
};

const host = {
  name: "server",
  async provide(status) {
    await OpenFeature.clearProviders();
    let rapport;
    if (status === "stale") rapport = await openRapport(options());
    host.provider = rapport ? new Seeing(rapport) : await OPEN[status]();
    if (status === "not ready") OpenFeature.setProvider(host.provider);
    else await OpenFeature.setProviderAndWait(host.provider).catch(() => undefined);
    host.client = OpenFeature.getClient();
    if (!rapport) return;
    backend.state.answer = "no";
    await assert.rejects(rapport.refresh());
  },
  status: () => host.client.providerStatus,
  evaluate: (method, key, otherwise, context, more) => host.client[method](key, otherwise, context, more),
  async merged({ API = {}, Transaction = {}, Client = {}, Invocation = {}, "Before Hooks": hooked = {} }) {
    OpenFeature.setTransactionContextPropagator(new AsyncLocalStorageTransactionContextPropagator());
    OpenFeature.setContext(API);
    host.client.setContext(Client);
    const ask = () => host.client.getStringValue("string-flag", "", Invocation, { hooks: [{ before: () => hooked }] });
    await new Promise((resolve, reject) => OpenFeature.setTransactionContext(Transaction, () => ask().then(resolve, reject)));
    return host.provider.seen;
  },
  async clear() {
    backend.state.answer = "yes";
    OpenFeature.setContext({});
    await OpenFeature.clearProviders();
  },
};

await runScenarios(
  host,
  {
    "a bundle holds no features that are switched off": ({ tags }) => tags.includes("@reason-codes-disabled"),
    "every evaluation is made anew": ({ tags }) => tags.includes("@reason-codes-cached"),
    "a bundle says nothing of a feature but its rules": ({ steps }) => steps.some(({ text }) => text.includes("metadata should contain")),
  },
  {
    run: 123,
    "a bundle holds no features that are switched off": 5,
    "every evaluation is made anew": 2,
    "a bundle says nothing of a feature but its rules": 2,
  },
);

const client = async (provider) => {
  await OpenFeature.setProviderAndWait("own", provider);
  return OpenFeature.getClient("own");
};

test("an experiment is a split: its variation, and the exposure once", async () => {
  const rapport = await testRapport({ authored: { flags: { features: { hero: { defaultValue: "a", rules: [{ key: "exp", variations: ["a", "b"], meta: [{ key: "0" }, { key: "1" }] }] } } } } });
  const own = await client(new RapportProvider(rapport));
  for (let again = 0; again < 2; again += 1) {
    const { value, reason, variant, flagMetadata } = await own.getStringDetails("hero", "none", { targetingKey: "u1" });
    assert.deepEqual([reason, value, flagMetadata], ["SPLIT", "ab"[variant], { bundle: rapport.bundle }]);
  }
  assert.deepEqual(rapport.tracked.map(({ event, visitor }) => [event, visitor.anonymousId]), [["Experiment Viewed", "u1"]]);
});

test("what is tracked by OpenFeature arrives as an event of the visitor", async () => {
  const rapport = await testRapport();
  const own = await client(new RapportProvider(rapport));
  own.track("Bought", { targetingKey: "a1", userId: "u1" }, { value: 99.5, currency: "EUR" });
  own.track("Nobody", {});
  assert.deepEqual(rapport.tracked.map(({ event, visitor: { anonymousId, userId }, properties }) => [event, anonymousId, userId, properties]), [["Bought", "a1", "u1", { value: 99.5, currency: "EUR" }]]);
});

test("a new bundle is an event that names the features, and a failing server makes the provider stale until it answers", async () => {
  const rapport = await openRapport(options());
  const own = await client(new RapportProvider(rapport));
  const heard = [];
  for (const event of [ServerProviderEvents.ConfigurationChanged, ServerProviderEvents.Stale, ServerProviderEvents.Ready]) own.addHandler(event, (details) => heard.push([event, details?.flagsChanged?.includes("boolean-flag")]));
  heard.length = 0;
  backend.state.answer = "no";
  await assert.rejects(rapport.refresh());
  assert.equal(own.providerStatus, "STALE");
  assert.equal(await own.getBooleanValue("boolean-flag", false), true, "what is open goes on");
  backend.state.answer = "yes";
  await rapport.refresh();
  assert.equal(own.providerStatus, "READY");
  assert.deepEqual(heard.map(([event]) => event), ["PROVIDER_STALE", "PROVIDER_READY"]);
});

test("a provider that opened its bundle closes it, and sends first what waits", async () => {
  const own = await client(new RapportProvider(options({ track: { after: 0 } })));
  own.track("Bought", { targetingKey: "a1" });
  backend.state.batches.length = 0;
  await OpenFeature.clearProviders();
  assert.equal(backend.state.batches[0].batch[0].event, "Bought");
});
