// GrowthBook's cases, posted to an edge's test-only route: node conformance/edge.mjs
// EDGE, RAPPORT and WORKER as edge-worker/test/house.mjs says. Prints `suite host passed failed skipped`.
import { readFile } from "node:fs/promises";
import { startHouse } from "../edge-worker/test/house.mjs";
import { eachCase } from "./growthbook.mjs";

/** Those that ask about a visitor. */
const ASKED = ["evalCondition", "run", "feature", "contextualBandit", "stickyBucket"];
/** So many questions go together. */
const TOGETHER = 40;

const cases = JSON.parse(await readFile(new URL("suites/growthbook/cases.json", import.meta.url), "utf8"));
const questions = [];
await eachCase(asking((question) => (questions.push(question), {})), cases, ASKED);
const answers = await answered(questions);
const results = await eachCase(asking(() => answers.shift()), cases, ASKED);

const failed = results.filter(({ faults }) => faults.length > 0);
console.log("growthbook", process.env.EDGE ?? "axum", results.length - failed.length, failed.length, 0);
for (const { name, faults } of failed.slice(0, 20)) console.log(`  ${name}: ${faults}`);
process.exitCode = failed.length > 0 ? 1 : 0;

/** An engine whose answers come from elsewhere: the cases are run twice, to ask and to compare. */
function asking(ask) {
  return {
    Flags: class {
      constructor(payload) {
        this.payload = payload;
      }
      feature(feature, context) {
        return ask({ payload: this.payload, context, feature });
      }
      experiment(experiment, context) {
        return ask({ payload: this.payload, context, experiment });
      }
      free() {}
    },
  };
}

async function answered(questions) {
  const house = await startHouse();
  const edge = await house.startEdge();
  try {
    const answers = [];
    for (let at = 0; at < questions.length; at += TOGETHER) {
      const body = JSON.stringify(questions.slice(at, at + TOGETHER));
      const answer = await fetch(`${edge.url}/_rapport/test/ask`, { method: "POST", body });
      if (!answer.ok) throw new Error(await answer.text());
      answers.push(...(await answer.json()));
    }
    return answers;
  } finally {
    await edge.stop();
    await house.stop();
  }
}
