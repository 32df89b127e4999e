// The code that README.md shows, run as a customer would.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import * as esbuild from "esbuild";
import { bundleFile, testHydration } from "../dist/testing.js";

const bundle = bundleFile({ flags: { features: { hero: { defaultValue: "plain", rules: [{ force: "warm", condition: { country: "DE" } }] } } } });
const folder = await mkdtemp(join(tmpdir(), "rapport-readme-"));
await mkdir(join(folder, "node_modules"));
await symlink(fileURLToPath(new URL("..", import.meta.url)), join(folder, "node_modules/rapport"));
for (const name of ["@openfeature", "react", "react-dom"]) await symlink(fileURLToPath(new URL(`../node_modules/${name}`, import.meta.url)), join(folder, "node_modules", name));

/** What of a backend the examples need. */
const server = createServer((request, response) => {
  const { manifest, signature, publicKey, parts } = bundle;
  const [, hash] = /^\/v1\/parts\/wk_test\/(\w+)\.bin$/.exec(request.url) ?? [];
  if (hash) return response.end(Buffer.from(parts[hash], "base64"));
  if (request.url === "/v1/sdk/wk_test.json") return response.end(JSON.stringify({ manifest, signature, publicKey }));
  if (request.url === "/v1/batch") return request.resume().on("end", () => response.end("{}"));
  response.writeHead(404).end();
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
after(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});
const env = {
  ...process.env,
  RAPPORT_KEY: "wk_test",
  RAPPORT_ENDPOINT: `http://127.0.0.1:${server.address().port}`,
  RAPPORT_PUBLIC_KEY: bundle.publicKey,
  RAPPORT_SECRET: "secret",
};

/** What a bundler makes of JSX. */
async function compiled(name) {
  const outfile = join(folder, `${name}.mjs`);
  await esbuild.build({ entryPoints: [join(folder, name)], outfile, format: "esm", jsx: "automatic", logLevel: "warning" });
  return outfile;
}

/** The blocks that begin with a file's name. */
const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
const blocks = [...readme.matchAll(/```js\n\/\/ (\S+)\n([\s\S]*?)```/g)].map(([, name, code]) => ({ name, code }));

const EXPECTED = {
  "server.mjs": /^undefined warm \[ 'hero' \] \[ 'hero: "warm", by a rule that applies' \]$/,
  "page.mjs": /^warm 70$/,
  "app.jsx": /^<h1 class="warm">Your score: (<!-- -->)?70<\/h1>Welcome$/,
  "openfeature.mjs": /^warm TARGETING_MATCH$/,
  "openfeature-web.mjs": /^warm$/,
  "shop.test.mjs": /^91$/,
  "token.mjs": /^v1\.[\w-]+\.[\w-]+$/,
};

test("every example of the README runs, and says what it should", async () => {
  assert.deepEqual(blocks.map(({ name }) => name), Object.keys(EXPECTED));
  for (const { name, code } of blocks) {
    const hydration = `globalThis.HYDRATION = ${JSON.stringify(testHydration({ hero: "warm" }, { score: 70 }))};\n`;
    await writeFile(join(folder, name), code.includes("HYDRATION") ? code.replace(/\n\n/, `\n${hydration}\n`) : code);
    const script = name.endsWith(".jsx") ? await compiled(name) : name;
    const { stdout } = await promisify(execFile)(process.execPath, [script], { cwd: folder, env, timeout: 60_000 });
    assert.match(stdout.trim(), EXPECTED[name], name);
  }
});
