// What the figures of deciding decide: 20 experiments for 10 audiences, half of which go by the score, and visitors.
import { eventsOf } from "./bundle.mjs";

const AUDIENCES = 10;
export const EXPERIMENTS = 20;
export const VISITORS = 1_000;
const EVENTS = 6;
export const COUNTRIES = ["US", "CA", "GB", "DE", "FR", "AT", "CH", "JP"];

const names = Array.from({ length: AUDIENCES }, (_, number) => `audience-${number}`);
export const audiences = Object.fromEntries(names.map((name, number) => [name, {
  country: { $in: COUNTRIES.slice(number % 5, (number % 5) + 4) },
  ...(number % 2 ? { $score: { $gte: 5 * number } } : { employees: { $gte: 40 * number } }),
}]));
export const experiences = Array.from({ length: EXPERIMENTS }, (_, number) => ({
  key: `experiment-${number}`, slot: `slot-${number}`, audience: names[number % AUDIENCES],
  variations: [null, { type: "text", text: "b" }, { type: "text", text: "c" }], weights: [0.4, 0.3, 0.3],
}));

/** What browsers keep of visitors who did a few things, and when the last one did; `engine` is one of `scores`. */
export function profilesOf(model, scores, engine, memory) {
  const events = eventsOf(model, VISITORS * EVENTS);
  const profiles = Array.from({ length: VISITORS }, (_, number) => {
    scores.forget(engine);
    for (const event of events.slice(number * EVENTS, (number + 1) * EVENTS)) {
      new Uint8Array(memory.buffer).set(event, scores.input());
      if (scores.apply(engine, event.length) === 0) throw new Error("an event was refused");
    }
    return scores.save(engine);
  });
  return { profiles, now: events.at(-1).time };
}
