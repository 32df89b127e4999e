// Builds what visitors download into dist/; expects the engine in dist/engine/ (see xtask/src/wasm.rs).
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const common = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  target: "es2022",
  outdir: "dist",
  logLevel: "warning",
  legalComments: "none",
};

await Promise.all([
  // Dynamic imports in these files name parts by address: nothing for a bundler to resolve.
  esbuild.build({ ...common, format: "iife", entryPoints: { loader: "src/loader.ts" } }),
  esbuild.build({
    ...common,
    format: "esm",
    entryPoints: { rapport: "src/index.ts", inspector: "src/inspector/index.ts" },
  }),
  promisify(execFile)(process.execPath, ["node_modules/typescript/bin/tsc", "--project", "."], {
    cwd: here,
  }).catch((error) => {
    process.stderr.write(error.stdout ?? String(error));
    process.exitCode = 1;
  }),
]);
