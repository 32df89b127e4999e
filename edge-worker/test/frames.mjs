// The demo's website through an edge, in Chromium: what visitors see in each frame, and what moves.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { launch } from "../../sdk-js/test/site/chromium.mjs";
import { demoPage } from "../../sdk-js/test/site/site.mjs";
import { eventually, startHouse } from "./house.mjs";

const OFFER = "For everybody who looks: <b>see a week planned</b>";
const EYEBROW = "For everybody who has to promise a date";
const flags = {
  experiences: [{ key: "offer", slot: "offer", content: { type: "html", html: OFFER } }],
  experiments: [{ key: "front-door", status: "running", hashAttribute: "id", hashVersion: 2, variations: [{}, { domMutations: [{ selector: ".eyebrow", attribute: "html", action: "set", value: EYEBROW }] }], weights: [0, 1], urlPatterns: [{ type: "simple", include: true, pattern: "/" }] }],
};
/** What the page shows, and what it shows where nobody decided anything. */
const PLACES = { "[data-rapport-slot=offer]": "For everybody who looks: see a week planned", ".eyebrow": EYEBROW };

/** Visits of so many visitors: of all frames those that show anything else, how far the page moved, what was told, what failed. */
export async function framesOfDemo(visits) {
  const house = await startHouse(flags);
  await house.publish();
  const site = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://site");
    if (pathname.startsWith("/assets/")) return response.writeHead(200, { "content-type": pathname.endsWith(".css") ? "text/css" : "text/javascript" }).end(await readFile(new URL(`../../examples/demo-site${pathname}`, import.meta.url)));
    const html = (await demoPage(pathname, "")).replace(/<style>@keyframes rapport-mask.*\n<script async.*\n/, "");
    // In two parts, as pages come: what stands in the first is painted before the rest is there.
    const half = html.indexOf("<h1>");
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).write(html.slice(0, half));
    setTimeout(() => response.end(html.slice(half)), 50);
  });
  await new Promise((ready) => site.listen(0, "127.0.0.1", ready));
  const edge = await house.startEdge({ site: `http://127.0.0.1:${site.address().port}` });
  const browser = await launch();
  const sum = { frames: 0, wrong: 0, cls: 0, failed: [], exposures: [] };
  try {
    for (let number = 0; number < visits; number += 1) {
      const context = await browser.newContext();
      await context.addCookies([{ name: `rapport_${house.key}_id`, value: encodeURIComponent(JSON.stringify({ anonymousId: `visitor-${number}`, sequence: 0 })), url: edge.url }]);
      const page = await context.newPage();
      page.on("pageerror", (error) => sum.failed.push(String(error)));
      const told = [];
      page.on("request", (request) => request.url().endsWith("/v1/events") && told.push(...JSON.parse(request.postData()).batch));
      await page.addInitScript(watch, PLACES);
      await page.goto(`${edge.url}/`);
      // The page's own engine has decided too, and told what was seen.
      await page.waitForFunction(() => window.rapport?.decision);
      await eventually(async () => {
        await page.evaluate(() => window.rapport.flush());
        return told.filter(({ event }) => /Viewed$/.test(event)).length >= 2;
      });
      const seen = await page.evaluate(() => window.seenByFrame);
      sum.frames += seen.frames;
      sum.wrong += seen.wrong;
      sum.cls = Math.max(sum.cls, seen.cls);
      sum.exposures.push(told.filter(({ event }) => /Viewed$/.test(event)).map(({ properties }) => properties.experimentId ?? properties.experienceId).sort());
      await context.close();
    }
    const { faults, fault } = await (await fetch(`${edge.url}/health`)).json();
    if (faults > 0) sum.failed.push(fault);
    return sum;
  } finally {
    await browser.close();
    await edge.stop();
    site.close();
    site.closeAllConnections();
    await house.stop();
  }
}

/** In the page: looks before each frame is painted, so that none is missed. */
function watch(places) {
  const seen = (window.seenByFrame = { frames: 0, wrong: 0, cls: 0 });
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) seen.cls += value;
  }).observe({ type: "layout-shift", buffered: true });
  const look = () => {
    seen.frames += 1;
    const isWrong = ([selector, expected]) => {
      const place = document.querySelector(selector);
      return place && (place.textContent !== expected || getComputedStyle(place).visibility !== "visible");
    };
    if (Object.entries(places).some(isWrong)) seen.wrong += 1;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}
