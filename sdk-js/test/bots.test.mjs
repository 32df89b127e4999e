// The user agents of crawlers and of people, from two public lists.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { source } from "./site/source.mjs";

const require = createRequire(import.meta.url);
const { botOf } = await source("bots.ts");
const kind = (userAgent, webdriver = false) => botOf({ userAgent, webdriver });

test("95 of 100 crawlers are told by what they say", () => {
  const all = require("crawler-user-agents").flatMap(({ instances }) => instances);
  const missed = all.filter((userAgent) => kind(userAgent) === undefined);
  assert.ok(all.length > 1_500 && missed.length < all.length * 0.05, `${missed.length} of ${all.length}:\n${missed.join("\n")}`);
});

test("nobody's browser is taken for a crawler", () => {
  const list = new URL("../node_modules/user-agents/dist/user-agents.json", import.meta.url);
  const all = JSON.parse(readFileSync(list)).map(({ userAgent }) => userAgent);
  const taken = all.filter((userAgent) => kind(userAgent) !== undefined);
  assert.ok(all.length > 1_000);
  assert.deepEqual(taken, []);
  // A telephone's make.
  assert.equal(kind("Mozilla/5.0 (Linux; Android 13; CUBOT NOTE 21) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36"), undefined);
});

test("automated browsers are told from crawlers", () => {
  const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
  assert.equal(kind(chrome, true), "automated");
  assert.equal(kind(chrome.replace("Chrome", "HeadlessChrome")), "automated");
  assert.equal(kind(chrome), undefined);
});
