// OpenFeature's gherkin on a host: `host` says how providers, clients and contexts come about there.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { test } from "node:test";
import { AstBuilder, GherkinClassicTokenMatcher, Parser, compile } from "@cucumber/gherkin";
import { IdGenerator } from "@cucumber/messages";

const suite = new URL("../../../conformance/suites/openfeature/", import.meta.url);

/** Every scenario of the suite, outlines filled in. */
async function pickles() {
  const files = (await readdir(suite)).filter((name) => name.endsWith(".feature")).sort();
  const all = await Promise.all(
    files.map(async (file) => {
      const newId = IdGenerator.incrementing();
      const document = new Parser(new AstBuilder(newId), new GherkinClassicTokenMatcher()).parse(await readFile(new URL(file, suite), "utf8"));
      return compile(document, file, newId).map(({ name, steps, tags }) => ({
        name: `${file}: ${name}`,
        tags: tags.map((tag) => tag.name),
        steps: steps.map(({ text, argument }) => ({ text, table: argument?.dataTable?.rows.map(({ cells }) => cells.map(({ value }) => value)) })),
      }));
    }),
  );
  return all.flat();
}

/** Runs what applies; `others` maps a reason to whether a scenario does not apply for it, and `counts` says how many. */
export async function runScenarios(host, others, counts) {
  const found = {};
  for (const scenario of await pickles()) {
    const reason = Object.keys(others).find((reason) => others[reason](scenario));
    if (reason) {
      found[reason] = (found[reason] ?? 0) + 1;
      continue;
    }
    found.run = (found.run ?? 0) + 1;
    const detail = scenario.steps.map(({ text }) => /(?:key|status should be|level) "([^"]+)"|to the "([^"]+)" level/.exec(text)?.[0]).filter(Boolean).join(", ");
    test(`${host.name}: ${scenario.name} (${detail})`, async () => {
      const world = { host, hooks: [], clientHooks: [], levels: {}, context: {} };
      try {
        for (const step of scenario.steps) await perform(world, step);
      } finally {
        await host.clear();
      }
    });
  }
  test(`${host.name}: every scenario of the suite ran, or does not apply for a reason`, () => assert.deepEqual(found, counts));
}

async function perform(world, { text, table }) {
  for (const [pattern, action] of STEPS) {
    const match = pattern.exec(text);
    if (match) return action(world, ...match.slice(1), table);
  }
  assert.fail(`nobody knows how to: ${text}`);
}

const TYPES = { boolean: "Boolean", string: "String", integer: "Number", number: "Number", float: "Number", object: "Object" };
const typed = (kind, text) => (kind.toLowerCase() === "string" ? text : text === "null" ? null : JSON.parse(text.replaceAll('\\"', '"')));
const method = (kind, details) => `get${TYPES[kind.toLowerCase()]}${details ? "Details" : "Value"}`;

async function evaluate(world, kind, key, otherwise, details, options) {
  const { host } = world;
  world.fallback = otherwise;
  world.given = structuredClone(world.context);
  world.details = await host.evaluate(method(kind, details), key, otherwise, world.context, options);
  if (!details) world.value = world.details;
}

/** A hook that writes down what it was called with. */
const hook = (calls, name) => ({
  before: (context) => void calls.push({ stage: "before", name, context }),
  after: (context, details) => void calls.push({ stage: "after", name, details }),
  error: (context, error) => void calls.push({ stage: "error", name, error }),
  finally: (context, details) => void calls.push({ stage: "finally", name, details }),
});

