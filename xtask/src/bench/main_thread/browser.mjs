// Chromium over a pipe, with nobody looking into its pages: that would take their main threads, too.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const quiet = ["gpu", "quic", "background-networking", "component-update", "sync"].map((name) => `--disable-${name}`);
/** What a trace holds: whole tasks, and whose scripts and resources they concern. More would itself take time. */
const CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline"];

/** One after another, each by a visitor who was never there and stays for `seconds`: the trace of all these visits. */
export async function traceVisits(urls, seconds) {
  const folder = await mkdtemp(join(tmpdir(), "rapport-main-thread-"));
  const flags = ["--headless", "--no-sandbox", "--no-first-run", ...quiet, `--user-data-dir=${folder}`, "--remote-debugging-pipe"];
  const browser = spawn(process.env.CHROMIUM, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"], detached: true });
  try {
    const events = [];
    let complete;
    const ended = new Promise((resolve) => { complete = resolve; });
    const call = caller(browser, (method, { value }) => {
      if (method === "Tracing.dataCollected") events.push(...value);
      if (method === "Tracing.tracingComplete") complete();
    });
    const traceConfig = { includedCategories: CATEGORIES, excludedCategories: ["*"], traceBufferSizeInKb: 1 << 20 };
    // A browser that has just started has other things to do.
    await visit(call, "about:blank", 2);
    await call("Tracing.start", { traceConfig });
    for (const url of urls) await visit(call, url, seconds);
    await call("Tracing.end");
    await ended;
    return events;
  } finally {
    const gone = new Promise((resolve) => browser.once("exit", resolve));
    process.kill(-browser.pid, "SIGKILL");
    await gone;
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

async function visit(call, url, seconds) {
  const { browserContextId } = await call("Target.createBrowserContext");
  await call("Target.createTarget", { url, browserContextId });
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  await call("Target.disposeBrowserContext", { browserContextId });
}

/** Calls of the DevTools protocol; `hear` gets what the browser says unasked. */
function caller({ stdio: [, , , into, from] }, hear) {
  const waiting = new Map();
  let rest = "";
  from.setEncoding("utf8");
  from.on("data", (chunk) => {
    const messages = (rest + chunk).split("\0");
    rest = messages.pop();
    for (const text of messages) {
      const { id, method, params, result, error } = JSON.parse(text);
      if (id === undefined) hear(method, params);
      else if (error) waiting.get(id).reject(new Error(error.message));
      else waiting.get(id).resolve(result);
    }
  });
  let last = 0;
  return (method, params = {}) =>
    new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, { resolve, reject });
      into.write(`${JSON.stringify({ id: last, method, params })}\0`);
    });
}
