// What fails around an edge costs nobody their page: it goes out as its site made it, and the fault is counted.
import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { eventually, startHouse } from "./house.mjs";

const flags = {
  features: { hero: { defaultValue: { type: "text", text: "decided" } } },
  experiments: [{ key: "many", status: "running", variations: [{}, { domMutations: [{ selector: "i", attribute: "title", action: "set", value: "changed" }] }], weights: [0, 1], hashAttribute: "id", urlPatterns: [{ type: "simple", include: true, pattern: "/many" }] }],
};
const PAGE = `<!doctype html><html><head><title>Shop</title></head><body><h1 data-rapport-slot="hero">Hello</h1></body></html>`;
const HTML = { "content-type": "text/html; charset=utf-8" };
const MANY = 60_000;

let house, publicKey, edge, site, origin;
/** What the site does at an address; whoever asks may be waited for. */
const answers = {};

before(async () => {
  house = await startHouse(flags);
  publicKey = await house.publish();
  site = createServer((request, response) => {
    const answer = answers[new URL(request.url, "http://site").pathname];
    if (answer) return answer(request, response);
    response.writeHead(200, HTML).end(PAGE);
  });
  await new Promise((ready) => site.listen(0, "127.0.0.1", ready));
  origin = `http://127.0.0.1:${site.address().port}`;
  edge = await house.startEdge({ site: origin, publicKey });
});

after(async () => {
  await edge?.stop();
  site?.close();
  site?.closeAllConnections();
  await house?.stop();
});

const cookieOf = (id) => `rapport_${house.key}_id=${encodeURIComponent(JSON.stringify({ anonymousId: id, sequence: 0 }))}`;
const visit = async (path = "/", at = edge) => {
  const answer = await fetch(at.url + path, { headers: { accept: "text/html", cookie: cookieOf("visitor-1") } });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
};
const health = async (at = edge) => (await fetch(`${at.url}/health`)).json();
const decide = (at) => fetch(`${at.url}/v1/decide`, { method: "POST", body: JSON.stringify({ key: house.key, anonymousId: "a" }) });
const elsewhere = (name) => `${process.env.TMPDIR ?? "/tmp"}/rapport-edge-${name}-${process.pid}`;
const deferred = () => {
  let resolve;
  const promise = new Promise((done) => (resolve = done));
  return { promise, resolve };
};

test("with its store down alone the edge decides from the backend, and counts what failed", async () => {
  const other = await house.startEdge({ site: origin, folder: elsewhere("storeless"), broken: "store" });
  try {
    assert.equal((await decide(other)).status, 200);
    assert.ok((await visit("/", other)).text.includes(">decided</h1>"));
    assert.equal((await fetch(`${other.url}/v1/sdk/${house.key}.js`)).status, 200);
    const { faults, fault, bundle } = await health(other);
    assert.ok(faults >= 1 && /store/.test(fault) && bundle, JSON.stringify({ faults, fault }));
  } finally {
    await other.stop();
  }
});

test("events that cannot be kept are not acknowledged", async () => {
  const other = await house.startEdge({ folder: elsewhere("queueless"), broken: "queue" });
  try {
    const batch = [{ type: "page", anonymousId: "a", messageId: "m" }];
    const answer = await fetch(`${other.url}/v1/events?key=${house.key}`, { method: "POST", body: JSON.stringify({ batch }) });
    assert.equal(answer.status, 503);
    assert.ok(answer.headers.get("retry-after"));
  } finally {
    await other.stop();
  }
});

