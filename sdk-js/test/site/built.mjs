// The server's program for the tests: built before any of their hooks, whose time it would take.
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../..", import.meta.url));

/** The program that `cargo xtask test` built beforehand; a test that is run by itself builds it, and tells where it stands. */
function built() {
  if (process.env.RAPPORT) return process.env.RAPPORT;
  const options = ["build", "--quiet", "--package", "rapport-cli", "--bin", "rapport", "--message-format=json"];
  const { status, stdout, stderr } = spawnSync("cargo", options, { cwd: root, encoding: "utf8", maxBuffer: 1 << 28 });
  if (status !== 0) throw new Error(`rapport does not build:\n${stderr}`);
  return stdout.trim().split("\n").map((line) => JSON.parse(line).executable).findLast((path) => path);
}

/** Where it stands. */
export const rapport = built();
