// A site and a server for the tests of the SDK: two origins, a compiled bundle, and a collector that remembers.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Decider, Flags, compileBundle, initSync } from "../../dist/full/engine.js";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const read = (relative) => readFile(path(relative));

initSync({ module: await read("../../dist/full/engine_bg.wasm") });

/** The demo's signals with a model trained on the leads of `examples/leads`: `cargo xtask test` puts it there. */
export async function bundle() {
  const signals = JSON.parse(await read("../../../examples/demo/signals.json"));
  const models = [{ name: "leads" }];
  const authored = { workspace: "test", environment: "test", signals, models };
  const parts = compileBundle(authored, { leads: await read("../../dist/test/leads.rpm") });
  if (parts.problems.length > 0) throw new Error(parts.problems.join("\n"));
  return parts;
}

/** Parts that come later, on demand. */
export const LATER = ["inspector", "visit", "forms", "vitals", "links", "platforms", "debug", "personalize"];

/** A payload of features and experiments as the part that pages open. */
export function flagsOf(payload) {
  const flags = new Flags(payload);
  const bytes = Buffer.from(flags.bytes());
  flags.free();
  return bytes;
}

/**
 * Starts both servers. `csp` is sent with each page, `parts` replaces parts of the bundle, `pages` adds
 * pages of HTML by path, `settings` is what the workspace sets, `later` says which later parts there are;
 * `flags` is a payload of features and experiments, `state.flags` another one from then on; `served` is what
 * the server decides by it for all whose page cannot;
 * `whole` has `KEY.js` carry the model, as servers have it; else tests may hold it back;
 * `tracks` is a workspace that has published nothing, whose pages track only;
 * `cache` is how long `KEY.js` is kept; `state.down` makes the whole server hang up;
 * `state.apart` has the page fetch its code part by part, as does a site whose `later` lacks `visit`;
 * `state.closing` makes the collector hang up, `state.hold` keeps its answers until it resolves, `state.gate` what pages decide with, `state.failing` makes the collector answer 503 while it is true, `state.refuse` what it says instead.
 */
export async function startSite({ csp, local = true, parts: changed, pages: own = {}, settings = {}, later = ["inspector", "forms"], flags, served, cache, whole, tracks } = {}) {
  const compiled = await bundle();
  const parts = { ...compiled, ...changed };
  const decider = new Decider(compiled.signals, compiled.model, compiled.words);
  const state = { events: [], batches: [], failing: false, refuse: undefined, decisions: 0, requests: [], flags: undefined, hold: undefined, closing: false, down: false, gate: undefined, apart: false };
  const kept = cache ? { "cache-control": cache } : {};
  if (flags) later = [...later, "personalize"];
  const files = {
    "/v1/parts/sdk": ["text/javascript", await read("../../dist/rapport.js")],
    "/v1/parts/scoring": ["text/javascript", await read("../../dist/scoring.js")],
    "/v1/parts/wasm": ["application/wasm", await read("../../dist/rapport_bg.wasm")],
    "/v1/parts/flagsWasm": ["application/wasm", await read("../../dist/flags_bg.wasm")],
    "/v1/parts/decision": ["application/octet-stream", joined([parts.signals, parts.model, parts.words])],
  };
  for (const part of later.filter((name) => name !== "visit")) files[`/v1/parts/${part}`] = ["text/javascript", await read(`../../dist/${part}.js`)];
  const script = await read(`../../dist/page-${tracks ? "track" : flags ? "show" : "score"}.js`);
  const loader = await read("../../dist/loader.js");

  const backend = await listen(async (request, url, body) => {
    state.requests.push(`${request.method} ${url.pathname}`);
    if (state.down) return undefined;
    if (["/v1/parts/decision", "/v1/parts/flags"].includes(url.pathname)) await state.gate;
    if (url.pathname === "/v1/parts/flags") {
      const given = state.flags ?? flags;
      return [200, "application/octet-stream", Buffer.isBuffer(given) ? given : flagsOf(given), cache ? { "cache-control": "public, max-age=31536000, immutable" } : {}];
    }
    const part = files[url.pathname];
    if (part) return [200, part[0], part[1], { "cache-control": "public, max-age=31536000, immutable" }];
    const config = {
      key: "test-key",
      endpoint: backend.origin,
      ...settings,
      parts: Object.fromEntries(
        ["sdk", ...(tracks ? [] : ["scoring"]), ...later, ...(local && !tracks ? ["wasm", "decision"] : []), ...(flags ? ["flags", ...(local ? ["flagsWasm"] : [])] : [])].map((name) => [name, `/v1/parts/${name === "visit" ? "scoring" : name}`]),
      ),
    };
    if (url.pathname === "/v1/sdk/test-key.js") {
      const code = state.apart || !(tracks || later.includes("visit")) ? loader : script;
      const data = whole ? { decision: files["/v1/parts/decision"][1].toString("base64") } : {};
      return [200, "text/javascript", `//# allFunctionsCalledOnLoad\nself.rapportConfig=${JSON.stringify(config)};self.rapportData=${JSON.stringify(data)};${code}`, kept];
    }
    if (url.pathname === "/v1/sdk/test-key.json") return [200, "application/json", JSON.stringify(config), kept];
    if (url.pathname === "/v1/events" && request.method === "POST") {
      if (state.failing) return [503, "text/plain", "try again"];
      if (state.refuse) return state.refuse;
      if (state.closing) return undefined;
      await state.hold;
      const { key, batch, ...envelope } = JSON.parse(body);
      if (key !== "test-key") return [401, "text/plain", "unknown key"];
      state.batches.push({ ...envelope, batch, bytes: body.length });
      const known = new Set(state.events.map((event) => event.messageId));
      state.events.push(...batch.filter((event) => !known.has(event.messageId)));
      return [200, "application/json", "{}"];
    }
    if (url.pathname === "/v1/decide" && request.method === "POST") {
      state.decisions += 1;
      const { anonymousId, events, visitor } = JSON.parse(body);
      const stored = state.events.filter((event) => event.anonymousId === anonymousId);
      const known = new Set(stored.map((event) => event.messageId));
      const all = [...stored, ...events.filter((event) => !known.has(event.messageId))];
      return [200, "application/json", JSON.stringify({ ...decider.decide(inOrder(all), Date.now(), 5), flags: visitor && served })];
    }
    return [404, "text/plain", "no such route"];
  });

  const pages = await listen(async (request, url, body) => {
    // A proxy of the site's own, under names that no list of blockers holds.
    if (url.pathname.startsWith("/own/")) return forward(backend.origin, request, url, body);
    const given = own[url.pathname];
    if (given !== undefined) {
      const nonce = Math.random().toString(36).slice(2);
      const words = { SDK_URL: `${backend.origin}/v1/sdk/test-key.js`, ENDPOINT: backend.origin, NONCE: nonce };
      const fill = (text) => text.replace(/\{\{(\w+)\}\}/g, (whole, word) => words[word] ?? whole);
      return [200, given.type ?? "text/html; charset=utf-8", fill(given.html ?? given), policy(fill(given.csp ?? csp ?? ""))];
    }
    if (url.pathname.startsWith("/dist/")) return [200, "text/javascript", await read(`../..${url.pathname}`)];
    if (url.pathname === "/npm") return [200, "text/html", npmPage(backend.origin), policy(csp)];
    if (url.pathname.startsWith("/assets/")) {
      const type = url.pathname.endsWith(".css") ? "text/css" : "text/javascript";
      return [200, type, await read(`../../../examples/demo-site${url.pathname}`)];
    }
    return [200, "text/html; charset=utf-8", await demoPage(url.pathname, `${backend.origin}/v1/sdk/test-key.js`), policy(csp)];
  });
  return {
    url: pages.origin,
    port: new URL(pages.origin).port,
    endpoint: backend.origin,
    state,
    /** Forgets what came until now, and fails no more. */
    clear: () => {
      for (const list of [state.events, state.batches, state.requests]) list.length = 0;
      Object.assign(state, { failing: false, refuse: undefined, decisions: 0, flags: undefined, hold: undefined, closing: false, down: false, gate: undefined, apart: false });
    },
    /** What the core makes of events outside the page. */
    decide: (events, now) => decider.decide(inOrder(events), now, 5),
    close: () => Promise.all([pages.close(), backend.close()]),
  };
}

