// The Tag Manager template: the shape that its importer asks for, and what its code does.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { runInNewContext } from "node:vm";

const text = await readFile(new URL("../tag-manager/rapport.tpl", import.meta.url), "utf8");
const sections = Object.fromEntries(text.split(/^___([A-Z_]+)___$/m).slice(1).reduce((pairs, part, at, all) => (at % 2 === 0 ? [...pairs, [part, all[at + 1].trim()]] : pairs), []));
const parameters = JSON.parse(sections.TEMPLATE_PARAMETERS);
const permissions = JSON.parse(sections.WEB_PERMISSIONS);

test("the sections are those of a tag template, in their order", () => {
  const order = ["TERMS_OF_SERVICE", "INFO", "TEMPLATE_PARAMETERS", "SANDBOXED_JS_FOR_WEB_TEMPLATE", "WEB_PERMISSIONS", "TESTS", "NOTES"];
  assert.deepEqual(Object.keys(sections), order);
  const { type, version, displayName, containerContexts } = JSON.parse(sections.INFO);
  assert.deepEqual([type, version, displayName, containerContexts], ["TAG", 1, "Rapport", ["WEB"]]);
});

test("parameters are named once, and those that the code reads are declared", () => {
  const names = parameters.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  const read = [...sections.SANDBOXED_JS_FOR_WEB_TEMPLATE.matchAll(/data\.(\w+)/g)].map(([, name]) => name).filter((name) => !name.startsWith("gtm"));
  assert.deepEqual(new Set(read), new Set(names));
  for (const { enablingConditions = [] } of parameters) for (const { paramName } of enablingConditions) assert.ok(names.includes(paramName));
});

test("what it requires is permitted, and nothing else", () => {
  const required = [...sections.SANDBOXED_JS_FOR_WEB_TEMPLATE.matchAll(/require\('(\w+)'\)/g)].map(([, name]) => name);
  const needs = { createQueue: "access_globals", injectScript: "inject_script", makeTableMap: undefined };
  const wanted = required.map((name) => (assert.ok(name in needs, name), needs[name])).filter(Boolean);
  assert.deepEqual(permissions.map(({ instance }) => instance.key.publicId).sort(), wanted.sort());
});

/** Runs the template's code as the container does, with these settings. */
function run(settings) {
  const done = { calls: [], injected: [] };
  const api = {
    createQueue: (name) => (call) => done.calls.push([name, structuredClone(call)]),
    injectScript: (url, success, failure, token) => done.injected.push(url, token),
    makeTableMap: (rows, key, value) => Object.fromEntries(rows.map((row) => [row[key], row[value]])),
  };
  const data = { server: "https://rapport.example.com/", key: "wk_live_1", gtmOnSuccess() {}, gtmOnFailure() {}, ...settings };
  runInNewContext(sections.SANDBOXED_JS_FOR_WEB_TEMPLATE, { require: (name) => api[name], data });
  return done;
}

test("it loads the SDK once, whatever the tag is for", () => {
  const url = "https://rapport.example.com/v1/sdk/wk_live_1.js";
  assert.deepEqual(run({ what: "load" }), { calls: [], injected: [url, url] });
  assert.deepEqual(run({ what: "load", server: "https://rapport.example.com" }).injected, [url, url]);
});

test("it tells events and who is signed in", () => {
  const properties = [{ name: "plan", value: "pro" }];
  assert.deepEqual(run({ what: "track", event: "Signed Up", properties }).calls, [["rapport", ["track", "Signed Up", { plan: "pro" }]]]);
  assert.deepEqual(run({ what: "identify", userId: "u1", token: "v1.x.y" }).calls, [["rapport", ["identify", "u1", {}, { token: "v1.x.y" }]]]);
  assert.deepEqual(run({ what: "identify", userId: "u1" }).calls, [["rapport", ["identify", "u1", {}, {}]]]);
});

test("its settings take addresses and keys, and nothing that looks otherwise", () => {
  const pattern = (name) => new RegExp(parameters.find((one) => one.name === name).valueValidators[0].args[0]);
  for (const [name, text, right] of [["server", "https://rapport.example.com", true], ["server", "http://rapport.example.com", false], ["server", "https://a/b?c", false], ["key", "wk_live_1", true], ["key", "sk_live_1", false]]) {
    assert.equal(pattern(name).test(text), right, text);
  }
});
