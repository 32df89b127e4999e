// Runs the conformance cases with the engine as WebAssembly: node conformance/run.mjs --host node|chromium
// Prints `suite host passed failed skipped` a line, and what fails.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const host = process.argv[process.argv.indexOf("--host") + 1] ?? "node";
const ENGINE = "sdk-js/dist/full/engine.js";
const SDK = "sdk-js/dist/flags.js";
const WASM = "sdk-js/dist/full/engine_bg.wasm";
/** What pages ask, and its memory. */
const PAGE = ["sdk-js/dist/engine/flags/engine.js", "sdk-js/dist/flags_bg.wasm"];
const SERVER = "sdk-js/dist/server.js";
const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".json": "application/json", ".wasm": "application/wasm", ".html": "text/html" };

async function inNode() {
  const engine = await import(pathToFileURL(join(root, ENGINE)));
  const { memory } = engine.initSync({ module: await readFile(join(root, WASM)) });
  const sdk = await import(pathToFileURL(join(root, SDK)));
  const asking = await import(pathToFileURL(join(root, PAGE[0])));
  const page = asking.initSync({ module: await readFile(join(root, PAGE[1])) });
  const openFlags = (bytes, options) => new sdk.Flags(asking, page.memory, bytes, options);
  const { openRapport } = await import(pathToFileURL(join(root, SERVER)));
  const { runAll } = await import("./suites.mjs");
  const load = (file) => readFile(join(root, "conformance", file));
  return runAll(engine, async (file) => JSON.parse(await load(file)), load, memory, { ...sdk, openFlags, openRapport });
}

async function inChromium() {
  const { launch } = await import("../sdk-js/test/site/chromium.mjs");
  const server = createServer(async ({ url }, response) => {
    const path = normalize(new URL(url, "http://localhost").pathname);
    const page = path === "/";
    const file = page ? "<!doctype html><title>cases</title>" : await readFile(join(root, path)).catch(() => undefined);
    response.writeHead(file === undefined ? 404 : 200, { "content-type": page ? TYPES[".html"] : TYPES[extname(path)] ?? "text/plain" });
    response.end(file);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  const browser = await launch();
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    return await page.evaluate(
      async ([ENGINE, WASM, SDK, PAGE]) => {
        const engine = await import(`/${ENGINE}`);
        const { memory } = engine.initSync({ module: await (await fetch(`/${WASM}`)).arrayBuffer() });
        const sdk = await import(`/${SDK}`);
        const asking = await import(`/${PAGE[0]}`);
        const page = asking.initSync({ module: await (await fetch(`/${PAGE[1]}`)).arrayBuffer() });
        const openFlags = (bytes, options) => new sdk.Flags(asking, page.memory, bytes, options);
        const { runAll } = await import("/conformance/suites.mjs");
        const load = async (file) => new Uint8Array(await (await fetch(`/conformance/${file}`)).arrayBuffer());
        return runAll(engine, async (file) => (await fetch(`/conformance/${file}`)).json(), load, memory, { ...sdk, openFlags });
      },
      [ENGINE, WASM, SDK, PAGE],
    );
  } finally {
    await browser.close();
    server.close();
  }
}

const results = await (host === "chromium" ? inChromium() : inNode());
for (const { suite, passed, failed, skipped, faults } of results) {
  console.log(suite, host, passed, failed, skipped);
  for (const fault of faults.slice(0, 20)) console.log(`  ${fault}`);
  if (skipped > 0) console.log(`  ${suite}: this runner does not know the suite yet`);
}
process.exitCode = results.some(({ failed }) => failed > 0) ? 1 : 0;
