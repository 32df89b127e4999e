// The plugin in a real WordPress behind a page cache, over HTTP and in Chromium. RAPPORT is the server's binary.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { execFileSync } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch } from "../../../sdk-js/test/site/chromium.mjs";
import { until } from "../../../sdk-js/test/site/wait.mjs";
import { SECRET, start } from "./site.mjs";

/** What the slot `hero` shows, one or the other. */
const SHOWN = ["<h1>Warm</h1>", "Cold &amp; clear"];

let site, browser;

before(async () => {
  [site, browser] = await Promise.all([start(), launch()]);
});

after(async () => {
  await browser?.close();
  await site?.close();
});

/** Changes what the owner set, and empties the cache. */
async function set(settings) {
  const code = "$_SERVER['HTTP_HOST'] = 'x'; require $argv[1] . '/wp-load.php'; update_option('rapport', json_decode($argv[2], true) + get_option('rapport'));";
  execFileSync("php", ["-r", code, site.root, JSON.stringify(settings)]);
  await rm(join(site.root, "wp-content/cache"), { recursive: true, force: true });
}

async function get(path, cookies = {}) {
  const cookie = Object.entries(cookies).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("; ");
  const answer = await fetch(site.url + path, { headers: cookie ? { cookie } : {}, redirect: "manual" });
  const vary = answer.headers.getSetCookie().map((line) => line.match(/^rapport_vary=([^;]*)/)?.[1]).find((value) => value !== undefined);
  return { status: answer.status, text: await answer.text(), cache: answer.headers.get("x-cache"), vary };
}

/** The cookie by which the page's tracker says who is here. */
function visitor(id, consent) {
  const cookie = (name, value) => ({ [`rapport_${site.rapport.key}_${name}`]: JSON.stringify(value) });
  return { ...cookie("id", { anonymousId: id, sequence: 1 }), ...(consent ? cookie("consent", consent) : {}) };
}

const slot = ({ text }, name = "hero") => text.match(new RegExp(`<div data-rapport-slot="${name}">(.*?)</div>`, "s"))?.[1];

test("pages carry the tag, and slots what is for all until the page fills them", async () => {
  const page = await get("/?pagename=shortcode");
  assert.equal(page.status, 200);
  assert.match(page.text, new RegExp(`<script[^>]* src=["']${site.rapport.url}/v1/sdk/${site.rapport.key}\\.js["']`));
  assert.equal(slot(page), "<p>For all</p>");
  assert.equal(slot(await get("/?pagename=block"), "note").trim(), "<p>Note for all</p>");
  const again = await get("/?pagename=shortcode");
  assert.deepEqual([page.cache, again.cache, again.text], ["miss", "hit", page.text]);
});

test("in Chromium slots of a cached page are filled, and whoever sees one is counted once", async () => {
  await get("/?pagename=shortcode");
  const seen = new Set();
  for (let visit = 0; visit < 8 && seen.size < 2; visit += 1) {
    const context = await browser.newContext();
    const page = await context.newPage();
    const told = [];
    page.on("request", (request) => {
      for (const { event } of request.url().includes("/v1/events") ? JSON.parse(request.postData() ?? "{}").batch ?? [] : []) told.push(event);
    });
    const answer = await page.goto(`${site.url}/?pagename=shortcode`);
    assert.equal(answer.headers()["x-cache"], "hit");
    await page.waitForFunction(() => !document.querySelector("[data-rapport-slot]").textContent.includes("For all"));
    seen.add(await page.locator("[data-rapport-slot]").innerHTML());
    await page.evaluate(() => window.rapport.flush());
    await until(() => told.includes("Experiment Viewed"), "the exposure is told");
    assert.equal(told.filter((event) => event === "Experiment Viewed").length, 1);
    await context.close();
  }
  for (const shown of seen) assert.ok(SHOWN.includes(shown), shown);
});

