// The package's types, as a strict host's compiler sees them.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, mkdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

for (const moduleResolution of ["bundler", "nodenext"]) {
  test(`a strict host compiles against the types, resolved as by ${moduleResolution}`, { timeout: 120_000 }, async () => {
    const host = await mkdtemp(join(tmpdir(), "rapport-types-"));
    try {
      await mkdir(join(host, "node_modules"));
      await symlink(path(".."), join(host, "node_modules/rapport"));
      await symlink(path("types/consumer.ts"), join(host, "consumer.ts"));
      const module = moduleResolution === "bundler" ? "esnext" : "nodenext";
      const compilerOptions = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noEmit: true, target: "es2022", lib: ["es2022", "dom", "dom.iterable"], types: [], module, moduleResolution, preserveSymlinks: true };
      await writeFile(join(host, "package.json"), '{"type":"module"}');
      await writeFile(join(host, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["consumer.ts"] }));
      const { status, stdout } = spawnSync(process.execPath, [path("../node_modules/typescript/bin/tsc"), "--project", host], { encoding: "utf8" });
      assert.equal(status, 0, stdout);
    } finally {
      await rm(host, { recursive: true, force: true });
    }
  });
}
