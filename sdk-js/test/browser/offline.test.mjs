// A day without the server, tabs that close, a browser that is killed: the real server's log holds each event once.
import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { FLAGS, chromiumPath, decision } from "../site/chromium.mjs";
import { startDemo } from "../site/demo.mjs";
import { until } from "../site/wait.mjs";

const ROUNDS = process.env.RAPPORT_SOAK ? 12 : 1;
const timeout = 300_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
let demo;

before(async () => { demo = await startDemo(); }, { timeout: 300_000 });
after(() => demo?.stop());

/** A browser on a profile that outlives it, with its pages' clocks at `time`, and how it is killed. */
async function startBrowser(profile, time) {
  const context = await chromium.launchPersistentContext(profile, { executablePath: chromiumPath(), args: FLAGS });
  // The lock of the profile names the process: HOST-PID.
  const pid = Number((await readlink(join(profile, "SingletonLock"))).split("-").at(-1));
  await context.clock.install({ time });
  await context.addInitScript(() => {
    window.decisions = [];
    window.addEventListener("rapport:decision", ({ detail }) => window.decisions.push(detail));
  });
  const kill = async () => {
    const closed = new Promise((resolve) => context.once("close", resolve));
    process.kill(pid, "SIGKILL");
    await closed;
  };
  return { context, kill };
}

async function open(context, path) {
  const page = await context.newPage();
  await page.goto(demo.sites[0] + path);
  await decision(page);
  return page;
}

const track = (page, tab, count) =>
  page.evaluate(([tab, count]) => { for (let n = 0; n < count; n += 1) window.rapport.track(`Offline ${tab}`, { n, at: Date.now() }); return window.rapport.anonymousId; }, [tab, count]);
const waiting = (page) =>
  page.evaluate(() => Object.keys(localStorage).filter((name) => name.includes(":out:")).flatMap((name) => JSON.parse(localStorage[name])).length);

/** Chromium writes what storage holds to the disk within seconds, busy ones within a minute; killed before, it has lost the rest. */
const onDisk = (profile, word) =>
  until(async () => {
    const folder = join(profile, "Default/Local Storage/leveldb");
    for (const name of await readdir(folder).catch(() => [])) {
      const bytes = await readFile(join(folder, name)).catch(() => Buffer.alloc(0));
      if (bytes.includes(word) || bytes.includes(Buffer.from(word, "utf16le"))) return true;
    }
    return false;
  }, `${word} on the disk`, 150);

for (let round = 1; round <= ROUNDS; round += 1) {
  test(`what two tabs did in a day offline counts once, though one closed and the browser was killed: round ${round}`, { timeout }, async () => {
    const profile = await mkdtemp(join(tmpdir(), "rapport-offline-"));
    const now = Date.now();
    const names = [1, 2, 3].map((tab) => `${tab} of ${round}`);
    const perHour = ROUNDS > 1 ? 12 : 2;
    let browser;
    try {
      browser = await startBrowser(profile, now - DAY);
      const { context } = browser;
      const tabs = [await open(context, "pricing"), await open(context, "docs")];
      await context.setOffline(true);
      let visitor;
      for (let hour = 1; hour <= 23; hour += 1) {
        for (const [index, tab] of tabs.entries()) visitor = await track(tab, names[index], perHour);
        if (hour === 12) await tabs.pop().close();
        await context.clock.fastForward(HOUR);
      }
      await track(tabs[0], `${names[0]} last`, 1);
      await until(() => waiting(tabs[0]));
      await onDisk(profile, `Offline ${names[0]} last`);
      await browser.kill();

      browser = undefined;
      browser = await startBrowser(profile, Date.now());
      // The first answer of the server is lost, and the tab closes while it is: somebody shuts the lid again.
      let lost;
      const losing = new Promise((resolve) => { lost = resolve; });
      await browser.context.route("**/v1/events", async (route) => {
        await route.fetch().catch(() => undefined);
        lost();
        await route.abort().catch(() => undefined);
      });
      const back = await open(browser.context, "");
      await losing;
      await back.close();
      await browser.context.unroute("**/v1/events");
      const both = await Promise.all([open(browser.context, "pricing"), open(browser.context, "docs")]);
      assert.equal(await track(both[0], names[2], 1), visitor);
      await until(async () => {
        for (const tab of both) await tab.evaluate(() => window.rapport.flush());
        return (await waiting(both[0])) === 0;
      }, "an empty outbox");

      demo.log("verify");
      const logged = demo.log("replay").split("\n").filter((line) => line.includes(` of ${round}`)).map((line) => JSON.parse(line));
      const of = (named) => logged.filter(({ name }) => name === `Offline ${named}`);
      assert.deepEqual(names.map((name) => of(name).length), [23 * perHour, 12 * perHour, 1]);
      assert.equal(of(`${names[0]} last`).length, 1);
      assert.equal(new Set(logged.map(({ message_id: id }) => id)).size, logged.length);
      for (const { event_time: time, sealed } of logged) assert.ok(Math.abs(time - sealed.event.properties.at) < 20_000, `${time} for ${JSON.stringify(sealed)}`);
      const [first] = of(names[0]);
      assert.ok(now - first.event_time >= DAY - HOUR, `${first.event_time}`);
    } finally {
      await browser?.kill();
      await rm(profile, { recursive: true, force: true, maxRetries: 10 });
    }
  });
}
