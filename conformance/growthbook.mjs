// GrowthBook's own cases (suites/growthbook/cases.json) on any JavaScript host. `engine` is the full build.

/** How many cases there are of each kind; a file that holds others is not the one that is meant. */
const COUNTS = { evalCondition: 248, run: 73, feature: 55, contextualBandit: 35, stickyBucket: 13, urlRedirect: 4, hash: 15, getBucketRange: 13, chooseVariation: 13, getQueryStringOverride: 16, inNamespace: 16, getEqualWeights: 6, decrypt: 10 };

/** Those that ask about a visitor. */
const ASKED = ["evalCondition", "run", "feature", "contextualBandit", "stickyBucket", "urlRedirect"];

/** Runs all of them, asking in JSON and, by the SDK's `Flags`, in bytes; answers one list of failures a case. */
export async function growthbook(engine, memory, { Flags, decrypt }, cases) {
  const bytes = { ...engine, Flags: inBytes(engine, memory, Flags) };
  return [
    ...cases.run.map(sameReason(engine, bytes)),
    ...(await eachCase({ ...engine, decrypt }, cases, Object.keys(COUNTS))),
    ...(await eachCase(bytes, cases, ASKED)),
  ];
}

/** Whether the SDK gives core's reason for what an experiment is, in the same words. */
function sameReason(engine, bytes) {
  return ([name, context, experiment], at) => {
    const [inJson, inBytes] = [engine, bytes].map((host) => ran(host, { ...context, experiments: [experiment] }, context, 0));
    const fault = same(inBytes.experimentResult.why, inJson.why);
    return { name: `why ${at}: ${name}`, faults: fault === undefined ? [] : [fault] };
  };
}

/** What the cases ask of the engine, by the SDK. */
function inBytes(engine, memory, Flags) {
  return class {
    constructor(payload) {
      const compiled = new engine.Flags(payload);
      this.exposures = [];
      this.flags = new Flags(engine, memory, compiled.bytes(), { onExposure: (exposure) => this.exposures.push(exposure) });
      compiled.free();
    }
    feature(key, context) {
      const found = structuredClone(this.flags.feature(key, context));
      return { ...found, exposures: this.exposures, ...this.remembered(context) };
    }
    experiment(number, context) {
      const { experiment, result } = this.flags.experiment(number, context);
      return { experiment, experimentResult: result, exposures: this.exposures };
    }
    remembered({ stickyBucketAssignmentDocs: documents }) {
      if (!documents) return {};
      const before = Object.fromEntries(Object.values(documents).map((document) => [`${document.attributeName}||${document.attributeValue}`, document]));
      return { stickyBucketAssignmentDocs: Object.assign({}, before, ...this.exposures.map((exposure) => this.flags.remember(exposure, before))) };
    }
    free() {}
  };
}

/** Runs the kinds that are wanted; answers one list of failures a case. */
export async function eachCase(engine, cases, wanted) {
  const results = [];
  for (const kind of wanted) {
    const count = COUNTS[kind];
    if (cases[kind].length !== count) results.push({ name: kind, faults: [`${cases[kind].length} cases are not ${count}`] });
    for (const [at, parts] of cases[kind].entries()) {
      let fault;
      try {
        fault = await kinds[kind](engine, parts);
      } catch (thrown) {
        fault = String(thrown);
      }
      results.push({ name: `${kind} ${at}: ${parts[0]}`, faults: fault === undefined ? [] : [fault] });
    }
  }
  return results;
}

const near = (found, expected) => Math.abs(found - expected) < 1e-6;
const flat = (ranges) => Float64Array.from(ranges.flat());

const kinds = {
  evalCondition: (engine, [, condition, attributes, expected, savedGroups = {}]) =>
    same(asked(engine, { features: { f: { defaultValue: false, rules: [{ force: true, condition }] } }, savedGroups }, { attributes }, "f").value, expected),
  feature: (engine, [, context, key, expected]) => like(asked(engine, context, context, key), expected),
  contextualBandit: (engine, [, context, key, expected]) => like(asked(engine, context, context, key), expected),
  run: (engine, [, context, experiment, value, inExperiment, hashUsed]) => {
    const { experimentResult: result } = ran(engine, { ...context, experiments: [experiment] }, context, 0);
    return like({ value: result.value, inExperiment: result.inExperiment, hashUsed: result.hashUsed }, { value, inExperiment, hashUsed });
  },
  stickyBucket: (engine, [, context, documents, key, result, remembered]) => {
    const found = asked(engine, context, { ...context, stickyBucketAssignmentDocs: documents }, key);
    // Of other visitors' documents nothing is expected.
    delete found.stickyBucketAssignmentDocs["deviceId||d456"];
    return like(found.experimentResult ?? null, result) ?? like(found.stickyBucketAssignmentDocs, remembered);
  },
  urlRedirect: (engine, [, context, [expected]]) => {
    for (const at of context.experiments.keys()) {
      const { experimentResult: result } = ran(engine, context, context, at);
      const to = result.inExperiment ? result.value.urlRedirect : undefined;
      if (to === undefined) continue;
      const urlWithParams = engine.redirectTo(context.url, to, context.experiments[at].persistQueryString ?? false);
      return like({ inExperiment: true, urlRedirect: to, urlWithParams }, expected);
    }
    return "nothing redirects";
  },
  hash: (engine, [seed, value, version, expected]) => same(engine.placeOf(seed, value, version) ?? null, expected),
  getBucketRange: (engine, [, [count, coverage, weights], expected]) => {
    const found = engine.rangesOf(count, coverage, weights === null ? undefined : Float64Array.from(weights));
    return found.length === 2 * expected.length && flat(expected).every((bound, at) => near(bound, found[at])) ? undefined : `${found}`;
  },
  chooseVariation: (engine, [, place, ranges, expected]) => same(engine.chosenOf(flat(ranges), place) ?? -1, expected),
  getQueryStringOverride: (engine, [, key, url, count, expected]) => same(engine.queryOverride(key, url, count) ?? null, expected),
  inNamespace: (engine, [, value, [seed, from, to], expected]) => same(engine.inNamespace(value, seed, from, to), expected),
  decrypt: decrypted,
  getEqualWeights: (engine, [count, expected]) => {
    const found = engine.equalWeights(Math.max(count, 0));
    return found.length === expected.length && expected.every((weight, at) => near(weight, found[at])) ? undefined : `${found}`;
  },
};

async function decrypted(engine, [, text, key, expected]) {
  return same((await engine.decrypt(text, key)) ?? null, expected);
}

function asked(engine, payload, context, key) {
  const flags = new engine.Flags(payload);
  const { exposures, ...found } = flags.feature(key, context);
  flags.free();
  return found;
}

function ran(engine, payload, context, at) {
  const flags = new engine.Flags(payload);
  const found = flags.experiment(at, context);
  flags.free();
  return found;
}

function same(found, expected) {
  return found === expected ? undefined : `${JSON.stringify(found)} is not ${JSON.stringify(expected)}`;
}

/** Whether `found` is `expected`, whatever the order of members; null is absent. */
function like(found, expected) {
  return written(found) === written(expected) ? undefined : `${written(found)} is not ${written(expected)}`;
}

function written(value) {
  return JSON.stringify(value, (name, held) => {
    if (held === null || typeof held !== "object" || Array.isArray(held)) return held;
    const members = Object.entries(held).filter(([own, member]) => own !== "why" && (name === "value" || member !== null));
    return Object.fromEntries(members.sort(([left], [right]) => (left < right ? -1 : 1)));
  });
}
