// Microseconds until everything is decided for a visitor, by the page's engines: node everything.mjs MODEL.rpm → a figure.
// The score of 100 trees and 20 experiments for 10 audiences, some of which go by it; each call takes a profile and
// attributes that nobody asked about before, and tells the exposures.
import { readFileSync } from "node:fs";
import * as scores from "../../../../sdk-js/dist/engine/scores/engine.js";
import * as answers from "../../../../sdk-js/dist/engine/flags/engine.js";
import { Flags } from "../../../../sdk-js/dist/flags.js";
import { compiled } from "../bundle.mjs";
import { COUNTRIES, EXPERIMENTS, VISITORS, audiences, experiences, profilesOf } from "../audiences.mjs";

const ROUNDS = 60;
const BANDS = ["not", "undecided", "qualified"];

const dist = (file) => readFileSync(new URL(`../../../../sdk-js/dist/${file}`, import.meta.url));
const model = readFileSync(process.argv[2]);
const parts = compiled(model, { audiences, experiences });
const { memory } = scores.initSync({ module: dist("rapport_bg.wasm") });
const engine = scores.open(parts.signals, parts.model);
let exposures = 0;
const flags = new Flags(answers, answers.initSync({ module: dist("flags_bg.wasm") }).memory, parts.flags, { onExposure: () => (exposures += 1) });

const { profiles, now } = profilesOf(model, scores, engine, memory);

let asked = 0;
function decide(number) {
  scores.restore(engine, profiles[number]);
  const at = scores.decide(engine, now);
  const [score, , band] = new Float64Array(memory.buffer, at, 3);
  asked += 1;
  const attributes = { id: `visitor-${asked}`, country: COUNTRIES[number % COUNTRIES.length], employees: number };
  return flags.all({ attributes, known: { now, score, band: BANDS[band] }, url: "https://example.com/pricing" });
}

const seen = new Set();
for (let number = 0; number < VISITORS; number += 1) {
  const { score, features } = decide(number);
  seen.add(score);
  const running = Object.values(features).filter(({ source }) => source === "experiment").length;
  if (Object.keys(features).length !== EXPERIMENTS || running === EXPERIMENTS) throw new Error(`${running} experiments run for visitor ${number}`);
}
if (seen.size < 20 || exposures < VISITORS) throw new Error(`${seen.size} scores and ${exposures} exposures: visitors are too much alike`);

let best = Infinity;
for (let round = 0; round < ROUNDS; round += 1) {
  const start = process.hrtime.bigint();
  for (let number = 0; number < VISITORS; number += 1) decide(number);
  best = Math.min(best, Number(process.hrtime.bigint() - start) / 1_000 / VISITORS);
}
console.error(`${seen.size} scores, ${(exposures / asked).toFixed(1)} exposures a visitor`);
console.log(JSON.stringify({ name: "decide_wasm_us", value: best, unit: "us" }));
