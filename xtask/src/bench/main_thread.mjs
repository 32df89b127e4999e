// What the tracker takes of a page's main thread: node main_thread.mjs → one JSON object. See docs/benchmarks.md.
import { LATER, demoPage, startSite } from "../../../sdk-js/test/site/site.mjs";
import { blame } from "./main_thread/blame.mjs";
import { traceVisits } from "./main_thread/browser.mjs";
import { startPeers } from "./main_thread/peers.mjs";

/** Chromium's own slowdown waits by the clock, and so stretches with whatever else the machine does: we multiply. */
const SLOWDOWN = 4;
const VISITS = Number(process.env.VISITS ?? 15);
/** How long somebody stays, so that the first batch and its answer are in it. */
const STAY_S = 5;

const quantile = (values, part) => [...values].sort((a, b) => a - b)[Math.floor(values.length * part)];
const median = (values) => quantile(values, 0.5);

// The demo's home page, without the panel, which is for people who look into it; without a tracker; and with others'.
const home = (await demoPage("/", "{{SDK_URL}}")).replace(" data-inspector", "");
const own = '<script async src="{{SDK_URL}}"></script>';
if (!home.includes(own)) throw new Error("the demo's layout has no tag of ours");
const { peers, asked, close } = await startPeers();
const pages = { "/": home, "/bare": home.replace(own, "") };
for (const { name, tag } of peers) pages[`/${name}`] = home.replace(own, tag);
const site = await startSite({ later: LATER, pages, whole: true });
try {
  const kinds = [{ name: "rapport", path: "/", origin: site.endpoint }, { name: "none", path: "/bare", origin: site.endpoint }, ...peers.map((peer) => ({ ...peer, path: `/${peer.name}` }))];
  const visits = Array.from({ length: VISITS }, (_, number) => kinds.map((kind) => ({ ...kind, url: `${site.url}${kind.path}?${number}` }))).flat();
  const events = await traceVisits(visits.map(({ url }) => url), STAY_S);
  const spent = Object.fromEntries(kinds.map(({ name }) => [name, []]));
  for (const { name, url, origin } of visits) spent[name].push(blame(events, url, origin));
  const visitors = new Set(site.state.events.map(({ anonymousId }) => anonymousId)).size;
  if (visitors < VISITS) throw new Error(`only ${visitors} of ${VISITS} visitors came through`);
  const silent = peers.filter(({ door }) => !asked.has(`POST ${door}`)).map(({ name }) => name);
  if (silent.length > 0) console.error(`counted nothing, and so are left out: ${silent}`);
  // What tasks that name nobody take without a tracker is not the tracker's.
  const nobodys = median(spent.none.map(({ nameless }) => nameless));
  const figures = {};
  for (const { name } of kinds.filter(({ name }) => name !== "none" && !silent.includes(name))) {
    const took = spent[name].map(({ named, nameless }) => SLOWDOWN * Math.max(named + nameless - nobodys, named));
    figures[name] = { ms: median(took), from: quantile(took, 0.25), to: quantile(took, 0.75) };
  }
  console.log(JSON.stringify({ page: median(spent.none.map(({ all }) => all)) * SLOWDOWN, ...figures }));
} finally {
  await Promise.all([site.close(), close()]);
}
