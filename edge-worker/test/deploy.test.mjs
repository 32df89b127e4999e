// The example is ready to be deployed, and small enough.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));
const QUIET = { WRANGLER_SEND_METRICS: "false", WRANGLER_SEND_ERROR_REPORTS: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false", CI: "1" };

test("wrangler deploys the example, and the whole Worker is at most 1 MB packed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "rapport-deploy-"));
  try {
    const example = await readFile(join(root, "examples/edge/wrangler.toml"), "utf8");
    const config = join(folder, "wrangler.toml");
    // The tests' build stands elsewhere than the one that is deployed.
    await writeFile(config, example.replaceAll("../../edge-worker/dist", process.env.WORKER));
    const wrangler = join(root, "edge-worker/node_modules/.bin/wrangler");
    const { stdout } = await promisify(execFile)(wrangler, ["deploy", "--dry-run", "--config", config, "--outdir", join(folder, "out")], { env: { ...process.env, ...QUIET, HOME: folder }, timeout: 120_000 });
    const [, kilobytes] = stdout.match(/gzip: ([\d.]+) KiB/) ?? [];
    assert.ok(Number(kilobytes) < 1_000_000 / 1024, stdout);
    for (const binding of ["RAPPORT_KV", "RAPPORT_EVENTS (EventQueue)"]) assert.ok(stdout.includes(binding), stdout);
  } finally {
    await rm(folder, { recursive: true });
  }
});
