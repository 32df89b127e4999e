// Models that customers bring, as the tests of each host score them: BROUGHT is the folder of the packed ones.
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const { BROUGHT } = process.env;
const exports = fileURLToPath(new URL("../../../onnx/tests/exports/", import.meta.url));

/** Where the engines stand. */
export const engines = fileURLToPath(new URL("../../dist/onnx/", import.meta.url));

/** What onnxruntime's own floats leave uncertain. */
export const NEAR = 1e-6;

/** Each with the rows it is asked and what onnxruntime makes of them. */
export async function brought() {
  const names = (await readdir(BROUGHT)).filter((name) => name.endsWith(".rpb")).sort();
  return Promise.all(
    names.map(async (file) => {
      const name = file.replace(".rpb", "");
      const { rows } = JSON.parse(await readFile(join(exports, `${name}.json`), "utf8"));
      const asked = rows.map((row) => row.slice(0, -1).map((value) => value ?? NaN));
      return { name, bytes: await readFile(join(BROUGHT, file)), rows: asked, expected: rows.map((row) => row.at(-1)) };
    }),
  );
}

/** Whether all are near enough. */
export const farthest = (found, expected) => Math.max(...found.map((value, at) => Math.abs(value - expected[at])));
