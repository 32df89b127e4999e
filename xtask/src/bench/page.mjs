// Times the page build: node page.mjs MODEL.rpm → one JSON object.
import { readFileSync } from "node:fs";
import { compileBundle, describeModel, initSync as initFull } from "../../../sdk-js/dist/full/engine.js";
import * as page from "../../../sdk-js/dist/engine/scores/engine.js";
import { decision, inspector, launch, visit } from "../../../sdk-js/test/site/chromium.mjs";
import { startSite } from "../../../sdk-js/test/site/site.mjs";

const dist = new URL("../../../sdk-js/dist/", import.meta.url);
const model = readFileSync(process.argv[2]);
initFull({ module: readFileSync(new URL("full/engine_bg.wasm", dist)) });

/** An event in its compact form (docs/event-format.md). */
function written(number, time, fields) {
  const text = (text) => {
    const bytes = Buffer.from(text);
    return Buffer.concat([Buffer.from([bytes.length & 255, bytes.length >> 8]), bytes]);
  };
  const head = Buffer.alloc(12);
  head.writeUInt8(1, 0);
  head.writeUInt16LE(fields.length, 2);
  head.writeBigInt64LE(BigInt(time), 4);
  const parts = [head, text("Moved"), text(`message-${number}`)];
  for (const [path, value] of fields) {
    parts.push(text(path));
    if (typeof value === "string") parts.push(Buffer.from([1]), text(value));
    else {
      const double = Buffer.alloc(9);
      double.writeDoubleLE(value, 1);
      parts.push(double);
    }
  }
  return Buffer.concat(parts);
}

/** Event → fold → score → profile saved → five reasons: the mean of each slice's best round. */
function eventToReasons() {
  const read = describeModel(model);
  const signals = read.map(({ name, levels }, index) => ({
    id: index + 1, name, label: name, kind: levels ? "last_level" : "last", field: `properties.${name}`,
    words: { other: levels ? `${name} is {level}` : `${name} at {n}` }, ...(levels ? { levels } : {}),
  }));
  const bundle = { workspace: "bench", environment: "test", signals, models: [{ name: "bench" }] };
  const parts = compileBundle(bundle, { bench: model });
  if (parts.problems.length > 0) throw new Error(parts.problems.join("\n"));
  const { memory } = page.initSync({ module: readFileSync(new URL("rapport_bg.wasm", dist)) });
  const engine = page.open(parts.signals, parts.model);
  if (engine === 0 || !page.teach(engine, parts.signals, parts.model, parts.words)) throw new Error("the bundle does not open");
  let seed = 1;
  const random = () => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
  const value = ({ levels }) => (levels ? levels[Math.floor(random() * levels.length)] : Math.round(random() * 1e4) / 50 - 50);
  const from = Date.UTC(2026, 10, 1);
  const events = Array.from({ length: 512 }, (_, number) => {
    const some = number === 0 ? read : Array.from({ length: 8 }, () => read[Math.floor(random() * read.length)]);
    const fields = new Map(some.map((signal) => [`properties.${signal.name}`, value(signal)]));
    return Object.assign(written(number, from + number * 1000, [...fields]), { time: from + number * 1000 });
  });
  const input = page.input();
  const apply = (events) => {
    const start = process.hrtime.bigint();
    for (const event of events) {
      new Uint8Array(memory.buffer).set(event, input);
      if (page.apply(engine, event.length) === 0) throw new Error("an event was refused");
      if (page.explain(engine, page.save(engine), event.time) === 0) throw new Error("no reasons");
    }
    return Number(process.hrtime.bigint() - start) / 1000;
  };
  const slices = Array.from({ length: events.length / 16 }, (_, at) => events.slice(16 * at, 16 * at + 16));
  const least = slices.map(() => Infinity);
  for (let round = 0; round < 60; round += 1) {
    slices.forEach((slice, at) => (least[at] = Math.min(least[at], apply(slice))));
  }
  return least.reduce((sum, us) => sum + us, 0) / events.length;
}

/** Clicks on the demo's website: from the click to the new score in the panel, laid out. */
async function pageUpdates() {
  const browser = await launch();
  const site = await startSite();
  try {
    const tab = await visit(browser, `${site.url}/pricing`);
    await decision(tab);
    await inspector(tab);
    return await tab.evaluate(async () => {
      const panel = document.querySelector("rapport-inspector").shadowRoot;
      const button = document.querySelector(".prices .button");
      button.addEventListener("click", (event) => event.preventDefault());
      const took = [];
      for (let count = 0; count < 1000; count += 1) {
        const start = performance.now();
        button.click();
        void panel.querySelector(".score").getBoundingClientRect();
        took.push(performance.now() - start);
        await new Promise((resolve) => setTimeout(resolve, 4));
      }
      if (window.decisions.length < 1000) throw new Error(`only ${window.decisions.length} decisions`);
      took.sort((a, b) => a - b);
      return { page_update_p50_ms: took[500], page_update_p99_ms: took[990] };
    });
  } finally {
    await browser.close();
    await site.close();
  }
}

console.log(JSON.stringify({ event_to_reasons_us: eventToReasons(), ...(await pageUpdates()) }));