/** A backend in front of the house's, whose newest bundle is what `forge` makes of the right one. */
async function liar() {
  const state = { forge: (config) => config, listeners: new Set() };
  const server = createServer(async (request, response) => {
    if (request.url.startsWith("/sub/")) {
      response.writeHead(200, { "content-type": "text/event-stream" }).write(":\n\n");
      state.listeners.add(response);
      return response.on("close", () => state.listeners.delete(response));
    }
    const answer = await fetch(house.backend + request.url);
    let body = Buffer.from(await answer.arrayBuffer());
    if (request.url.endsWith(".js") && request.url.startsWith("/v1/sdk/")) {
      const text = body.toString();
      const end = text.indexOf("};") + 1 || text.length;
      const config = JSON.parse(await (await fetch(`${house.backend}/v1/sdk/${house.key}.json`)).text());
      body = `self.rapportConfig=${JSON.stringify(state.forge(config))}${text.slice(end)}`;
    }
    response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "text/plain" }).end(body);
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    publish(forge) {
      state.forge = forge;
      for (const listener of state.listeners) listener.write("event: bundle\ndata: new\n\n");
    },
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const pair = generateKeyPairSync("ed25519");
const signed = (manifest) => ({ manifest, signature: sign(null, Buffer.from(manifest), pair.privateKey).toString("base64"), publicKey: pair.publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("base64") });
const forgeries = {
  "a newer format": [(config) => ({ ...config, ...signed(JSON.stringify({ ...JSON.parse(config.manifest), format: 99 })) }), /not signed/],
  "another key's": [(config) => ({ ...config, ...signed(config.manifest.replace("{", "{ ")) }), /not signed/],
  "altered": [(config) => ({ ...config, manifest: config.manifest.replace("{", "{ ") }), /not signed/],
  "no signature": [(config) => ({ ...config, manifest: config.manifest.replace("{", "{ "), signature: "AAAA" }), /base 64/],
};

test("an edge that knows only a bundle of a wrong version or signature lets pages out as they are", async () => {
  const pinned = { publicKey };
  for (const [name, pins, why] of [["a newer format", {}, /newer than this edge/], ["another key's", pinned, /not signed/]]) {
    const backend = await liar();
    backend.publish(forgeries[name][0]);
    const cold = await house.startEdge({ site: origin, backend: backend.url, folder: elsewhere(`cold-${name.length}`), ...pins });
    try {
      const { status, text } = await visit("/", cold);
      assert.deepEqual([status, text], [200, PAGE], name);
      const { faults, refused } = await health(cold);
      assert.ok(faults >= 1);
      assert.match(refused, why);
      assert.equal((await decide(cold)).status, 502);
    } finally {
      await cold.stop();
      backend.close();
    }
  }
});

test("a bundle of a wrong version or signature does not come into force", async () => {
  const backend = await liar();
  const warm = await house.startEdge({ site: origin, backend: backend.url, folder: elsewhere("warm") });
  // A Worker listens to the backend while somebody listens to it.
  const leave = new AbortController();
  try {
    const { bundle } = await (await decide(warm)).json();
    const stream = await fetch(`${warm.url}/sub/${house.key}`, { signal: leave.signal });
    void stream.body.pipeTo(new WritableStream()).catch(() => undefined);
    const until = (forge, holds) => eventually(async () => {
      backend.publish(forge);
      return holds((await health(warm)).refused ?? "");
    });
    for (const [name, [forge, why]] of Object.entries(forgeries)) {
      await until(forge, (refused) => why.test(refused));
      assert.equal((await health(warm)).bundle, bundle, name);
      assert.ok((await visit("/", warm)).text.includes(">decided</h1>"), name);
      await until((config) => config, (refused) => refused === "");
    }
  } finally {
    leave.abort();
    await warm.stop();
    backend.close();
  }
});

test("what the site packs although nobody asked for that comes through whole", async () => {
  for (const [coding, pack] of [["gzip", gzipSync], ["br", brotliCompressSync]]) {
    answers[`/${coding}`] = (_, response) => response.writeHead(200, { ...HTML, "content-encoding": coding }).end(pack(PAGE));
    const { text } = await visit(`/${coding}`);
    assert.ok(/<h1 data-rapport-slot="hero">(Hello|decided)<\/h1><\/body><\/html>$/.test(text), `${coding}: ${text}`);
  }
});

test("the beginning of a page is there before the site has made its end", async () => {
  const seen = deferred();
  answers["/stalls"] = async (_, response) => {
    const [beginning, end] = PAGE.split("</body>");
    response.writeHead(200, HTML).write(`${beginning}<p>`);
    await seen.promise;
    response.end(`</p></body>${end}`);
  };
  // Miniflare holds back what it packs.
  const answer = await fetch(`${edge.url}/stalls`, { headers: { accept: "text/html", "accept-encoding": "identity" } });
  let text = "";
  for await (const piece of answer.body) {
    text += Buffer.from(piece).toString();
    // The site goes on once the visitor sees what was decided.
    if (text.includes(">decided</h1>")) seen.resolve();
  }
  assert.ok(text.endsWith("</html>"));
});

test("a site that breaks off or is gone breaks that page, and no other", async () => {
  answers["/breaks"] = (_, response) => {
    response.writeHead(200, { ...HTML, "content-length": "100000" }).write(PAGE.split("</body>")[0]);
    setImmediate(() => response.destroy());
  };
  // Between a host and its visitor somebody may have ended it nicely.
  const broken = await visit("/breaks").catch(() => undefined);
  assert.ok(!broken?.text.includes("</html>"));
  const gone = await house.startEdge({ site: "http://127.0.0.1:9", folder: elsewhere("gone") });
  try {
    assert.ok((await visit("/", gone)).status >= 500);
    assert.equal((await decide(gone)).status, 200);
  } finally {
    await gone.stop();
  }
  assert.ok((await visit("/")).text.includes(">decided</h1>"));
});

test("error pages and pages that forbid it are not touched", async () => {
  for (const [path, status, headers] of [["/500", 500, {}], ["/404", 404, {}], ["/keep", 200, { "cache-control": "no-transform" }]]) {
    answers[path] = (_, response) => response.writeHead(status, { ...HTML, ...headers }).end(PAGE);
    const { status: got, text } = await visit(path);
    assert.deepEqual([got, text], [status, PAGE], path);
  }
});

test("malformed HTML comes through with what could be decided in it", async () => {
  const slot = '<h1 data-rapport-slot="hero">Hello</h1>';
  const pages = [`${slot}<table><tr><b>`, `<html><head><title>${slot}</title><body>${slot}`, `<!-- never closed ${slot}`, `<p a='b" c=>${slot}`, `<svg><head>${slot}</svg>`, `\0\uFFFE${slot}`, `<script>"${slot}`, "<", "", `<h1 data-rapport-slot="hero">Hello`, `${"<div>".repeat(5_000)}${slot}`];
  for (const [number, page] of pages.entries()) {
    answers[`/malformed-${number}`] = (_, response) => response.writeHead(200, HTML).end(page);
    const { status, text } = await visit(`/malformed-${number}`);
    assert.equal(status, 200);
    const outside = (html) => html.replaceAll(/<script[^>]*rapport[^>]*>.*?<\/script>|<script async[^>]*><\/script>/g, "").replaceAll("decided", "Hello");
    assert.equal(outside(text), page, `page ${number}`);
  }
});

test("an upload reaches the site as it comes", async () => {
  const first = deferred();
  answers["/upload"] = async (request, response) => {
    let length = 0;
    for await (const piece of request) {
      length += piece.length;
      first.resolve();
    }
    response.end(String(length));
  };
  const body = new ReadableStream({
    async start(stream) {
      stream.enqueue(Buffer.alloc(70_000, 1));
      // The rest is made once the site has the beginning.
      await first.promise;
      stream.enqueue(Buffer.alloc(30_000, 1));
      stream.close();
    },
  });
  const answer = await fetch(`${edge.url}/upload`, { method: "POST", body, duplex: "half", headers: { accept: "text/html" } });
  assert.equal(await answer.text(), "100000");
});

test("a page that takes too much work is changed in part, goes out whole, and is counted", async () => {
  answers["/many"] = (_, response) => response.writeHead(200, HTML).end(`<html><head></head><body>${"<i>x</i>".repeat(MANY)}</body></html>`);
  const { faults: before } = await health();
  const { text } = await visit("/many");
  assert.equal(text.split("<i").length - 1, MANY);
  const changed = text.split('<i title="changed">').length - 1;
  assert.ok(changed > 0 && changed < MANY, `${changed} changed`);
  const { faults, fault } = await health();
  assert.ok(faults > before && /too long/.test(fault), fault);
});

test("a browser that has the page as it is now fetches none, and whoever gets another gets it whole", async () => {
  const tag = '"site-1"';
  const asked = [];
  answers["/tagged"] = (request, response) => {
    asked.push(request.headers["if-none-match"]);
    if (request.headers["if-none-match"] === tag) return response.writeHead(304, { etag: tag }).end();
    response.writeHead(200, { ...HTML, etag: tag, "cache-control": "public, max-age=600" }).end(PAGE);
  };
  const ask = (id, known) => fetch(`${edge.url}/tagged`, { headers: { accept: "text/html", cookie: cookieOf(id), ...(known ? { "if-none-match": known } : {}) } });
  const first = await ask("tagged-one");
  const mine = first.headers.get("etag");
  await first.text();
  const again = await ask("tagged-one", mine);
  assert.deepEqual([again.status, again.headers.get("etag"), again.headers.get("cache-control")], [304, mine, "private, no-cache"]);
  assert.equal(asked.at(-1), tag);
  const theirs = await ask("tagged-two", mine);
  assert.equal(theirs.status, 200);
  assert.ok((await theirs.text()).includes("tagged-two") && theirs.headers.get("etag") !== mine);
  const siteOwn = await ask("tagged-one", tag);
  assert.equal(siteOwn.status, 200, "what the site tagged is not this page");
  await siteOwn.text();
});

test("a cache that all visitors share keeps nobody's page", async () => {
  const kept = new Map();
  /** RFC 9111, as far as it matters here. */
  const shared = async (path, headers) => {
    const hit = (kept.get(path) ?? []).find(({ vary, of }) => vary.every((name) => of[name] === headers[name]));
    if (hit) return hit.text;
    const answer = await fetch(edge.url + path, { headers });
    const text = await answer.text();
    const vary = (answer.headers.get("vary") ?? "").toLowerCase().split(/, */).filter(Boolean);
    const may = !/private|no-store/.test(answer.headers.get("cache-control") ?? "") && !vary.includes("*") && !answer.headers.has("set-cookie");
    if (may) kept.set(path, [...(kept.get(path) ?? []), { vary, of: headers, text }]);
    return text;
  };
  answers["/cached"] = (_, response) => response.writeHead(200, { ...HTML, "cache-control": "public, max-age=600" }).end(PAGE);
  answers["/style.css"] = (_, response) => response.writeHead(200, { "content-type": "text/css", "cache-control": "public, max-age=600" }).end("b{}");
  for (const id of ["cached-one", "cached-two", "cached-one"]) {
    const cookie = cookieOf(id);
    assert.ok((await shared("/cached", { accept: "text/html", cookie })).includes(`"anonymousId":"${id}"`));
    await shared("/style.css", { accept: "text/css", cookie });
  }
  assert.deepEqual([...kept.keys()], ["/style.css"]);
});
