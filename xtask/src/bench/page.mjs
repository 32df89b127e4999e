// Times the page build: node page.mjs MODEL.rpm → one JSON object.
import { readFileSync } from "node:fs";
import * as page from "../../../sdk-js/dist/engine/scores/engine.js";
import { decision, inspector, launch, visit } from "../../../sdk-js/test/site/chromium.mjs";
import { startSite } from "../../../sdk-js/test/site/site.mjs";
import { compiled, eventsOf } from "./bundle.mjs";

const dist = new URL("../../../sdk-js/dist/", import.meta.url);
const model = readFileSync(process.argv[2]);

/** Event → fold → score → profile saved → five reasons: the mean of each slice's best round. */
function eventToReasons() {
  const parts = compiled(model);
  const { memory } = page.initSync({ module: readFileSync(new URL("rapport_bg.wasm", dist)) });
  const engine = page.open(parts.signals, parts.model);
  if (engine === 0 || !page.teach(engine, parts.signals, parts.model, parts.words)) throw new Error("the bundle does not open");
  const events = eventsOf(model, 512);
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
