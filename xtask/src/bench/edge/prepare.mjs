// What the edge's figures decide by: node prepare.mjs MODEL.rpm FOLDER. Of each world a KV namespace with its signed bundle,
// the questions that are asked of it, and what the edge is to trust; and the page that is changed.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as scores from "../../../../sdk-js/dist/engine/scores/engine.js";
import { bundleFile } from "../../../../sdk-js/dist/testing.js";
import { authored, compiled } from "../bundle.mjs";
import { COUNTRIES, audiences, experiences, profilesOf } from "../audiences.mjs";

const KEY = "wk_live_bench";
const QUESTIONS = 200;

const [modelPath, folder] = process.argv.slice(2);
const model = readFileSync(modelPath);
/** What the demo's people authored, as it is published. */
const told = JSON.parse(readFileSync(new URL("../../../../examples/demo/flags.json", import.meta.url)));
const keyed = (entries, more) => Object.entries(entries).map(([key, one]) => ({ key, ...more, ...one }));
const demo = {
  audiences: Object.fromEntries(Object.entries(told.audiences).map(([key, { condition }]) => [key, condition])),
  experiences: keyed(told.experiences),
  experiments: keyed(told.experiments, { status: "running", hashAttribute: "id" }),
};
/** The changes of the peers' page: a heading's text, an attribute, a link. */
const set = (selector, attribute, value) => ({ selector, attribute, action: "set", value });
const changes = [set("h1.hero", "text", "Hi"), { ...set(".c7 h3", "class", "x"), action: "append" }, set('a[href="/p/9"]', "href", "/z")];
const page = { experiments: [{ key: "page", status: "running", variations: [{}, { domMutations: changes }], weights: [0, 1], hashAttribute: "id", hashVersion: 2, urlPatterns: [{ type: "simple", include: true, pattern: "/*" }] }] };

const worlds = { demo, twenty: { audiences, experiences }, page };
const { memory } = scores.initSync({ module: readFileSync(new URL("../../../../sdk-js/dist/rapport_bg.wasm", import.meta.url)) });
const parts = compiled(model);
const { profiles, now } = profilesOf(model, scores, scores.open(parts.signals, parts.model), memory);

for (const [name, flags] of Object.entries(worlds)) {
  const bundle = bundleFile({ ...authored(model), flags }, { bench: model });
  const store = join(folder, name, "store");
  mkdirSync(store, { recursive: true });
  writeFileSync(join(store, "bundle"), JSON.stringify(bundle));
  const questions = profiles.slice(0, QUESTIONS).map((profile, number) => JSON.stringify({
    key: KEY, anonymousId: `visitor-${number}`, profile: Buffer.from(profile).toString("base64"), now, reasons: 0,
    visitor: { attributes: { country: COUNTRIES[number % COUNTRIES.length], employees: number }, url: "https://www.example.com/pricing" },
  }));
  writeFileSync(join(folder, name, "world.json"), JSON.stringify({ key: KEY, publicKey: bundle.publicKey, questions }));
}

/** The page of the peers' bench (shared/peers/sdk/eval/edge_rewrite.mjs) with 1000 rows: 200 KiB. */
const row = (i) => `<div class="card c${i}" data-i="${i}"><h3 id="t${i}">Title ${i}</h3><p>Lorem ipsum dolor sit amet, <a href="/p/${i}">link ${i}</a> consectetur adipiscing elit.</p><ul><li>a</li><li>b</li><li>c</li></ul></div>`;
const html = `<!doctype html><html><head><title>x</title></head><body><h1 class="hero">Hello</h1>${Array.from({ length: 1000 }, (_, i) => row(i)).join("")}</body></html>`;
writeFileSync(join(folder, "page.html"), html);
