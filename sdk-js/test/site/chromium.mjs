// Chromium, as the tests drive it: `CHROMIUM` or the system's.
import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const known = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

const quiet = ["gpu", "quic", "background-networking", "component-update", "sync"].map((name) => `--disable-${name}`);
/** Hosts below `.test` are the tests' own, so that cookies and links can go from host to host. */
export const FLAGS = ["--no-sandbox", "--no-first-run", "--host-resolver-rules=MAP *.test 127.0.0.1", ...quiet];

export function chromiumPath() {
  const path = process.env.CHROMIUM ?? known.find(existsSync);
  if (!path) throw new Error("no Chromium: install the package `chromium` or set CHROMIUM to its path");
  return path;
}

export function launch(options = {}) {
  return chromium.launch({ executablePath: chromiumPath(), args: FLAGS, ...options });
}

/** A new visitor's page that keeps every decision in `window.decisions`. */
export async function visit(browser, url, options = {}) {
  const context = options.context ?? (await browser.newContext(options));
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(error));
  await page.addInitScript(() => {
    window.decisions = [];
    window.addEventListener("rapport:decision", (event) => window.decisions.push(event.detail));
  });
  await page.goto(url);
  return page;
}

/** The newest decision, once there are at least `count` on this page. */
export async function decision(page, count = 1) {
  await page.waitForFunction((count) => window.decisions.length >= count, count);
  return page.evaluate(() => window.decisions.at(-1));
}

/** Waits until the inspector shows a decision. */
export async function inspector(page) {
  await page.waitForFunction(() => document.querySelector("rapport-inspector")?.shadowRoot.querySelector(".sum .base"));
}

/** What the inspector shows, and the decision that it shows: others may come at any time. */
export function shown(page) {
  return page.evaluate(async () => {
    let newest;
    do {
      newest = window.decisions.at(-1);
      // What stands beside the score comes with the next frame.
      await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    } while (newest !== window.decisions.at(-1));
    const root = document.querySelector("rapport-inspector")?.shadowRoot;
    if (!root) return undefined;
    const number = (text) => Number(text.replace("−", "-").replace("+", ""));
    const texts = (selector) => [...root.querySelectorAll(selector)].map((element) => element.textContent);
    return {
      newest,
      score: number(root.querySelector(".score").textContent),
      base: number(root.querySelector(".sum .base").textContent),
      points: texts(".reasons .points").map(number),
      sum: root.querySelector(".sum").textContent,
      band: root.querySelector(".band").textContent,
      texts: texts(".reasons .text"),
    };
  });
}
