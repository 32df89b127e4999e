// OpenFeature's web SDK with our provider: the specification's scenarios, by a bundle in the page.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ClientProviderEvents, OpenFeature } from "@openfeature/web-sdk";
import { RapportWebProvider } from "../dist/openfeature-web.js";
import { bundleFile, testRapport } from "../dist/testing.js";
import { startBackend } from "./openfeature/flags.mjs";
import { runScenarios } from "./openfeature/scenarios.mjs";

const backend = await startBackend();
after(() => backend.close());

class Seeing extends RapportWebProvider {
  resolveStringEvaluation(key, otherwise, context, logger) {
    this.seen = context;
    return super.resolveStringEvaluation(key, otherwise, context, logger);
  }
}

const ANSWERS = { stable: "yes", "not ready": "never", error: "no", fatal: "unknown" };

const host = {
  name: "web",
  async provide(status) {
    await OpenFeature.clearProviders();
    backend.state.answer = ANSWERS[status];
    host.provider = new Seeing({ key: "wk_page", endpoint: backend.endpoint });
    if (status === "not ready") OpenFeature.setProvider(host.provider);
    else await OpenFeature.setProviderAndWait(host.provider).catch(() => undefined);
    host.client = OpenFeature.getClient();
  },
  status: () => host.client.providerStatus,
  async evaluate(method, key, otherwise, context, options) {
    // A context that is set makes a provider that failed start anew.
    if (Object.keys({ ...OpenFeature.getContext(), ...context }).length > 0) await OpenFeature.setContext(context);
    return host.client[method](key, otherwise, options);
  },
  async merged({ API }) {
    await OpenFeature.setContext(API);
    host.client.getStringValue("string-flag", "");
    return host.provider.seen;
  },
  async clear() {
    backend.state.answer = "yes";
    await OpenFeature.setContext({});
    await OpenFeature.clearProviders();
  },
};

await runScenarios(
  host,
  {
    "a bundle holds no features that are switched off": ({ tags }) => tags.includes("@reason-codes-disabled"),
    "every evaluation is made anew": ({ tags }) => tags.includes("@reason-codes-cached"),
    "a bundle says nothing of a feature but its rules": ({ steps }) => steps.some(({ text }) => text.includes("metadata should contain")),
    "a page keeps its bundle until the next page": ({ steps }) => steps.some(({ text }) => text === "a stale provider"),
    "pages have one context, the API's": ({ steps }) => steps.some(({ text }) => /"(Transaction|Client|Invocation|Before Hooks)"/.test(text)),
  },
  {
    run: 99,
    "a bundle holds no features that are switched off": 5,
    "every evaluation is made anew": 2,
    "a bundle says nothing of a feature but its rules": 2,
    "a page keeps its bundle until the next page": 1,
    "pages have one context, the API's": 23,
  },
);

/** What a page does with the name of a domain; each test has its own. */
async function client(domain, provider, context = {}) {
  await OpenFeature.setContext(domain, context);
  await OpenFeature.setProviderAndWait(domain, provider);
  return OpenFeature.getClient(domain);
}

const flags = { features: { hero: { defaultValue: "a", rules: [{ key: "exp", variations: ["a", "b"], meta: [{ key: "0" }, { key: "1" }] }] } } };

test("the page resolves what the server decided, and tells each exposure once", async () => {
  const rapport = await testRapport({ authored: { flags } });
  const told = [];
  const own = await client("hydrated", new RapportWebProvider({ hydration: rapport.dehydrate({ anonymousId: "u1" }), track: (event, properties) => told.push([event, properties]) }));
  const { value, reason, variant } = own.getStringDetails("hero", "none");
  own.getStringDetails("hero", "none");
  assert.deepEqual([value, reason], [rapport.value("hero", "", { anonymousId: "u1" }), "SPLIT"]);
  assert.deepEqual(told, [["Experiment Viewed", { experimentId: "exp", variationId: variant, featureId: "hero", bundle: rapport.bundle }]]);
});