const STEPS = [
  [/^a (stable|not ready|error|fatal|stale) provider$/, async (world, status) => void (await world.host.provide(status))],
  [/^a stable provider with retrievable context is registered$/, async (world) => void (await world.host.provide("stable"))],
  [/^the provider status should be "(\w+)"$/, (world, status) => assert.equal(world.host.status(), status)],

  [/^[aA]n? (\w+)-flag with key "(.+)" and a fallback value "(.*)"$/, (world, kind, key, otherwise) => Object.assign(world, { kind, key, otherwise: typed(kind, otherwise) })],
  [/^a context containing a key "(\w+)", with type "(\w+)" and with value "(.*)"$/, (world, name, kind, value) => void (world.context[name] = typed(kind, value))],
  [/^a context containing a key "(\w+)" with null value$/, (world, name) => void (world.context[name] = null)],
  [/^an evaluation context with modifiable data$/, (world) => void Object.assign(world.context, { email: "a@example.com", nested: { list: [1, 2] } })],
  [/^the flag was evaluated with details(?: asynchronously)?$/, (world) => evaluate(world, world.kind, world.key, world.otherwise, true)],
  [/^the evaluation should complete without blocking$/, (world) => assert.ok(world.details)],
  [/^the original evaluation context should remain unmodified$/, (world) => assert.deepEqual(world.context, world.given)],
  [/^the evaluation details should be immutable$/, async (world) => {
    const { details } = world;
    try {
      details.flagMetadata.changed = true;
    } catch {
      return;
    }
    // Where it can be written to, it is nobody else's.
    await evaluate(world, world.kind, world.key, world.otherwise, true);
    assert.equal(world.details.flagMetadata.changed, undefined);
  }],
  [/^the resolved details value should be "(.*)"$/, (world, expected) => assert.deepEqual(world.details.value, typed(world.kind, expected))],
  [/^the flag key should be "(.+)"$/, (world, key) => assert.equal(world.details.flagKey, key)],
  [/^the variant should be "([^"]+)"$/, (world, variant) => assert.equal(world.details.variant, variant)],
  [/^the reason should be "(\w+)"$/, (world, reason) => assert.equal(world.details.reason, reason)],
  [/^the error-code should be "(\w+)"$/, (world, code) => assert.equal(world.details.errorCode, code)],
  [/^the resolved metadata should contain$/, (world, [, ...rows]) => assert.deepEqual(world.details.flagMetadata, Object.fromEntries(rows.map(([key, kind, value]) => [key, typed(kind, value)])))],
  [/^the resolved metadata is empty$/, (world) => assert.deepEqual(world.details.flagMetadata, {})],

  [/^a client with added hook$/, (world) => void world.host.client.addHooks(hook(world.hooks, "client"))],
  [/^the "([\w, ]+)" hooks? should (?:have been executed|be called with evaluation details)$/, (world, stages, table) => {
    for (const stage of stages.split(", ")) {
      const call = world.hooks.find((call) => call.stage === stage);
      assert.ok(call, `${stage} was called`);
      const names = { flag_key: "flagKey", value: "value", variant: "variant", reason: "reason", error_code: "errorCode" };
      for (const [kind, key, value] of table?.slice(1) ?? []) assert.equal(call.details[names[key]] ?? null, value === "null" ? null : typed(kind, value), `${stage}: ${key}`);
    }
  }],
  [/^evaluation options containing specific hooks$/, (world) => void (world.options = { hooks: [hook(world.hooks, "first"), hook(world.hooks, "second")] })],
  [/^the flag was evaluated with details using the evaluation options$/, (world) => evaluate(world, world.kind, world.key, world.otherwise, true, world.options)],
  [/^the specified hooks should execute during evaluation$/, (world) => assert.deepEqual(new Set(world.hooks.map(({ stage }) => stage)), new Set(["before", "after", "finally"]))],
  [/^the hook order should be maintained$/, (world) => assert.deepEqual(world.hooks.map(({ stage, name }) => `${stage} ${name}`), ["before first", "before second", "after second", "after first", "finally second", "finally first"])],

  [/^A context entry with key "(.+)" and value "(.+)" is added to the "(.+)" level$/, (world, key, value, level) => void ((world.levels[level] ??= {})[key] = value)],
  [/^A table with levels of increasing precedence$/, (world, table) => void (world.precedence = table.flat())],
  [/^Context entries for each level from API level down to the "(.+)" level, with key "(.+)" and value "(.+)"$/, (world, last, key) => {
    for (const level of world.precedence.slice(0, world.precedence.indexOf(last) + 1)) (world.levels[level] ??= {})[key] = level;
  }],
  [/^Some flag was evaluated$/, async (world) => void (world.seen = await world.host.merged(world.levels))],
  [/^The merged context contains an entry with key "(.+)" and value "(.+)"$/, (world, key, value) => assert.equal(world.seen[key], value)],

  // The older suite.
  [/^an? (\w+) flag with key "([^"]+)" is evaluated with (details and )?(?:a )?(?:null )?default value ?"?([^"]*)"?$/, (world, kind, key, details, otherwise) => {
    world.kind = kind;
    return evaluate(world, kind, key, otherwise === "" ? {} : typed(kind, otherwise), details !== undefined);
  }],
  [/^the resolved (boolean|string|integer|float) value should be "?([^"]*)"?$/, (world, kind, value) => assert.equal(world.value, typed(kind, value))],
  [/^the resolved \w+ details value should be "?([^",]*)"?, the variant should be "(\w+)", and the reason should be "(\w+)"$/, ({ details, kind }, value, variant, reason) => assert.deepEqual([details.value, details.variant, details.reason], [typed(kind, value), variant, reason])],
  [/^the resolved object (details )?value should be contain fields/, (world, details) => assert.deepEqual(details ? world.details.value : world.value, { showImages: true, title: "Check out these pics!", imagesPerPage: 100 })],
  [/^the variant should be "(\w+)", and the reason should be "(\w+)"$/, ({ details }, ...expected) => assert.deepEqual([details.variant, details.reason], expected.slice(0, 2))],
  [/^context contains keys "fn", "ln", "age", "customer" with values "(.+)", "(.+)", (\d+), "(\w+)"$/, (world, fn, ln, age, customer) => void Object.assign(world.context, { fn, ln, age: Number(age), customer: customer === "true" })],
  [/^a flag with key "(.+)" is evaluated with default value "(.+)"$/, (world, key, otherwise) => evaluate(world, "string", (world.key = key), (world.otherwise = otherwise), false)],
  [/^the resolved string response should be "(.+)"$/, (world, value) => assert.equal(world.value, value)],
  [/^the resolved flag value is "(.+)" when the context is empty$/, async (world, value) => {
    world.context = {};
    await evaluate(world, "string", world.key, world.otherwise, false);
    assert.equal(world.value, value);
  }],
  [/^a non-existent string flag with key "(.+)" is evaluated with details and a fallback value "(.+)"$/, (world, key, otherwise) => evaluate(world, "string", key, otherwise, true)],
  [/^a string flag with key "(.+)" is evaluated as an integer, with details and a fallback value (\d+)$/, (world, key, otherwise) => evaluate(world, "integer", key, Number(otherwise), true)],
  [/^the default \w+ value should be returned$/, (world) => assert.equal(world.details.value, world.fallback)],
  [/^the reason should indicate an error and the error code should indicate .+ with "(\w+)"$/, ({ details }, code) => assert.deepEqual([details.reason, details.errorCode], ["ERROR", code])],
];
