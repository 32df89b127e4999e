// The site as it is built, in Chromium: everybody decides the same, nothing flickers, React has nothing to warn of.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { openRapport } from "../../../sdk-js/dist/server.js";
import { launch } from "../../../sdk-js/test/site/chromium.mjs";
import { until } from "../../../sdk-js/test/site/wait.mjs";
import { KEY, startBackend } from "./backend.mjs";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const timeout = 300_000;
let backend;
let site;
/** In front of the site, as `rapport edge`; `RAPPORT` is that program. */
let edge;
let kept;
let browser;
let local;
let env;

/** Next's own command; resolves with the process, or once it has ended. */
function next(argument, env, until) {
  return start(process.execPath, [path("../node_modules/next/dist/bin/next"), ...argument], { ...env, NEXT_TELEMETRY_DISABLED: "1" }, until);
}

function start(program, words, env, until) {
  const child = spawn(program, words, { cwd: path(".."), env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        said += `${line}\n`;
        const found = until?.exec(line);
        if (found) resolve({ child, url: found[0] });
      });
    }
    child.on("exit", (code) => (code === 0 ? resolve({ child }) : reject(new Error(`${words} ended with ${code}:\n${said}`))));
  });
}

before(async () => {
  backend = await startBackend();
  local = await openRapport({ file: Buffer.from(JSON.stringify(backend.bundle)) });
  // The SDK as it is now, not as it was when the packages were installed.
  await rm(path("../node_modules/rapport/dist"), { recursive: true, force: true });
  await cp(path("../../../sdk-js/dist"), path("../node_modules/rapport/dist"), { recursive: true });
  await cp(path("../../../sdk-js/package.json"), path("../node_modules/rapport/package.json"));
  env = { RAPPORT_KEY: KEY, RAPPORT_ENDPOINT: backend.endpoint, RAPPORT_PUBLIC_KEY: backend.bundle.publicKey, RAPPORT_DOMAIN: "localhost" };
  await next(["build"], env);
  site = await next(["start", "--port", "0"], env, /http:\/\/localhost:\d+/);
  kept = await mkdtemp(join(tmpdir(), "rapport-nextjs-"));
  const there = ["--key", KEY, "--backend", backend.endpoint, "--public-key", backend.bundle.publicKey, "--site", site.url, "--dir", kept];
  edge = await start(process.env.RAPPORT, ["edge", "--listen", "127.0.0.1:0", "--visitor-cookie", ...there], {}, /(?<=serves at )\S+/);
  browser = await launch();
}, { timeout });

after(async () => {
  await browser?.close();
  edge?.child.kill();
  site?.child.kill();
  backend?.close();
  if (kept) await rm(kept, { recursive: true, force: true });
});

