// Builds what visitors download into dist/; expects the engine in dist/engine/ (see xtask/src/wasm.rs).
import { execFile } from "node:child_process";
import { access, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
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
/** Fetched apart from the tracker: see README.md. */
const parts = ["scoring", "forms", "vitals", "links", "platforms", "debug", "inspector", "personalize"];
/** Most functions run while the page starts: Chromium then compiles them in one go, beside the main thread where it can. */
const EARLY = "//# allFunctionsCalledOnLoad";
const MODULE_URL = 'const moduleUrl = require("node:url").pathToFileURL(__filename).href;';

/** `fresh:engine` is a function that evaluates src/engine/index.ts, and what it imports, anew. */
const fresh = {
  name: "fresh",
  setup(build) {
    build.onResolve({ filter: /^fresh:/ }, () => ({ path: "engine", namespace: "fresh" }));
    build.onLoad({ filter: /.*/, namespace: "fresh" }, async () => {
      const options = { ...common, minify: false, write: false, format: "iife", globalName: "engine", entryPoints: { engine: "src/engine/index.ts" } };
      const { outputFiles } = await esbuild.build(options);
      return { contents: `export default function () {\n${outputFiles[0].text}\nreturn engine;\n}` };
    });
  },
};

await rm(new URL("dist/types", import.meta.url), { recursive: true, force: true });
await Promise.all([
  // Dynamic imports in these files name parts by address: nothing for a bundler to resolve.
  esbuild.build({
    ...common,
    format: "iife",
    entryPoints: Object.fromEntries(["loader", "page-track", "page-score", "page-show"].map((name) => [name, `src/script/${name}.ts`])),
  }),
  esbuild.build({
    ...common,
    format: "esm",
    banner: { js: EARLY },
    entryPoints: { rapport: "src/tag.ts", ...Object.fromEntries(parts.map((part) => [part, `src/${part}/index.ts`])) },
  }),
  // Features and experiments; whoever uses it brings the engine.
  esbuild.build({ ...common, format: "esm", entryPoints: { flags: "src/flags/index.ts" } }),
  // For the customer's server, not for visitors.
  ...["esm", "cjs"].map((format) =>
    esbuild.build({
      ...common,
      minify: false,
      platform: "node",
      format,
      entryPoints: { server: "src/server/index.ts", testing: "src/testing/index.ts", "openfeature-server": "src/openfeature/server.ts" },
      plugins: [fresh],
      external: ["@openfeature/*"],
      ...(format === "cjs" ? { outExtension: { ".js": ".cjs" }, define: { "import.meta.url": "moduleUrl" }, banner: { js: MODULE_URL } } : {}),
    }),
  ),
  esbuild.build({ ...common, minify: false, platform: "node", format: "esm", entryPoints: { cli: "src/cli/index.ts" }, banner: { js: "#!/usr/bin/env node" } }),
  // For the site's own bundle, which minifies: until then the notes to bundlers have to stay.
  esbuild.build({
    ...common,
    minify: false,
    format: "esm",
    entryPoints: { index: "src/index.ts", hydration: "src/hydration/index.ts", "openfeature-web": "src/openfeature/web.ts" },
    external: ["@openfeature/*"],
  }),
  esbuild.build({ ...common, minify: false, format: "esm", entryPoints: { react: "src/react/index.ts" }, external: ["react"], banner: { js: '"use client";' } }),
  ...["tsconfig.json", "tsconfig.server.json"].map((project) =>
    promisify(execFile)(process.execPath, ["node_modules/typescript/bin/tsc", "--project", project], {
      cwd: here,
    }).catch((error) => {
      process.stderr.write(error.stdout ?? String(error));
      process.exitCode = 1;
    }),
  ),
]);
await nameFiles(join(here, "dist/types"));

/** Types import one another without file names; hosts that resolve as Node does want them. */
async function nameFiles(folder) {
  for (const file of await readdir(folder, { recursive: true })) {
    if (!file.endsWith(".d.ts")) continue;
    const path = join(folder, file);
    const text = await readFile(path, "utf8");
    const parts = text.split(/((?:from |import\()"\.[^"]*)(?=")/);
    for (let index = 1; index < parts.length; index += 2) {
      const target = join(dirname(path), parts[index].replace(/^.*"/, ""));
      const direct = await access(`${target}.d.ts`).then(() => true, () => false);
      parts[index] += direct ? ".js" : "/index.js";
    }
    await writeFile(path, parts.join(""));
  }
}