test("a context that changes is reconciled by the server; of two changes the later one counts", async () => {
  const rapport = await testRapport({ authored: { flags: { features: { who: { defaultValue: "", rules: ["a", "b", "c"].map((id) => ({ force: id, condition: { id } })) } } } } });
  const waiting = [];
  const reconcile = ({ targetingKey }) => new Promise((resolve) => waiting.push(() => resolve(rapport.dehydrate({ anonymousId: targetingKey }))));
  const provider = new RapportWebProvider({ hydration: rapport.dehydrate({ anonymousId: "a" }), reconcile });
  const own = await client("reconciled", provider, { targetingKey: "a" });
  const heard = [];
  own.addHandler(ClientProviderEvents.Reconciling, () => heard.push("reconciling"));
  own.addHandler(ClientProviderEvents.ConfigurationChanged, ({ flagsChanged }) => heard.push(flagsChanged));
  assert.equal(own.getStringValue("who", "?"), "a");
  const changes = ["b", "c"].map((targetingKey) => OpenFeature.setContext("reconciled", { targetingKey }));
  while (waiting.length < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(own.getStringValue("who", "?"), "a", "until the server has answered the old answers hold");
  waiting[1]();
  waiting[0]();
  await Promise.all(changes);
  assert.equal(own.getStringValue("who", "?"), "c");
  assert.deepEqual(heard.filter((event) => event !== "reconciling"), [["who"]]);
});

test("with a bundle in the page a changed context needs no request", async () => {
  const own = await client("page", new RapportWebProvider({ key: "wk_page", endpoint: backend.endpoint }));
  backend.state.answer = "no";
  assert.equal(own.getStringValue("complex-targeted", ""), "EXTERNAL");
  await OpenFeature.setContext("page", { email: "ballmer@macrosoft.com", age: 65, customer: false });
  assert.equal(own.getStringValue("complex-targeted", ""), "INTERNAL");
  backend.state.answer = "yes";
});

test("what is tracked by OpenFeature is told to the page's tracker", async () => {
  const told = [];
  const rapport = await testRapport();
  const own = await client("tracking", new RapportWebProvider({ hydration: rapport.dehydrate({}), track: (...call) => told.push(call) }));
  own.track("Bought", { value: 99.5, currency: "EUR" });
  assert.deepEqual(told, [["Bought", { value: 99.5, currency: "EUR" }]]);
});

test("with a bundle in the page the tracker's score decides, and an experience is told as one", async () => {
  const experiences = [{ key: "sales", slot: "cta", condition: { $score: { $gte: 70 } }, content: { type: "text", text: "Talk to us" } }];
  const own = await startBackend();
  own.state.bundle = bundleFile({ flags: { features: { cta: { defaultValue: null } }, experiences } });
  try {
    const told = [];
    const rapport = {
      decision: { score: 20, band: "not" },
      track: (event, properties) => told.push([event, properties]),
      onDecision: (hear) => (rapport.hear = hear) && (() => undefined),
    };
    const page = await client("scored", new RapportWebProvider({ key: "wk_page", endpoint: own.endpoint, rapport }));
    const changed = new Promise((resolve) => page.addHandler(ClientProviderEvents.ConfigurationChanged, ({ flagsChanged }) => resolve(flagsChanged)));
    const text = () => page.getObjectValue("cta", { text: "default" }).text;
    assert.equal(text(), "default");
    rapport.decision = { score: 82, band: "qualified" };
    rapport.hear(rapport.decision);
    assert.deepEqual(await changed, ["cta"]);
    assert.deepEqual([text(), text()], ["Talk to us", "Talk to us"]);
    assert.deepEqual(told, [["Experience Viewed", { experienceId: "sales", bundle: "test" }]]);
  } finally {
    own.close();
  }
});

/** A tracker whose browser keeps entries. */
function keeping(entries = new Map()) {
  const storage = {
    read: (name) => entries.get(name) ?? {},
    write: (name, entry) => entries.set(name, entry),
    remove: (name) => entries.delete(name),
  };
  const told = [];
  const rapport = { consent: "granted", decision: undefined, storage, onDecision: () => () => undefined, track: (event, properties) => told.push([event, properties]) };
  rapport.consents = { allows: () => rapport.consent === "granted" };
  rapport.consentTo = () => rapport.consent;
  return { rapport, told, entries };
}

test("a visitor keeps their variation on the next page, however the shares move, until they withdraw consent", async () => {
  const own = await startBackend();
  const test = (weights) => ({ features: { hero: { defaultValue: "none", rules: [{ key: "exp", variations: ["a", "b"], hashAttribute: "id", weights, bucketVersion: 1, meta: [{ key: "0" }, { key: "1" }] }] } } });
  const { rapport, told, entries } = keeping();
  const open = async (page, weights) => {
    own.state.bundle = bundleFile({ flags: test(weights) });
    return client(page, new RapportWebProvider({ key: "wk_page", endpoint: own.endpoint, rapport }), { targetingKey: "u1" });
  };
  try {
    const first = await open("sticky first", [0, 1]);
    assert.deepEqual([first.getStringValue("hero", ""), first.getStringValue("hero", "")], ["b", "b"]);
    assert.equal(told.length, 1, "asked twice, told once");
    assert.deepEqual([...entries.keys()], ["sticky"]);
    const next = await open("sticky next", [1, 0]);
    assert.equal(next.getStringValue("hero", ""), "b");
    assert.equal(told.length, 2, "each page tells its own");
    rapport.consent = "denied";
    assert.equal(next.getStringValue("hero", ""), "none");
    assert.deepEqual([entries.size, told.length], [0, 2], "nothing is kept, nothing told");
    rapport.consent = "granted";
    assert.equal(next.getStringValue("hero", ""), "a", "who was forgotten falls anew");
  } finally {
    own.close();
  }
});

test("an experience that was shown as often as it may be is not shown on the next page", async () => {
  const own = await startBackend();
  own.state.bundle = bundleFile({ flags: { features: { cta: { defaultValue: null } }, experiences: [{ key: "once", slot: "cta", cap: { times: 1 }, content: { type: "text", text: "Hello" } }] } });
  const { rapport, entries } = keeping();
  const open = (page) => client(page, new RapportWebProvider({ key: "wk_page", endpoint: own.endpoint, rapport }), { targetingKey: "u1" });
  const text = (page) => page.getObjectValue("cta", { text: "default" }).text;
  try {
    const first = await open("cap first");
    assert.deepEqual([text(first), text(first)], ["Hello", "Hello"], "what is shown does not end itself");
    assert.equal(entries.get("shown").once.times, 1);
    assert.equal(text(await open("cap next")), "default");
  } finally {
    own.close();
  }
});
