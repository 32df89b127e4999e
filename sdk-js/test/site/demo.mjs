// `rapport demo` for the tests: the real server, two workspaces and two websites.
import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rapport } from "./built.mjs";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Starts the demo on free ports. */
export async function startDemo() {
  const folder = await mkdtemp(join(tmpdir(), "rapport-demo-"));
  const child = spawn(rapport, ["demo", "--dir", folder, "--port", "0"], { cwd: root });
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
    /** What `rapport log` says of the server's log. */
    const log = (job) => {
      const { status, stdout, stderr } = spawnSync(rapport, ["log", job, "--dir", folder], { encoding: "utf8", maxBuffer: 1 << 28 });
      if (status !== 0) throw new Error(`rapport log ${job}:\n${stdout}${stderr}`);
      return stdout;
    };
    return { sites: addresses("website"), live: addresses("live page")[0], log, stop };
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
