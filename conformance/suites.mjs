// The conformance cases on any JavaScript host. `engine` is the full build; `read` gives a file of
// this folder as parsed JSON, `load` as bytes; `sdk` is what decides for visitors. A suite yields one
// list of failures a case.

import { experiences } from "./experiences.mjs";
import { gbstats } from "./gbstats.mjs";
import { growthbook } from "./growthbook.mjs";

/** Runs every suite of index.json that this host knows; answers `{suite, passed, failed, skipped, faults}` each. */
export async function runAll(engine, read, load, memory, sdk) {
  const results = [];
  for (const { name, files, cases } of (await read("index.json")).suites) {
    const result = { suite: name, passed: 0, failed: 0, skipped: 0, faults: [] };
    const run = name === "experiences" ? (engine, read, file) => experiences({ ...sdk, redirectTo: engine.redirectTo }, read, file) : suites[name];
    for (const file of files) {
      const document = await read(file);
      const cases = run ? await run(engine, read, file, document, load) : [];
      if (!run) result.skipped += document.cases.length;
      for (const { name, faults } of cases) {
        if (faults.length === 0) result.passed += 1;
        else result.failed += 1;
        result.faults.push(...faults.map((fault) => `${file}: ${name}: ${fault}`));
      }
    }
    const ran = result.passed + result.failed;
    if (run && ran !== (cases ?? ran)) {
      result.failed += 1;
      result.faults.push(`${ran} cases ran, ${cases} are listed`);
    }
    results.push(result);
  }
  results.push(counted("growthbook", await growthbook(engine, memory, sdk, await read("suites/growthbook/cases.json"))));
  results.push(counted("gbstats", gbstats(engine, await read("suites/gbstats/cases.json"))));
  return results;
}

function counted(suite, cases) {
  const failed = cases.filter(({ faults }) => faults.length > 0);
  const faults = failed.map(({ name, faults }) => `${name}: ${faults}`);
  return { suite, passed: cases.length - failed.length, failed: failed.length, skipped: 0, faults };
}

const suites = { event, fold, histories, score, explain, points, import: imports };

async function event(engine, read, file, document) {
  return document.cases.map(({ name, event, time, received, bytes, error }) => {
    let found;
    try {
      found = received === undefined ? hex(engine.encodeEvent(event, time)) : engine.eventTime(event, received);
    } catch (thrown) {
      const right = error !== undefined && thrown.message.includes(error);
      return { name, faults: right ? [] : [`is refused: ${thrown.message}`] };
    }
    const expected = error ?? bytes ?? time;
    return { name, faults: found === expected ? [] : [`${found} is not ${expected}`] };
  });
}

async function fold(engine, read, file, document) {
  const parts = await read("cases/fold-parts.json");
  const part = (set) => bytes(parts[`${file}#${set}`]);
  const names = (set) => document.sets[set].map(({ name }) => name);
  return document.cases.map(({ name, signals, steps }) => {
    const faults = [];
    let set = signals;
    let folding = new engine.Folding(part(set));
    for (const step of steps) {
      if (step.stored) {
        folding.free();
        folding = new engine.Folding(part(set), bytes(step.stored));
      } else if (step.event) folding.fold(step.event, step.now);
      else if (step.reopen) folding.reopen(part((set = step.reopen)));
      else if (step.merge) {
        const other = new engine.Folding(part(set));
        for (const event of step.merge) other.fold(event);
        folding.merge(other);
        other.free();
      } else {
        for (const name of names(set)) {
          const found = value(folding, name, step.now);
          if (found !== step.values[name]) faults.push(`${name}: ${found} is not ${step.values[name]}`);
        }
        const stored = hex(folding.stored());
        if (step.profile && stored !== step.profile) faults.push(`profile: ${stored} is not ${step.profile}`);
      }
    }
    folding.free();
    return { name, faults };
  });
}

async function histories(engine, read, file, document) {
  const parts = await read("cases/fold-parts.json");
  return document.cases.map((told) => {
    const { name, signals, arrivals, granted } = told;
    const part = bytes(parts[`${file}#${signals}`]);
    const stored = (folding, places) => {
      for (const place of places) folding.fold(arrivals[place].event);
      const profile = folding.stored();
      folding.free();
      return profile;
    };
    const { people, folds } = engine.historyOf(arrivals, granted);
    const profiles = Object.entries(folds).map(([person, places]) => [person, hex(stored(new engine.Folding(part), places))]);
    const faults = [
      ...same("people", people, told.people),
      ...same("folds", folds, told.folds),
      ...same("profiles", Object.fromEntries(profiles), told.profiles),
    ];
    for (const { browser, after, until, profile } of told.pages ?? []) {
      const then = engine.historyOf(arrivals.slice(0, after), granted);
      const hint = stored(new engine.Folding(part), then.folds[then.people[`a:${browser}`]]);
      // A page folds what it sent and the hint does not hold, each message once.
      const known = new Set(arrivals.slice(0, after).map(({ event }) => event?.messageId));
      const own = [];
      arrivals.slice(after, until).forEach(({ event }, at) => {
        if (event?.anonymousId !== browser || known.has(event.messageId)) return;
        known.add(event.messageId);
        own.push(after + at);
      });
      const found = hex(stored(engine.Folding.resume(part, hint), own));
      faults.push(...same(`page after ${after}`, found, profile));
    }
    return { name, faults };
  });
}

