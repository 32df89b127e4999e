// `rapport types`: what a workspace publishes, as types that a strict compiler holds its site to.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { bundleFile } from "../dist/testing.js";

const run = promisify(execFile);
const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const folder = await mkdtemp(join(tmpdir(), "rapport-types-of-"));
after(() => rm(folder, { recursive: true }));

const signals = [{ id: 1, name: "trials", label: "Trials", kind: "count", when: { type: "track", event: ["Trial Started"], where: [{ field: "properties.plan", equals: "team" }] } }];
const flags = {
  features: {
    hero: { defaultValue: "plain", rules: [{ key: "words", variations: ["plain", "warm"] }] },
    limit: { defaultValue: 10, rules: [{ force: 20, condition: { plan: "team" } }] },
    open: { defaultValue: false },
  },
  experiences: [{ key: "autumn", slot: "banner", content: { type: "text", text: "Autumn" } }],
};

async function types(file) {
  await writeFile(join(folder, "bundle.json"), JSON.stringify(file));
  const { stdout } = await run(process.execPath, [path("../dist/cli.js"), "types", join(folder, "bundle.json")]);
  return stdout;
}

const FEATURES = `export interface Features {
  readonly "banner": null | Content;
  readonly "hero": "plain" | "warm";
  readonly "limit": number;
  readonly "open": boolean;
}
export type FeatureKey = keyof Features;
export type SlotName = "banner";`;

test("an authored bundle and the published one give the same features and slots", async () => {
  assert.ok((await types({ signals, flags })).includes(FEATURES));
  assert.ok((await types(flags)).includes(FEATURES));
  assert.ok((await types(bundleFile({ signals, flags }))).includes(FEATURES));
});

test("a strict compiler takes what exists, and nothing else", async () => {
  await writeFile(join(folder, "rapport-types.d.ts"), await types({ signals, flags }));
  await writeFile(join(folder, "site.ts"), `
    import type { Content, EventName, Events, FeatureKey, Features, SlotName } from "./rapport-types";
    declare function value<Key extends FeatureKey>(key: Key, otherwise: Features[Key]): Features[Key];
    declare function slot(name: SlotName): Content | null;
    declare function track<Name extends EventName>(event: Name, properties: Events[Name]): void;
    const hero: "plain" | "warm" = value("hero", "plain");
    const limit: number = value("limit", 5);
    track("Trial Started", { plan: hero, limit });
    slot("banner");
    // @ts-expect-error no such value
    value("hero", "blue");
    // @ts-expect-error no such feature
    value("heros", "plain");
    // @ts-expect-error no such slot
    slot("hero");
    // @ts-expect-error no such event
    track("Trial started", {});
  `);
  const options = ["--ignoreConfig", "--noEmit", "--strict", "--exactOptionalPropertyTypes", "--target", "es2022", "--moduleResolution", "bundler", "--module", "esnext"];
  await run(process.execPath, [path("../node_modules/typescript/bin/tsc"), ...options, join(folder, "site.ts")]).catch(({ stdout }) => assert.fail(stdout));
});

test("what is no bundle is refused with the reason", async () => {
  await assert.rejects(types({}), /the file is no bundle/);
  await assert.rejects(run(process.execPath, [path("../dist/cli.js")]), /usage: rapport types/);
});
