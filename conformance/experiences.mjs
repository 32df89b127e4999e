// The suite `experiences` on any JavaScript host. `engines` has the page's engine of flags, and where there is one
// a server's `openRapport`.

/** Of one file, whose bundle stands beside it: one list of failures a case. */
export async function experiences(engines, read, file) {
  const { flags, cases } = await read(file);
  const bundle = await read(file.replace(/json$/, "rapport"));
  const heard = [];
  const asked = engines.openFlags(partOf(bundle, "flags"), { onExposure: (exposure) => heard.push(exposure) });
  const own = new Map([...(flags.experiments ?? []), ...(flags.experiences ?? [])].map((one) => [one.key, one]));
  const page = { flags: asked, heard, redirectTo: (key, from, to) => engines.redirectTo(from, to, own.get(key).persistQueryString ?? false) };
  const results = [];
  for (const { name, visitor, expect } of cases) {
    let faults;
    try {
      const { seen, ...found } = answered(page, visitor, expect);
      faults = differs("", found, expectedOfPage(expect));
      if (engines.openRapport) faults.push(...(await onServer(engines.openRapport, bundle, flags, visitor, expect, seen)));
    } catch (thrown) {
      faults = [String(thrown.stack)];
    }
    results.push({ name, faults });
  }
  return results;
}

/** As the page asks: by attributes, and by what it knows beside them. */
function answered({ flags, heard, redirectTo }, visitor, expect) {
  const { anonymousId, userId, attributes, url, enabled, qaMode, forcedVariations, stickyBucketAssignmentDocs: before, now, grade, shown } = visitor;
  const ids = { id: anonymousId ?? userId, anonymousId, userId };
  const { score, band } = expect;
  const known = { now, shown, grade, score: score ?? undefined, band: band ?? undefined };
  const asking = { attributes: { ...ids, ...attributes }, url, enabled, qaMode, forcedVariations, stickyBucketAssignmentDocs: before, known };
  const all = flags.all(asking);
  heard.length = 0;
  const features = Object.fromEntries(
    Object.keys(expect.features).map((key) => {
      const { value, source, ruleId, experiment, experimentResult: result } = flags.feature(key, asking);
      if (all.features[key] && differs("", all.features[key].value, value).length > 0) throw new Error(`${key} is decided at once in another way`);
      return [key, { value, source, ruleId, ...(result ? { experiment: experiment.key, result } : {}) }];
    }),
  );
  const seen = told(heard);
  const pages = Array.from({ length: flags.experiments }, (_, number) => {
    const { experiment, result } = flags.experiment(number, asking);
    const to = result.inExperiment ? result.value?.urlRedirect : undefined;
    return { experiment: experiment.key, result, ...(to === undefined ? {} : { redirect: redirectTo(experiment.key, url ?? "", to) }) };
  });
  const sticky = before && heard.reduce((documents, exposure) => ({ ...documents, ...flags.remember(exposure, documents) }), before);
  return { score: all.score, band: all.band, features, pages, exposures: told(heard), sticky, seen };
}

/** What of an answer a page says: of a feature's reasons that of its experiment, and no audiences. */
function expectedOfPage({ audiences, features, ...rest }) {
  return { ...rest, features: withoutTrace(features) };
}

function withoutTrace(features) {
  return Object.fromEntries(Object.entries(features).map(([key, { why, ...feature }]) => [key, feature]));
}

/** The same by the SDK of servers, which scores the visitor itself, and tells the collector. */
async function onServer(openRapport, bundle, flags, visitor, expect, seen) {
  const posted = [];
  const collector = async (_, { body }) => {
    posted.push(...JSON.parse(body).batch);
    return new Response("{}");
  };
  const rapport = await openRapport({ file: new TextEncoder().encode(JSON.stringify(bundle)), key: "wk_live_cases", endpoint: "http://collector.test", track: { after: 0 }, fetch: collector });
  const { grade, shown, ...rest } = visitor;
  const asking = { ...rest, known: { grade, shown } };
  const verdict = rapport.explain(asking);
  const features = Object.fromEntries(
    Object.keys(expect.features).map((key) => {
      const { value, source, ruleId, experiment, experimentResult: result } = rapport.feature(key, asking);
      return [key, { value, source, ruleId, ...(result ? { experiment: experiment.key, result } : {}) }];
    }),
  );
  await rapport.close();
  const isSomebody = (visitor.anonymousId ?? visitor.userId) !== undefined;
  const viewed = (event) => posted.filter((one) => one.event === event).map(({ properties: { bundle: _, ...properties } }) => properties);
  const experiences = new Set((flags.experiences ?? []).map(({ key }) => key));
  const shownPlainly = Object.values(expect.features).filter(({ source, ruleId }) => source === "force" && experiences.has(ruleId));
  const faults = [
    ...differs("score", verdict?.score, expect.score),
    ...differs("band", verdict?.band, expect.band),
    ...differs("features", features, withoutTrace(expect.features)),
    ...differs("experiments viewed", viewed("Experiment Viewed"), isSomebody ? seen : []),
    ...differs("experiences viewed", viewed("Experience Viewed"), isSomebody ? [...new Set(shownPlainly.map(({ ruleId }) => ruleId))].map((experienceId) => ({ experienceId })) : []),
  ];
  return faults.map((fault) => `server: ${fault}`);
}

/** The properties of the exposures' events, each once. */
function told(exposures) {
  const once = new Map();
  for (const { experiment, result } of exposures) {
    const { key, name, featureId, variationId, variationWeights, leafId, banditVersion } = result;
    const properties = { experimentId: experiment.key, variationId: key, variationName: name, featureId, propensity: variationWeights?.[variationId], leafId, banditVersion };
    const mark = JSON.stringify([experiment.key, key]);
    if (!once.has(mark)) once.set(mark, properties);
  }
  return [...once.values()];
}

function partOf({ manifest, parts }, kind) {
  const { hash } = JSON.parse(manifest).parts.find((part) => part.kind === kind);
  return Uint8Array.from(atob(parts[hash]), (character) => character.charCodeAt(0));
}

/** The first difference; null is absent. */
export function differs(at, found, wanted) {
  const [isMap, isList] = [isObject(found) && isObject(wanted), Array.isArray(found) && Array.isArray(wanted)];
  if (isMap || (isList && found.length === wanted.length)) {
    for (const name of new Set([...Object.keys(found), ...Object.keys(wanted)])) {
      const faults = differs(`${at}.${name}`, found[name], wanted[name]);
      if (faults.length > 0) return faults;
    }
    return [];
  }
  return (found ?? null) === (wanted ?? null) ? [] : [`${at}: ${JSON.stringify(found)} is not ${JSON.stringify(wanted)}`];
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
