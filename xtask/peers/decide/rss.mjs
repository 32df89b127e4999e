// How far a server's memory grows between 100,000 and 1,000,000 decisions about visitors nobody saw before.
// node --expose-gc rss.mjs: prints the figure as JSON. Scores, features, exposures and what is sent of them included.
import { readFileSync } from "node:fs";
import { bundleFile } from "../../../sdk-js/dist/testing.js";
import { openRapport } from "../../../sdk-js/dist/server.js";

const read = (path) => readFileSync(new URL(`../../../${path}`, import.meta.url));
const flags = {
  features: {
    hero: { defaultValue: "plain", rules: [{ key: "hero", hashVersion: 2, variations: ["plain", "warm"] }] },
    hot: { defaultValue: false, rules: [{ force: true, condition: { $score: { $gte: 50 } } }] },
  },
};
const authored = { signals: JSON.parse(read("examples/demo/signals.json")), models: [{ name: "leads" }], flags };
const file = Buffer.from(JSON.stringify(bundleFile(authored, { leads: read("sdk-js/dist/test/leads.rpm") })));
/** The collector takes everything. */
const fetch = async () => new Response("{}");
const rapport = await openRapport({ file, key: "wk_none", endpoint: "http://collector.test", fetch });
const page = { path: "/pricing", url: "https://example.com/pricing" };

function decide(number) {
  const visitor = { anonymousId: `visitor-${number}`, attributes: { plan: "free" }, events: [{ type: "page", messageId: `m${number}`, context: { page } }] };
  rapport.feature("hero", visitor);
  rapport.feature("hot", visitor);
}

async function decideUpTo(from, to) {
  for (let number = from; number < to; number += 1) {
    decide(number);
    // As between requests: what is to be sent goes.
    if (number % 100 === 0) await new Promise(setImmediate);
  }
  await rapport.flush();
}

/** What stays: garbage that waits for its collection is nobody's. */
async function resident() {
  for (let round = 0; round < 3; round += 1) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return process.memoryUsage.rss();
}

await decideUpTo(0, 100_000);
const before = await resident();
await decideUpTo(100_000, 1_000_000);
const value = (await resident()) - before;
if (rapport.dropped > 0) throw new Error(`${rapport.dropped} events were given up`);
console.log(JSON.stringify({ name: "rss_growth_bytes_node", value, unit: "bytes" }));
