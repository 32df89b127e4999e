// Times the engine inside WebAssembly: node score.mjs ENGINE.wasm FOLDER → one JSON object.
import { readFileSync } from 'node:fs';

const [wasm, folder] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(wasm));
const { memory, room, open, score_rows, score_row, explain_rows, fill_rows } = instance.exports;

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
const outAt = room(some * width * 8);
const rowAt = room(width * 8);

const best = (rounds, items, round) => {
  let least = Infinity;
  for (let i = 0; i < rounds; i++) {
    const start = process.hrtime.bigint();
    round();
    least = Math.min(least, Number(process.hrtime.bigint() - start));
  }
  return least / items / 1000;
};

const load_us = best(100, 1, () => open(modelAt, model.length));
const score_us = best(60, count, () => score_rows(rowsAt, count));
const fill_us = best(60, count, () => fill_rows(rowsAt, count));
const predict_us = best(60, count, () => instance.exports.predict_rows(count));
const explain_us = best(12, some, () => explain_rows(rowsAt, some, outAt));
const values = new Float64Array(file.buffer.slice(file.byteOffset, file.byteOffset + file.length));
const row = new Float64Array(memory.buffer, rowAt, width);
let sum = 0;
const call_us = best(60, count, () => {
  for (let i = 0; i < count; i++) {
    row.set(values.subarray(i * width, i * width + width));
    sum += score_row(rowAt);
  }
});
const contributions = new Float64Array(memory.buffer, outAt, some * width);
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
console.log(JSON.stringify({ load_us, score_us, fill_us, predict_us, call_us, explain_us, explain_max_abs_diff: difference, sum }));
