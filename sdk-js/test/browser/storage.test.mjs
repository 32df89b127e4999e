// What a browser keeps may be damaged, old, new, full or gone: the page goes on.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decision, visit } from "../site/chromium.mjs";
import { stage } from "../site/stage.mjs";
import { arrived, settled, until } from "../site/wait.mjs";

const timeout = 60_000;
const { browser, site } = await stage({ later: [], pages: { "/": `<!doctype html><title>page</title><script async src="{{SDK_URL}}"></script>` } });

async function open(context) {
  const page = await visit(browser, site.url, context ? { context } : {});
  await decision(page);
  return page;
}

const entry = (page, name) => page.evaluate((name) => localStorage.getItem(`rapport:test-key:${name}`), name);
const put = (page, name, text) => page.evaluate(([name, text]) => localStorage.setItem(`rapport:test-key:${name}`, text), [name, text]);
const base64 = (bytes) => Buffer.from(bytes).toString("base64");

test("a profile of an older or a newer format, cut short or altered is left, and a new one begins", { timeout }, async () => {
  const page = await open();
  await settled(page);
  const good = Buffer.from(await entry(page, "profile"), "base64");
  assert.equal(good.subarray(0, 4).toString(), "RPP1");
  const fresh = (await decision(page)).probability;
  const altered = Buffer.from(good);
  altered[good.length - 1] ^= 1;
  const bad = [Buffer.concat([Buffer.from("RPP0"), good.subarray(4)]), Buffer.concat([Buffer.from("RPP9"), good.subarray(4)]), good.subarray(0, good.length - 3), altered, Buffer.alloc(0)];
  for (const bytes of bad) {
    await page.evaluate(() => window.rapport.track("Form Submitted", { form: "demo" }));
    await put(page, "profile", base64(bytes));
    await page.reload();
    assert.equal((await decision(page)).source, "page");
    assert.equal((await decision(page)).probability, fresh);
    assert.equal(Buffer.from(await entry(page, "profile"), "base64").subarray(0, 4).toString(), "RPP1");
  }
  assert.deepEqual(page.errors, []);
});

test("entries of another shape are read as none", { timeout }, async () => {
  const page = await open();
  for (const name of ["id", "session", "touch", "consent", "waiting", "hints", "wait", "begun", "out:x"]) {
    for (const text of ["", "null", "7", '"text"', "[]", "[null]", '{"id":[],"last":{},"analytics":"yes","url":7}', "{"]) {
      await put(page, name, text);
    }
    await page.reload();
    await decision(page);
  }
  await page.evaluate(() => window.rapport.track("Still There"));
  await arrived(site, "Still There");
  assert.deepEqual(page.errors, []);
});

test("a full storage costs the memory between pages, not the tracking, and heals when there is room", { timeout }, async () => {
  const page = await open();
  await settled(page);
  await page.evaluate(() => {
    localStorage.clear();
    let text = "x".repeat(1 << 20);
    while (text.length > 0) {
      try {
        localStorage.setItem(`full ${text.length} ${Math.random()}`, text);
      } catch {
        text = text.slice(0, text.length >> 1);
      }
    }
  });
  await page.reload();
  const { score } = await decision(page);
  assert.ok(score >= 0);
  const id = await page.evaluate(() => { window.rapport.track("Full"); return window.rapport.anonymousId; });
  await arrived(site, "Full");
  assert.equal(await entry(page, "profile"), null);
  await page.evaluate(() => { localStorage.clear(); window.rapport.track("Room"); });
  await arrived(site, "Room");
  assert.equal(JSON.parse(await entry(page, "id")).anonymousId, id);
  assert.ok(await entry(page, "profile"));
  assert.deepEqual(page.errors, []);
});

test("a storage that is emptied under the page keeps its visitor as long as the page lives", { timeout }, async () => {
  const page = await open();
  const id = await page.evaluate(() => window.rapport.anonymousId);
  await page.evaluate(() => { localStorage.clear(); window.rapport.track("After"); });
  const [after] = await arrived(site, "After");
  assert.equal(after.anonymousId, id);
  await settled(page);
  const sequences = site.state.events.map(({ sequence }) => sequence);
  assert.equal(new Set(sequences).size, sequences.length);
});

test("two tabs that write at once end with one visitor, one profile, and each event counted", { timeout }, async () => {
  const context = await browser.newContext();
  const tabs = [await open(context), await open(context)];
  for (let round = 0; round < 5; round += 1) {
    await Promise.all(tabs.map((tab, index) => tab.evaluate(([index, round]) => window.rapport.track("Form Started", { form: `${index} ${round}` }), [index, round])));
  }
  await Promise.all(tabs.map(settled));
  const events = await arrived(site, "Form Started", 10);
  assert.equal(new Set(events.map(({ anonymousId }) => anonymousId)).size, 1);
  assert.equal(new Set(events.map(({ properties }) => properties.form)).size, 10);
});

test("a reset in one tab makes a new visitor in all of them, of whom nothing is known", { timeout }, async () => {
  const context = await browser.newContext();
  const [one, two] = [await open(context), await open(context)];
  await one.evaluate(() => window.rapport.track("Form Submitted", { form: "demo" }));
  await Promise.all([one, two].map(settled));
  const before = await one.evaluate(() => window.rapport.anonymousId);
  await one.evaluate(() => window.rapport.reset());
  const id = await one.evaluate(() => window.rapport.anonymousId);
  assert.notEqual(id, before);
  // Browsers tell other tabs of what one has written when they come to it.
  await until(async () => JSON.parse(await entry(two, "id")).anonymousId === id && (await entry(two, "profile")) === null, "the new id in the other tab");
  await two.evaluate(() => window.rapport.track("After"));
  const [after] = await arrived(site, "After");
  assert.equal(after.anonymousId, id);
  assert.equal(Buffer.from(await entry(two, "profile"), "base64").readUInt32LE(42), 1);
  assert.equal(JSON.parse(await entry(one, "id")).anonymousId, id);
});
