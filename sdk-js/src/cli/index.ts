/** `npx rapport types FILE`: prints the types of a workspace. */
import { readFile } from "node:fs/promises";
import { typesOf } from "./types";

const [command, file] = process.argv.slice(2);
try {
  if (command !== "types" || file === undefined) throw new TypeError("usage: rapport types BUNDLE.json > rapport-types.d.ts");
  process.stdout.write(typesOf(JSON.parse(await readFile(file, "utf8"))));
} catch (error) {
  process.stderr.write(`rapport: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
