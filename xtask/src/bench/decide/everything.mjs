// Microseconds until everything is decided for a visitor, by the page's engines: node everything.mjs MODEL.rpm → a figure.
// The score of 100 trees and 20 experiments for 10 audiences, some of which go by it; each call takes a profile and
// attributes that nobody asked about before, and tells the exposures.
import { readFileSync } from "node:fs";
import * as scores from "../../../../sdk-js/dist/engine/scores/engine.js";
import * as answers from "../../../../sdk-js/dist/engine/flags/engine.js";
import { Flags } from "../../../../sdk-js/dist/flags.js";
import { compiled, eventsOf } from "../bundle.mjs";

const AUDIENCES = 10;
const EXPERIMENTS = 20;
const VISITORS = 1_000;
const EVENTS = 6;
const ROUNDS = 60;
const BANDS = ["not", "undecided", "qualified"];
const COUNTRIES = ["US", "CA", "GB", "DE", "FR", "AT", "CH", "JP"];

const names = Array.from({ length: AUDIENCES }, (_, number) => `audience-${number}`);
const audiences = Object.fromEntries(names.map((name, number) => [name, {
  country: { $in: COUNTRIES.slice(number % 5, (number % 5) + 4) },
  ...(number % 2 ? { $score: { $gte: 5 * number } } : { employees: { $gte: 40 * number } }),
}]));
const experiences = Array.from({ length: EXPERIMENTS }, (_, number) => ({
  key: `experiment-${number}`, slot: `slot-${number}`, audience: names[number % AUDIENCES],
  variations: [null, { type: "text", text: "b" }, { type: "text", text: "c" }], weights: [0.4, 0.3, 0.3],
}));

const dist = (file) => readFileSync(new URL(`../../../../sdk-js/dist/${file}`, import.meta.url));
const model = readFileSync(process.argv[2]);
const parts = compiled(model, { audiences, experiences });
const { memory } = scores.initSync({ module: dist("rapport_bg.wasm") });
const engine = scores.open(parts.signals, parts.model);
let exposures = 0;
const flags = new Flags(answers, answers.initSync({ module: dist("flags_bg.wasm") }).memory, parts.flags, { onExposure: () => (exposures += 1) });

const events = eventsOf(model, VISITORS * EVENTS);
/** What browsers keep of visitors who did a few things. */
const profiles = Array.from({ length: VISITORS }, (_, number) => {
  scores.forget(engine);
  for (const event of events.slice(number * EVENTS, (number + 1) * EVENTS)) {
    new Uint8Array(memory.buffer).set(event, scores.input());
    if (scores.apply(engine, event.length) === 0) throw new Error("an event was refused");
  }
  return scores.save(engine);
});
const now = events.at(-1).time;

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
