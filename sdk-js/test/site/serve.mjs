// `rapport serve` for the tests: the real server with one workspace, published with the demo's signals and model.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { rapport } from "./built.mjs";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/**
 * Starts it. `models` are the bundle's. `ask` asks as the owner, and answers with JSON; `close` ends it
 * by its id.
 */
export async function startServer({ models = [{ name: "leads" }] } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "rapport-serve-"));
  const server = spawn(rapport, ["serve", "--listen", "127.0.0.1:0", "--dir", folder, "--sdk-dir", join(root, "sdk-js/dist")], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => server.once("exit", resolve));
  const close = async () => {
    server.kill("SIGTERM");
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    let url, key, secret;
    for await (const line of createInterface({ input: server.stdout })) {
      url ??= line.match(/^Rapport serves at (\S+)/)?.[1];
      key ??= line.match(/\/v1\/sdk\/(wk_live_\w+)\.js/)?.[1];
      secret ??= line.match(/(sk_live_\w+)/)?.[1];
      if (line.startsWith("Owner link")) break;
    }
    server.stdout.resume();
    const ask = async (method, path, body) => {
      const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json", "if-match": "*" };
      const answer = await fetch(url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
      if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
      return answer.json();
    };
    const signals = JSON.parse(await readFile(join(root, "examples/demo/signals.json"), "utf8"));
    const leads = await readFile(join(root, "sdk-js/dist/test/leads.rpm"), "base64");
    const publish = (models) => ask("POST", "/v1/bundles", { bundle: { signals, models }, models: { leads } });
    await publish(models);
    /** Authors something that runs at once. */
    const author = (kind, key, definition) => ask("POST", `/v1/${kind}`, { key, status: "running", definition });
    return { url, key, secret, ask, author, publish, close };
  } catch (error) {
    await close();
    throw error;
  }
}
