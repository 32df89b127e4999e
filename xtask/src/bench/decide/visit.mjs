// How long a visitor waits until a slot is filled: node visit.mjs RAPPORT MODEL.rpm → one JSON object. See docs/benchmarks.md.
import { execFileSync, spawn } from "node:child_process";
import { X509Certificate, createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { authored } from "../bundle.mjs";
import { FLAGS as ARGUMENTS, launch } from "../../../../sdk-js/test/site/chromium.mjs";

const RUNS = Number(process.env.RUNS ?? 50);
const here = fileURLToPath(new URL(".", import.meta.url));
const root = join(here, "../../../..");
const SETTLE_MS = 500;
/** What figures are called after, by the origins of front.mjs. */
const SUFFIXES = { same: "", named: "_named", cross: "_cross_origin" };
/** What the slot shows whoever is scored, and no page holds before. */
const FILLED = "Filled by the score";
const FLAGS = {
  experiences: [
    { key: "everybody", slot: "offer", condition: { $score: { $gte: 0 } }, content: { type: "html", html: `<strong>${FILLED}</strong>` } },
  ],
};

const folder = await mkdtemp(join(tmpdir(), "rapport-visit-"));
const children = [];
try {
  const script = await startServer(process.argv[2], await readFile(process.argv[3]));
  const { certificate, key, pin } = await certify();
  const origins = JSON.parse(await start(process.execPath, [join(here, "visit/front.mjs"), certificate, key, script], /\}\n/));
  const browser = await launch({ args: [...ARGUMENTS, `--ignore-certificate-errors-spki-list=${pin}`] });
  const figures = {};
  try {
    for (const [name, url] of Object.entries(origins)) {
      const visits = [];
      await visitTwice(browser, url);
      for (let run = 0; run < RUNS; run += 1) visits.push(await visitTwice(browser, url));
      const suffix = SUFFIXES[name];
      for (const kind of ["first", "return"]) {
        const times = visits.map((visit) => visit[kind].waited).sort((a, b) => a - b);
        figures[`${kind}_visit${suffix}_p95_ms`] = times[Math.ceil(RUNS * 0.95) - 1];
        figures[`${kind}_visit${suffix}_p50_ms`] = times[Math.ceil(RUNS * 0.5) - 1];
        // The visit in the middle tells what waits for what: found, asked for, begun, there.
        const middle = visits.find((visit) => visit[kind].waited === times[Math.ceil(RUNS * 0.5) - 1]);
        console.error(`\n${kind} visit, ${name} origin: ${times.map(Math.round).join(" ")}\n${middle[kind].waterfall.join("\n")}`);
      }
    }
  } finally {
    await browser.close();
  }
  console.log(JSON.stringify(figures));
} finally {
  for (const child of children) child.kill("SIGTERM");
  await rm(folder, { recursive: true, force: true, maxRetries: 10 });
}

/** A new visitor with an empty cache who comes, and comes back. */
async function visitTwice(browser, url) {
  const context = await browser.newContext();
  await context.addInitScript((filled) => {
    const look = () => document.querySelector("[data-rapport-slot]")?.textContent === filled && (window.filledAt ??= performance.now());
    new MutationObserver(look).observe(document, { childList: true, subtree: true, characterData: true });
  }, FILLED);
  const first = await visit(context, url);
  const again = await visit(context, url);
  await context.close();
  return { first, return: again };
}

/** Milliseconds from the last byte of the page until its slot is filled, and what came when, by the same clock. */
async function visit(context, url) {
  const page = await context.newPage();
  // A tab that has just been opened has other things to do.
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  await page.goto(url, { waitUntil: "commit" });
  await page.waitForFunction(() => window.filledAt !== undefined && performance.getEntriesByType("navigation")[0].responseEnd > 0);
  const seen = await page.evaluate(() => {
    const [{ responseEnd: end }] = performance.getEntriesByType("navigation");
    const resources = performance.getEntriesByType("resource").filter(({ startTime }) => startTime < window.filledAt);
    const line = ({ name, startTime, requestStart, responseStart, responseEnd, encodedBodySize }) => ({ name: new URL(name).pathname, from: startTime - end, sent: requestStart - end, first: responseStart - end, to: responseEnd - end, bytes: encodedBodySize });
    return { waited: window.filledAt - end, parts: resources.map(line) };
  });
  const names = seen.parts.map(({ name }) => name);
  if (new Set(names).size < names.length) throw new Error(`something was fetched twice: ${names}`);
  // What the visit tells is told before the next.
  await page.evaluate(() => window.rapport.flush());
  await page.close();
  const round = (number) => number.toFixed(0).padStart(5);
  return { ...seen, waterfall: seen.parts.map(({ name, from, sent, first, to, bytes }) => `${round(from)} ${round(sent)} ${round(first)} ${round(to)} ms ${String(bytes).padStart(6)} bytes ${name.slice(-40)}`) };
}

/** The server with a published bundle: the address of the site's script. */
async function startServer(rapport, model) {
  const words = ["serve", "--dir", join(folder, "data"), "--listen", "127.0.0.1:0", "--sdk-dir", join(root, "sdk-js/dist")];
  const told = await start(rapport, words, /publish with.*: \S+\n/);
  const [, script] = /src="([^"]+)"/.exec(told);
  const [, secret] = /publish with.*: (\S+)/.exec(told);
  const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json" };
  const bundle = { ...authored(model), flags: FLAGS };
  const answer = await fetch(new URL("/v1/bundles", script), { method: "POST", headers, body: JSON.stringify({ bundle, models: { bench: model.toString("base64") } }) });
  const { problems } = await answer.json();
  if (!answer.ok || problems.length > 0) throw new Error(`nothing was published: ${answer.status} ${problems}`);
  return script;
}

/** A certificate of our own, and how Chromium is told to trust it: what it distrusts, it does not keep. */
async function certify() {
  const [certificate, key] = ["certificate.pem", "key.pem"].map((name) => join(folder, name));
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  execFileSync("openssl", ["req", "-x509", ...kind, "-subj", "/CN=test", "-addext", "subjectAltName=DNS:same.test,DNS:named.test,DNS:cross.test,DNS:rapport.test", "-keyout", key, "-out", certificate], { stdio: "pipe" });
  const { publicKey } = new X509Certificate(await readFile(certificate));
  const pin = createHash("sha256").update(publicKey.export({ type: "spki", format: "der" })).digest("base64");
  return { certificate, key, pin };
}

/** Starts a program that serves until this one ends; resolves with what it has said once that is like `pattern`. */
function start(program, words, pattern) {
  const child = spawn(program, words, { cwd: root, stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  let said = "";
  return new Promise((resolve, reject) => {
    child.stdout.on("data", (text) => {
      said += text;
      if (pattern.test(said)) resolve(said);
    });
    child.once("exit", (code) => reject(new Error(`${program} ended with ${code}`)));
  });
}
