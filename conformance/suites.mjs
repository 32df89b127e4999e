// The conformance cases on any JavaScript host. `engine` is the full build; `read` gives a file of
// this folder as parsed JSON. A suite yields one list of failures a case.

/** Runs every suite of index.json that this host knows; answers `{suite, passed, failed, skipped, faults}` each. */
export async function runAll(engine, read) {
  const results = [];
  for (const { name, files } of (await read("index.json")).suites) {
    const result = { suite: name, passed: 0, failed: 0, skipped: 0, faults: [] };
    const run = suites[name];
    for (const file of files) {
      const document = await read(file);
      const cases = run ? await run(engine, read, file, document) : [];
      if (!run) result.skipped += document.cases.length;
      for (const { name, faults } of cases) {
        if (faults.length === 0) result.passed += 1;
        else result.failed += 1;
        result.faults.push(...faults.map((fault) => `${file}: ${name}: ${fault}`));
      }
    }
    results.push(result);
  }
  return results;
}

const suites = { event, fold };

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
    const folding = new engine.Folding(part(set));
    for (const step of steps) {
      if (step.event) folding.fold(step.event, step.now);
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
