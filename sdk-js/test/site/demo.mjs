// `rapport demo` for the tests: the real server, two workspaces and two websites.
import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Builds `rapport` where that is needed and starts its demo on free ports. */
export async function startDemo() {
  const build = spawnSync("cargo", ["build", "--quiet", "--package", "rapport-cli"], { cwd: root, encoding: "utf8" });
  if (build.status !== 0) throw new Error(`rapport does not build:\n${build.stderr}`);
  const folder = await mkdtemp(join(tmpdir(), "rapport-demo-"));
  const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
  const child = spawn(join(target, "debug/rapport"), ["demo", "--dir", folder, "--port", "0"], { cwd: root });
  const stop = async () => {
    if (child.exitCode === null) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
    }
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const said = await ready(child);
    const addresses = (word) => [...said.matchAll(new RegExp(`${word}.*?(http://\\S+)`, "g"))].map(([, address]) => address);
    return { sites: addresses("website"), live: addresses("live page")[0], stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What it prints until it serves. */
function ready(child) {
  return new Promise((resolve, reject) => {
    let said = "";
    const hear = (chunk) => {
      said += chunk;
      if (/live page\s+http/.test(said)) resolve(said);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.once("exit", (code) => reject(new Error(`rapport demo ended with ${code}:\n${said}`)));
  });
}
