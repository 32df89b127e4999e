// Times the engine inside WebAssembly: node score.mjs ENGINE.wasm FOLDER → one JSON object.
import { readFileSync } from 'node:fs';

const [wasm, folder] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(wasm));
const { memory, room, open, score_rows, score_row, explain_rows } = instance.exports;

const place = (bytes) => {
  const at = room(bytes.byteLength);
  new Uint8Array(memory.buffer).set(bytes, at);
  return at;
};
const model = readFileSync(`${folder}/model.rpm`);
const file = readFileSync(`${folder}/rows.f64`);
const modelAt = place(model);
const rowsAt = place(file);
const width = open(modelAt, model.length);
const count = file.length / 8 / width;
const some = 2000;
const outAt = room(count * width * 8);
const rowAt = room(width * 8);

// The mean over slices of the rows of each slice's best time: a busy machine disturbs long rounds.
const slices = (rows, slice) => Array.from({ length: rows / slice }, (_, i) => i * slice);
const time = (work) => {
  const start = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - start) / 1000;
};
const best = (rounds, rows, slice, work) => {
  const starts = slices(rows, slice);
  const least = starts.map(() => Infinity);
  for (let round = 0; round < rounds; round++) {
    starts.forEach((start, i) => (least[i] = Math.min(least[i], time(() => work(start, slice)))));
  }
  return least.reduce((sum, us) => sum + us, 0) / rows;
};
const rowBytes = width * 8;

let load_us = Infinity;
for (let round = 0; round < 100; round++) {
  load_us = Math.min(load_us, time(() => open(modelAt, model.length)));
}
const score_us = best(200, count, 500, (start, rows) => score_rows(rowsAt + start * rowBytes, rows));
const explain_us = best(100, some, 50, (start, rows) =>
  explain_rows(rowsAt + start * rowBytes, rows, outAt + start * rowBytes),
);
const values = new Float64Array(file.buffer.slice(file.byteOffset, file.byteOffset + file.length));
const row = new Float64Array(memory.buffer, rowAt, width);
let sum = 0;
const call_us = best(200, count, 500, (start, rows) => {
  for (let i = start; i < start + rows; i++) {
    row.set(values.subarray(i * width, i * width + width));
    sum += score_row(rowAt);
  }
});
explain_rows(rowsAt, count, outAt);
const contributions = new Float64Array(memory.buffer, outAt, count * width);
let difference = null;
try {
  const shap = readFileSync(`${folder}/shap.f64`);
  const theirs = new Float64Array(shap.buffer.slice(shap.byteOffset, shap.byteOffset + shap.length));
  difference = 0;
  for (let i = 0; i < contributions.length; i++) {
    difference = Math.max(difference, Math.abs(contributions[i] - theirs[i]));
  }
} catch {
  // shap has not run
}
console.log(JSON.stringify({ load_us, score_us, call_us, explain_us, explain_max_abs_diff: difference, sum }));