/** A bundle's parts as pages get them: docs/bundle-format.md. */
function joined(parts) {
  return Buffer.concat([new Uint8Array(Uint32Array.from(parts, ({ length }) => length).buffer), ...parts]);
}

/** As they happened: batches may overtake one another. */
function inOrder(events) {
  return [...events].sort((a, b) => a.sequence - b.sequence);
}

function npmPage(endpoint) {
  return `<!doctype html><title>npm</title><script type="module">
    import { createRapport } from "/dist/index.js";
    window.rapport = createRapport({ key: "test-key", endpoint: "${endpoint}" });
  </script>`;
}

/** What a proxy in front of the backend does: `/own/c` is `/v1/events`, and so on. */
async function forward(origin, request, url, body) {
  const names = { "/own/c": "/v1/events", "/own/d": "/v1/decide", "/own/p": "/v1/parts", "/own/s": "/v1/sdk" };
  const start = Object.keys(names).find((name) => url.pathname.startsWith(name)) ?? "/own";
  const path = (names[start] ?? "") + url.pathname.slice(start.length);
  const { method } = request;
  const answer = await fetch(origin + path, method === "GET" ? {} : { method, body });
  return [answer.status, answer.headers.get("content-type"), Buffer.from(await answer.arrayBuffer())];
}

function policy(csp) {
  return csp ? { "content-security-policy": csp } : {};
}

/** A page of the demo website, in its layout. */
export async function demoPage(pathname, sdk) {
  const name = pathname.replace(/\/$/, "");
  const source = await read(`../../../examples/demo-site/pages${name}/index.html`)
    .catch(() => read(`../../../examples/demo-site/pages${name}.html`))
    .catch(() => read("../../../examples/demo-site/pages/404.html"));
  const [first, ...rest] = source.toString().split("\n");
  const words = {
    TITLE: first.replace(/^<!--\s*|\s*-->$/g, ""),
    CONTENT: rest.join("\n"),
    BRAND: "Tidewright",
    THEME: "harbour",
    SDK_URL: sdk,
  };
  const fill = (text) => text.replace(/\{\{(\w+)\}\}/g, (whole, word) => words[word] ?? whole);
  return fill(fill((await read("../../../examples/demo-site/layout.html")).toString()));
}

async function listen(answer) {
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const url = new URL(request.url, "http://localhost");
    let reply;
    try {
      reply = await answer(request, url, Buffer.concat(chunks).toString());
    } catch (error) {
      reply = [500, "text/plain", String(error?.stack ?? error)];
    }
    if (!reply) return request.socket.destroy();
    const [status, type, body, headers = {}] = reply;
    const open = { "access-control-allow-origin": "*", "access-control-expose-headers": "retry-after" };
    response.writeHead(status, { "content-type": type, ...open, ...headers });
    response.end(body);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}
