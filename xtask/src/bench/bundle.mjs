// The bundle of the figures: a signal for each of the scoring model's, which an event's properties set.
import { readFileSync } from "node:fs";
import { compileBundle, describeModel, initSync } from "../../../sdk-js/dist/full/engine.js";

initSync({ module: readFileSync(new URL("../../../sdk-js/dist/full/engine_bg.wasm", import.meta.url)) });

/** As people author it, for a model called `bench`. */
export function authored(model) {
  const signals = describeModel(model).map(({ name, levels }, index) => ({
    id: index + 1, name, label: name, kind: levels ? "last_level" : "last", field: `properties.${name}`,
    words: { other: levels ? `${name} is {level}` : `${name} at {n}` }, ...(levels ? { levels } : {}),
  }));
  return { workspace: "bench", environment: "test", signals, models: [{ name: "bench" }] };
}

/** Its parts, as engines open them; `flags` is a payload of features and experiments. */
export function compiled(model, flags) {
  const parts = compileBundle({ ...authored(model), ...(flags ? { flags } : {}) }, { bench: model });
  if (parts.problems.length > 0) throw new Error(parts.problems.join("\n"));
  return parts;
}

/** Events in bytes, a second after the other: the first sets all signals, the others eight of them. */
export function eventsOf(model, count) {
  const read = describeModel(model);
  let seed = 1;
  const random = () => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648;
  const value = ({ levels }) => (levels ? levels[Math.floor(random() * levels.length)] : Math.round(random() * 1e4) / 50 - 50);
  const from = Date.UTC(2026, 10, 1);
  return Array.from({ length: count }, (_, number) => {
    const some = number === 0 ? read : Array.from({ length: 8 }, () => read[Math.floor(random() * read.length)]);
    const fields = new Map(some.map((signal) => [`properties.${signal.name}`, value(signal)]));
    return Object.assign(written(number, from + number * 1000, [...fields]), { time: from + number * 1000 });
  });
}

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
