// Cases posted to an edge's test-only routes: node conformance/edge.mjs
// EDGE, RAPPORT and WORKER as edge-worker/test/house.mjs says. Prints `suite host passed failed skipped`.
import { readFile } from "node:fs/promises";
import { startHouse } from "../edge-worker/test/house.mjs";
import { differs } from "./experiences.mjs";
import { eachCase } from "./growthbook.mjs";

/** Of GrowthBook's those that ask about a visitor. */
const ASKED = ["evalCondition", "run", "feature", "contextualBandit", "stickyBucket"];
/** So many questions go together. */
const TOGETHER = 40;

const read = async (file) => JSON.parse(await readFile(new URL(file, import.meta.url), "utf8"));
const house = await startHouse();
const edge = await house.startEdge();
try {
  report("growthbook", await growthbook());
  report("experiences", await experiences());
} finally {
  await edge.stop();
  await house.stop();
}

function report(suite, results) {
  const failed = results.filter(({ faults }) => faults.length > 0);
  console.log(suite, process.env.EDGE ?? "axum", results.length - failed.length, failed.length, 0);
  for (const { name, faults } of failed.slice(0, 20)) console.log(`  ${name}: ${faults}`);
  if (failed.length > 0) process.exitCode = 1;
}

async function growthbook() {
  const cases = await read("suites/growthbook/cases.json");
  const questions = [];
  await eachCase(asking((question) => (questions.push(question), {})), cases, ASKED);
  const answers = await posted("ask", questions, (some) => some);
  return eachCase(asking(() => answers.shift()), cases, ASKED);
}

/** The suite `experiences`, decided by the bundles beside its cases. */
async function experiences() {
  const { suites } = await read("index.json");
  const results = [];
  for (const file of suites.find(({ name }) => name === "experiences").files) {
    const [{ cases }, bundle] = [await read(file), await read(file.replace(/json$/, "rapport"))];
    const visitors = cases.map(({ visitor }) => visitor);
    const answers = await posted("evaluate", visitors, (some) => ({ bundle, visitors: some }));
    for (const [number, { name, visitor, expect }] of cases.entries()) {
      results.push({ name: `${file}: ${name}`, faults: differs("", decided(answers[number], visitor, expect), expected(expect)) });
    }
  }
  return results;
}

/** An edge says nothing of audiences, and redirects nobody: the page does. */
function expected({ audiences, pages, ...rest }) {
  return { ...rest, pages: pages.map(({ redirect, ...page }) => page) };
}

/** An answer as `expect` has it. */
function decided({ score, features, pages }, { stickyBucketAssignmentDocs: before }, expect) {
  const documents = structuredClone(before);
  const exposures = new Map();
  const hear = (answer) => {
    for (const { experiment, result } of answer.exposures) {
      const { key, name, featureId, variationId, variationWeights, leafId, banditVersion } = result;
      const mark = JSON.stringify([experiment.key, key]);
      if (!exposures.has(mark)) exposures.set(mark, { experimentId: experiment.key, variationId: key, variationName: name, featureId, propensity: variationWeights?.[variationId], leafId, banditVersion });
    }
    for (const [key, { attributeName, attributeValue, assignments }] of Object.entries(answer.stickyBucketAssignmentDocs ?? {})) {
      const news = Object.entries(assignments).filter(([name, kept]) => before[key]?.assignments[name] !== kept);
      if (news.length > 0) documents[key] = { attributeName, attributeValue, assignments: { ...documents[key]?.assignments, ...Object.fromEntries(news) } };
    }
  };
  const unknown = { value: null, source: "unknownFeature", ruleId: "", exposures: [] };
  const shown = Object.entries(expect.features).map(([key, wanted]) => {
    // Of a feature that nobody made nobody is told.
    const answer = features[key] ?? { ...unknown, why: wanted.why };
    hear(answer);
    const { value, source, ruleId, why, experiment, experimentResult: result } = answer;
    const reason = why.at(-1);
    const own = result && { experiment: experiment.key, result: { ...result, why: reason.slice(reason.indexOf(": ") + 2) } };
    return [key, { value, source, ruleId, why, ...own }];
  });
  const ofPages = pages.map((page) => {
    hear(page);
    return { experiment: page.experiment.key, result: { ...page.experimentResult, why: page.why } };
  });
  return { score: score?.score, band: score?.band, features: Object.fromEntries(shown), pages: ofPages, exposures: [...exposures.values()], sticky: documents };
}

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

async function posted(route, questions, body) {
  const answers = [];
  for (let at = 0; at < questions.length; at += TOGETHER) {
    const answer = await fetch(`${edge.url}/_rapport/test/${route}`, { method: "POST", body: JSON.stringify(body(questions.slice(at, at + TOGETHER))) });
    if (!answer.ok) throw new Error(await answer.text());
    answers.push(...(await answer.json()));
  }
  return answers;
}
