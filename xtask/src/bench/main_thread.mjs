// What the tracker takes of a page's main thread: node main_thread.mjs → one JSON object.
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LATER, demoPage, startSite } from "../../../sdk-js/test/site/site.mjs";
import { until } from "../../../sdk-js/test/site/wait.mjs";

/** Chromium's own slowdown waits by the clock, and so stretches with whatever else the machine does: we multiply. */
const SLOWDOWN = 4;
const VISITS = 7;
/** How long somebody stays, so that the first batch and its answer are in it. */
const STAY_S = 4;

/**
 * CPU milliseconds of all tasks of a new visitor's main thread, as the operating system counts them for the thread.
 * The browser traces itself: nobody looks into the page, which would take its main thread, too.
 */
async function visitOnce(url) {
  const folder = await mkdtemp(join(tmpdir(), "rapport-main-thread-"));
  const trace = join(folder, "trace.json");
  const quiet = ["gpu", "quic", "background-networking", "component-update", "sync"].map((name) => `--disable-${name}`);
  const recorded = ["categories=toplevel,devtools.timeline", "format=json", `file=${trace}`, `duration=${STAY_S}`];
  const tracing = recorded.map((option) => `--trace-startup${option.startsWith("categories") ? option.slice("categories".length) : `-${option}`}`);
  const browser = spawn(
    process.env.CHROMIUM,
    ["--headless", "--no-sandbox", "--no-first-run", ...quiet, ...tracing, `--user-data-dir=${join(folder, "profile")}`, "--remote-debugging-port=0", url],
    { stdio: "ignore", detached: true },
  );
  try {
    const text = await until(() => readFile(trace, "utf8").catch(() => ""), "the browser's trace");
    return spent(JSON.parse(text).traceEvents, url);
  } finally {
    process.kill(-browser.pid, "SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, 200));
    await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

/** Of the thread that parsed the page. */
function spent(events, url) {
  const page = events.find(({ name, args }) => name === "ParseHTML" && args.beginData?.url === url);
  if (!page) throw new Error(`no page in the trace of ${url}`);
  const tasks = events.filter(({ pid, tid, name }) => pid === page.pid && tid === page.tid && name === "ThreadControllerImpl::RunTask");
  return tasks.reduce((sum, { tdur = 0 }) => sum + tdur, 0) / 1_000;
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

// The demo's home page, without the panel, which is for people who look into it; and the same without the tracker.
const home = (await demoPage("/", "{{SDK_URL}}")).replace(" data-inspector", "");
const bare = home.replace('<script async src="{{SDK_URL}}"></script>', "");
if (bare === home) throw new Error("the demo's layout has no tag of ours");
const site = await startSite({ later: LATER, pages: { "/": home, "/bare": bare } });
try {
  const took = { all: [], page: [] };
  for (let visits = 0; visits < VISITS; visits += 1) {
    took.all.push(await visitOnce(`${site.url}/`));
    took.page.push(await visitOnce(`${site.url}/bare`));
  }
  const visitors = new Set(site.state.events.map(({ anonymousId }) => anonymousId)).size;
  if (visitors < VISITS) throw new Error(`only ${visitors} of ${VISITS} visitors came through`);
  const [all, page] = [median(took.all), median(took.page)];
  console.log(JSON.stringify({ main_thread_ms: (all - page) * SLOWDOWN, all, page }));
} finally {
  await site.close();
}