test("the tag carries the nonce of the site's policy", async () => {
  const page = await get("/?pagename=shortcode&nonce=abc123");
  const [tag] = page.text.match(/<script[^>]*v1\/sdk[^>]*>/);
  assert.match(tag, /nonce=["']abc123["']/);
});

test("who is signed in is said with proof, on a page that no cache keeps", async () => {
  const form = new URLSearchParams({ log: "admin", pwd: "admin", testcookie: "1" });
  const login = await fetch(`${site.url}/wp-login.php`, { method: "POST", body: form, redirect: "manual", headers: { cookie: "wordpress_test_cookie=WP%20Cookie%20check" } });
  const cookie = login.headers.getSetCookie().map((line) => line.split(";")[0]).filter((pair) => !pair.endsWith("=+")).join("; ");
  const answer = await fetch(`${site.url}/?pagename=shortcode`, { headers: { cookie } });
  assert.equal(answer.headers.get("x-cache"), null);
  const [, call] = (await answer.text()).match(/\(self\.rapport = self\.rapport \|\| \[\]\)\.push\((\[.*?\])\);/);
  const [method, user, , { token }] = JSON.parse(call);
  const [version, claims, signature] = token.split(".");
  assert.deepEqual([method, user, version], ["identify", "1", "v1"]);
  assert.equal(signature, createHmac("sha256", SECRET).update(`v1.${claims}`).digest("base64url"));
  const editor = await (await fetch(`${site.url}/wp-admin/post-new.php?post_type=page`, { headers: { cookie } })).text();
  assert.match(editor, /plugins\/rapport\/assets\/editor\.js/);
  const settings = await (await fetch(`${site.url}/wp-admin/options-general.php?page=rapport`, { headers: { cookie } })).text();
  assert.match(settings, new RegExp(`value="${site.rapport.key}"`));
  assert.ok(!settings.includes(SECRET), "the secret is not shown again");
});

test("in the block editor a block becomes a slot by its panel, and the page fills it", { timeout: 240_000 }, async () => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const errors = [];
  page.on("pageerror", (error) => errors.push(error));
  await page.goto(`${site.url}/wp-login.php`);
  await page.fill("#user_login", "admin");
  await page.fill("#user_pass", "admin");
  await page.click("#wp-submit");
  await page.waitForURL(/wp-admin/);
  await page.goto(`${site.url}/wp-admin/post-new.php?post_type=page`);
  // Whoever edits for the first time is greeted.
  await page.waitForFunction(() => self.wp?.data?.dispatch("core/edit-post") && document.querySelector(".editor-post-title__input"));
  await page.evaluate(() => wp.data.dispatch("core/preferences").set("core/edit-post", "welcomeGuide", false));
  await page.locator(".editor-post-title__input").click();
  await page.keyboard.type("Edited");
  await page.keyboard.press("Enter");
  await page.keyboard.type("For all who are not decided for");
  const panel = page.getByRole("button", { name: "Rapport", exact: true });
  const settings = page.getByRole("region", { name: "Editor settings" });
  if (!(await panel.isVisible())) await settings.getByRole("button", { name: "Block", exact: true }).click();
  await panel.click();
  // What no slot may be called is left out as it is typed.
  await settings.getByLabel("Slot", { exact: true }).pressSequentially("no te!");
  assert.equal(await settings.getByLabel("Slot", { exact: true }).inputValue(), "note");
  await page.getByRole("button", { name: "Publish", exact: true }).click();
  await page.getByRole("region", { name: "Editor publish" }).getByRole("button", { name: "Publish", exact: true }).click();
  const link = page.getByRole("region", { name: "Editor publish" }).getByRole("link", { name: "View Page" });
  const address = new URL(await link.getAttribute("href"));
  // What was saved is opened again as it was.
  await page.reload();
  await page.waitForFunction(() => self.wp?.data?.select("core/block-editor").getBlocks().length > 0);
  assert.deepEqual(await page.evaluate(() => wp.data.select("core/block-editor").getBlocks().map(({ name, isValid, attributes: { rapportSlot } }) => ({ name, isValid, rapportSlot }))), [{ name: "core/paragraph", isValid: true, rapportSlot: "note" }]);
  assert.deepEqual(errors, []);
  await context.close();

  const plain = await get(address.pathname + address.search);
  assert.match(slot(plain, "note"), /<p>For all who are not decided for<\/p>/);
  const visit = await browser.newPage();
  await visit.goto(address.href);
  await visit.waitForFunction(() => document.querySelector("[data-rapport-slot=note]").textContent === "A note for you");
  await visit.close();
});

test("filled on the server, the cache varies by what is shown, and no made-up cookie fills it", async () => {
  await set({ mode: "server" });
  const path = "/?pagename=shortcode";
  // The first view teaches the site its slots.
  await get(path);
  const outcomes = new Map();
  for (let number = 0; number < 12; number += 1) {
    const who = visitor(`visitor-${number}-of-the-test`);
    const first = await get(path, who);
    assert.equal(slot(first), "<p>For all</p>");
    const { vary } = first.vary ? first : await until(async () => (({ vary, status }) => status === 204 && { vary })(await get("/?rest_route=/rapport/v1/vary", who)), "the site knows the visitor");
    const filled = await get(path, { ...who, rapport_vary: vary });
    assert.ok(SHOWN.includes(slot(filled)), slot(filled));
    assert.equal(filled.cache, outcomes.has(vary) ? "hit" : "miss");
    assert.equal(outcomes.get(vary) ?? slot(filled), slot(filled));
    outcomes.set(vary, slot(filled));
  }
  assert.deepEqual([...outcomes.values()].sort(), [...SHOWN].sort());
  const [warm, cold] = [...outcomes.keys()];
  // Somebody takes another one's cookie, or makes one up, before the cache knows it.
  await rm(join(site.root, "wp-content/cache"), { recursive: true });
  for (const forged of [warm, cold, "made-up"]) {
    for (let number = 0; number < 4; number += 1) await get(path, { ...visitor(`visitor-${number}-of-the-test`), rapport_vary: forged });
  }
  for (const vary of [warm, cold]) {
    const { text } = await get(path, { rapport_vary: vary });
    assert.ok([outcomes.get(vary), "<p>For all</p>"].includes(slot({ text })));
  }
});

test("who refuses to be personalized gets what is for all", async () => {
  const who = visitor("visitor-3-of-the-test", { personalization: false });
  const { vary } = await get("/?rest_route=/rapport/v1/vary", who);
  assert.equal(slot(await get("/?pagename=shortcode&of=refusing", { ...who, rapport_vary: vary })), "<p>For all</p>");
});

test("in Chromium the page after the first comes filled, and shows the same", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${site.url}/?pagename=shortcode`);
  await page.waitForFunction(() => !document.querySelector("[data-rapport-slot]").textContent.includes("For all"));
  const first = await page.locator("[data-rapport-slot]").innerHTML();
  await until(async () => {
    // Where the server was slow, the page is for all once more, and tells again.
    const told = page.waitForResponse((answer) => answer.url().includes("vary"), { timeout: 6_000 }).catch(() => undefined);
    const answer = await page.goto(`${site.url}/?pagename=shortcode`);
    const filled = slot({ text: await answer.text() }) === first;
    if (!filled) await told;
    return filled;
  }, "the page comes filled");
  await context.close();
});

test("where the Rapport server is away, pages are as they are for all, and not slow", async () => {
  await set({ server: "http://127.0.0.1:9", mode: "server" });
  const started = Date.now();
  const page = await get("/?pagename=block&of=away", visitor("visitor-9-of-the-test"));
  assert.deepEqual([page.status, slot(page, "note").trim()], [200, "<p>Note for all</p>"]);
  assert.ok(Date.now() - started < 10_000);
});

test("nothing that the plugin did is in PHP's log", async () => {
  const log = await readFile(join(site.root, "../wordpress.log"), "utf8").catch(() => "");
  const lines = log.split("\n").filter((line) => line.includes("plugins/rapport"));
  assert.deepEqual(lines, []);
});
