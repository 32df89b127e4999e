// A module of src/ as it stands, for tests of what no page shows.
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

/** Imports `src/PATH`, with what it imports. */
export async function source(path) {
  const entry = fileURLToPath(new URL(`../../src/${path}`, import.meta.url));
  const { outputFiles } = await esbuild.build({ entryPoints: [entry], bundle: true, format: "esm", write: false });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}