async function score(engine, read, file, { cases }, load) {
  const recorded = await read("bits/score.json");
  return eachModel(cases, load, engine, ({ name, row, expect }, scorer) => {
    const { margin, probability, score, band } = scorer.score(numbers(row));
    return [
      ...near("margin", margin, expect.margin, expect.within),
      ...near("probability", probability, expect.probability, expect.within),
      ...same("score", score, expect.score),
      ...same("band", band, expect.band),
      ...same("bits", { margin: bits(margin), probability: bits(probability) }, recorded[name]),
    ];
  });
}

async function explain(engine, read, file, { cases }, load) {
  const recorded = await read("bits/explain.json");
  return eachModel(cases, load, engine, ({ name, row, expect }, scorer) => {
    const { base, contributions, base_score, score, points } = scorer.explain(numbers(row));
    const sum = points.reduce((sum, points) => sum + points, base_score);
    return [
      ...near("base", base, expect.base, expect.within),
      ...same("how many contributions", contributions.length, expect.contributions.length),
      ...contributions.flatMap((phi, at) => near(`contribution ${at}`, phi, expect.contributions[at], expect.within)),
      ...same("base and points", sum, score),
      ...same("bits", { contributions: contributions.map(bits), base: base_score, score, points }, recorded[name]),
    ];
  });
}

async function points(engine, read, file, { cases }, load) {
  const recorded = await read("bits/points.json");
  const results = [];
  for (const { name, model, rows, seed } of cases) {
    const bytes = await load(model);
    const signals = engine.describeModel(bytes);
    const scorer = new engine.Scorer(bytes);
    const random = xorshift(seed);
    const row = new Float64Array(signals.length);
    const faults = [];
    let digest = 0x811c9dc5;
    const take = (word) => (digest = Math.imul(digest ^ word, 0x01000193) >>> 0);
    for (let at = 0; at < rows && faults.length < 5; at += 1) {
      signals.forEach(({ levels }, signal) => (row[signal] = made(levels, random)));
      const { base_score, score, points } = scorer.explain(row);
      if (points.reduce((sum, points) => sum + points, base_score) !== score) {
        faults.push(`row ${at}: ${base_score} and ${points} are not ${score}`);
      }
      take(base_score);
      take(score);
      points.forEach(take);
    }
    scorer.free();
    results.push({ name, faults: [...faults, ...same("digest of all rows", digest.toString(16).padStart(8, "0"), recorded[name])] });
  }
  return results;
}

/** A value as README.md says. */
function made(levels, random) {
  const what = random() % 40;
  if (what < 4) return NaN;
  if (what < 6) return what === 4 ? Infinity : -Infinity;
  if (levels) return random() % (levels.length + 1);
  const number = ((random() % 8001) - 4000) / 1000;
  return number * [1, 1, 10, 1000][random() % 4];
}

function xorshift(state) {
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  };
}

async function imports(engine, read, file, { cases }, load) {
  const results = [];
  for (const { name, format, model, row, expect } of cases) {
    let faults;
    try {
      const scorer = new engine.Scorer(engine.importModel(format, await load(model), 0.3, 0.7));
      faults = expect.refused
        ? [`was imported, not refused for ${expect.refused}`]
        : near("margin", scorer.score(numbers(row)).margin, expect.margin, expect.within);
      scorer.free();
    } catch (thrown) {
      faults = expect.refused && thrown.message.includes(expect.refused) ? [] : [`is refused: ${thrown.message}`];
    }
    results.push({ name, faults });
  }
  return results;
}

/** Runs each case on its model, opened once. */
async function eachModel(cases, load, engine, faultsOf) {
  const scorers = new Map();
  const results = [];
  for (const one of cases) {
    if (!scorers.has(one.model)) scorers.set(one.model, new engine.Scorer(await load(one.model)));
    results.push({ name: one.name, faults: faultsOf(one, scorers.get(one.model)) });
  }
  scorers.forEach((scorer) => scorer.free());
  return results;
}

/** A row as cases write it: null where missing, and the infinities by name. */
function numbers(row) {
  const number = { null: NaN, inf: Infinity, "-inf": -Infinity };
  return Float64Array.from(row, (value) => (typeof value === "number" ? value : number[value]));
}

function near(what, found, expected, within) {
  return Math.abs(found - expected) <= within ? [] : [`${what}: ${found}, expected ${expected}`];
}

/** Equal as JSON, members in any order. */
function same(what, found, expected) {
  const text = (value) =>
    JSON.stringify(value, (_, inner) =>
      inner && typeof inner === "object" && !Array.isArray(inner) ? Object.fromEntries(Object.entries(inner).sort()) : inner,
    );
  return text(found) === text(expected) ? [] : [`${what}: ${text(found)}, expected ${text(expected)}`];
}

/** As the cases write it: the bits of a number, the hash of a level, null where missing. */
function value(folding, name, now) {
  const level = folding.level(name);
  if (level !== undefined) return `#${level.toString(16).padStart(8, "0")}`;
  const number = folding.value(name, now);
  return Number.isNaN(number) ? null : bits(number);
}

function bits(number) {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, number);
  return view.getBigUint64(0).toString(16).padStart(16, "0");
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function bytes(hex) {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