/** A new visitor's page that writes down what is wrong, and what each frame shows. */
async function open({ route, url = site.url } = {}) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const wrong = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && wrong.push(message.text()));
  page.on("pageerror", (error) => wrong.push(String(error)));
  await page.addInitScript(() => {
    window.seen = {};
    const look = () => {
      const hydrated = "hydrated" in (document.documentElement?.dataset ?? {});
      for (const name of ["#client", "#server", "[data-rapport-shown]", "#default-banner", "#plans", "#call"]) {
        const text = document.querySelector(name)?.textContent;
        if (text === undefined) continue;
        const values = ((window.seen[location.pathname] ??= {})[name] ??= {});
        values[text] ??= hydrated;
      }
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  if (route) await page.route("**/*", route);
  const answer = await page.goto(`${url}/`);
  return { context, page, wrong, answer };
}

const frame = (page) => page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
const HEROES = { plain: "Leads, sorted", warm: "Good to see you", bold: "Sell more. Now." };

/** The site's cookies are for `localhost`. */
const behindEdge = () => edge.url.replace("127.0.0.1", "localhost");

/** Of new visitors to the site, by whichever address. */
async function visitorsAreDecidedOnce(url) {
  const heroes = new Set();
  for (let number = 0; number < 8; number += 1) {
    const { context, page, wrong, answer } = await open({ url });
    const cookie = (await context.cookies()).find(({ name }) => name === `rapport_${KEY}_id`);
    const { anonymousId } = JSON.parse(decodeURIComponent(cookie.value));
    const decided = (key) => local.decide({ anonymousId, attributes: { language: "en" } }).features[key].value;
    const [hero, plans] = [decided("hero"), decided("plans")];
    heroes.add(hero);

    // The page's own change comes last: by then all of it is hydrated and started.
    await page.waitForFunction(() => document.querySelector("#call").textContent === "Call us today");
    assert.equal(answer.headers()["x-rapport-hero"], hero);
    assert.equal(await page.textContent("#server"), hero);
    assert.equal(await page.getAttribute("#client", "data-hero"), hero);

    await page.click("text=Pricing");
    await page.waitForSelector("#plans");
    assert.equal(await page.textContent("#plans"), `${plans === "yearly" ? "Yearly" : "Monthly"} plans`);
    await frame(page);
    await page.click("text=Home");
    // Clicked last, it is told last: what was told before is there with it.
    await page.click("#client");
    const own = () => backend.events.filter((event) => event.anonymousId === anonymousId);
    await until(() => own().some(({ event }) => event === "Hero Clicked"));
    const viewed = own().filter(({ event }) => /Viewed$/.test(event)).map(({ properties: { experimentId, variationId, experienceId } }) => experienceId ?? `${experimentId} ${variationId}`);
    assert.deepEqual(viewed.sort(), ["autumn", "call-words 1", `hero-words ${hero}`, `plans-first ${plans}`]);

    const { "/": home, "/pricing": pricing } = await page.evaluate(() => window.seen);
    assert.deepEqual(Object.keys(home["#client"]), [HEROES[hero]]);
    assert.deepEqual(Object.keys(home["#server"]), [hero]);
    assert.deepEqual(Object.keys(home["[data-rapport-shown]"]), ["Autumn offer"]);
    assert.equal(home["#default-banner"], undefined);
    assert.equal(Object.keys(pricing["#plans"]).length, 1);
    assert.equal(home["#call"]["Call us today"], true, "the page was changed before it was hydrated");
    assert.deepEqual(wrong, []);
    await context.close();
  }
  assert.ok(heroes.size > 1, "of eight visitors all got the same: the test tells nothing");
}

test("middleware, server component and client decide the same, in every frame, and each exposure is told once a page", { timeout }, () => visitorsAreDecidedOnce(site.url));

test("through the edge it is the same page: React's nodes are React's, and who the visitor is says the site", { timeout }, async () => {
  await visitorsAreDecidedOnce(behindEdge());
  const health = await (await fetch(`${edge.url}/health`)).json();
  assert.deepEqual([typeof health.bundle, health.faults], ["string", 0], "the edge had what it decides by, and nothing failed");
});

test("a visitor who comes back gets the same, through the edge too, and the page's score takes the server's place", { timeout }, async () => {
  for (const url of [site.url, behindEdge()]) {
    const { context, page, wrong } = await open({ url });
    const hero = await page.textContent("#server");
    await page.reload();
    assert.equal(await page.textContent("#server"), hero);
    assert.equal(await page.getAttribute("#client", "data-hero"), hero);
    assert.match(await page.textContent("#score"), /^\d+$/);
    assert.deepEqual(wrong, []);
    await context.close();
  }
});

test("in development, where React checks each attribute and runs each effect twice, nothing is warned of or told twice", { timeout }, async () => {
  const development = await next(["dev", "--port", "0"], env, /http:\/\/localhost:\d+/);
  try {
    const { context, page, wrong } = await open({ url: development.url });
    await page.waitForFunction(() => document.querySelector("#call").textContent === "Call us today");
    const before = backend.events.length;
    await page.click("#client");
    await until(() => backend.events.slice(before).some(({ event }) => event === "Hero Clicked"));
    const { anonymousId } = backend.events.at(-1);
    const told = backend.events.filter((event) => event.anonymousId === anonymousId && event.properties?.experimentId === "hero-words");
    assert.equal(told.length, 1);
    assert.deepEqual(wrong, []);
    await context.close();
  } finally {
    development.child.kill();
  }
});

test("a server that decided otherwise than the page would be noticed", { timeout }, async () => {
  const { context, page, wrong } = await open({
    route: async (route) => {
      if (route.request().resourceType() !== "document") return route.continue();
      const answer = await route.fetch();
      const html = (await answer.text()).replace(/(<h1 id="client"[^>]*>)[^<]*/, "$1Something else");
      await route.fulfill({ response: answer, body: html });
    },
  });
  await page.waitForFunction(() => "hydrated" in document.documentElement.dataset);
  await until(() => wrong.length > 0);
  assert.match(wrong.join("\n"), /hydrat|#418/i);
  assert.equal(Object.keys((await page.evaluate(() => window.seen))["/"]["#client"]).length, 2);
  await context.close();
});
