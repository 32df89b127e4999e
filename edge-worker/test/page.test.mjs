// Pages that an edge changes while they stream from the site behind it.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { startHouse } from "./house.mjs";

const flags = {
  features: {
    hero: { defaultValue: null, rules: [{ id: "germans", force: { type: "text", text: "Guten Tag & <willkommen>" }, condition: { language: "de" } }, { key: "hero-test", variations: [{ type: "html", html: "<b>cold</b>" }, { type: "html", html: "<b>warm</b>" }], meta: [{ key: "c" }, { key: "w" }], hashVersion: 2 }] },
    evil: { defaultValue: { type: "html", html: "<img src=x onerror=alert(1)>" } },
  },
  experiments: [
    { key: "buttons", status: "running", variations: [{}, { domMutations: [{ selector: "#buy", attribute: "class", action: "append", value: "warm" }, { selector: "#buy", attribute: "href", action: "set", value: "/demo" }, { selector: "a:has(b)", attribute: "title", action: "set", value: "x" }, { selector: ".log", attribute: "html", action: "append", value: "<i>twice</i>" }, { selector: "#buy", attribute: "onclick", action: "set", value: "x" }] }], weights: [0, 1], hashAttribute: "id", urlPatterns: [{ type: "simple", include: true, pattern: "/shop*" }] },
  ],
};

const PAGE = `<!doctype html><html><head><title>Shop</title></head><body><h1 data-rapport-slot="hero">Hello</h1><div data-rapport-slot="evil">good</div><a id="buy" class="big" href="/buy">Buy</a><p class="log">log</p></body></html>`;
const pages = {
  "/": [PAGE],
  "/shop": [PAGE],
  "/nonce": [PAGE.replace("<title>", '<script nonce="fromPage+/=">1</script><title>')],
  "/policy": [PAGE, { "content-security-policy": "script-src 'nonce-fromHeader=='" }],
  "/tagged": [PAGE.replace("<title>", '<script src="https://edge.example/v1/sdk/KEY.js"></script><title>')],
  "/next": [PAGE.replace("<title>", '<script src="/_next/static/main.js"></script><title>')],
  "/text": [PAGE, { "content-type": "text/plain" }],
  "/kept": [PAGE, { "cache-control": "public, no-transform" }],
  "/off": [PAGE, { "x-rapport-edge": "off" }],
  "/broken": ['<p><h1 data-rapport-slot="hero">Hello<a id="buy" class=big <b></p></h2><!-- <head> ', {}],
  "/latin": [Buffer.from(PAGE.replace("Shop", "Caf\xe9"), "latin1"), { "content-type": "text/html; charset=iso-8859-1" }],
};

let house, edge, site, origin;
const requests = [];

before(async () => {
  house = await startHouse(flags);
  await house.publish();
  site = createServer(async (request, response) => {
    requests.push(request);
    const { pathname } = new URL(request.url, "http://site");
    const html = { "content-type": "text/html; charset=utf-8", etag: '"site"', "cache-control": "public, max-age=600" };
    if (pathname === "/echo") {
      let length = 0;
      for await (const chunk of request) length += chunk.length;
      return response.end(String(length));
    }
    if (pathname === "/gone") return response.writeHead(404, html).end(PAGE);
    if (pathname === "/moved") return response.writeHead(302, { location: "/shop" }).end();
    if (pathname === "/packed") {
      const accepted = request.headers["accept-encoding"] ?? "";
      const [coding, body] = accepted.includes("br") ? ["br", brotliCompressSync(PAGE)] : accepted.includes("gzip") ? ["gzip", gzipSync(PAGE)] : ["identity", PAGE];
      return response.writeHead(200, { ...html, "content-encoding": coding }).end(body);
    }
    if (pathname === "/stalls") {
      response.writeHead(200, html).write(PAGE.slice(0, 200));
      return setTimeout(() => response.end(PAGE.slice(200)), 300);
    }
    if (pathname === "/long") {
      response.writeHead(200, html);
      response.write(PAGE.split("</body>")[0]);
      for (let part = 0; part < 160; part += 1) response.write(`<p>${"x".repeat(65_000)}</p>`);
      return response.end('<h2 data-rapport-slot="hero">last</h2></body></html>');
    }
    const [body, headers] = pages[pathname] ?? ["nothing"];
    response.writeHead(200, { ...html, ...headers }).end(typeof body === "string" ? body.replace("KEY", house.key) : body);
  });
  await new Promise((ready) => site.listen(0, "127.0.0.1", ready));
  origin = `http://127.0.0.1:${site.address().port}`;
  edge = await house.startEdge({ site: origin });
});

after(async () => {
  await edge?.stop();
  site?.close();
  site?.closeAllConnections();
  await house?.stop();
});

const browser = { accept: "text/html,application/xhtml+xml" };
const who = (id) => ({ cookie: `rapport_${house.key}_id=${encodeURIComponent(JSON.stringify({ anonymousId: id, sequence: 3 }))}` });
const visit = async (path, headers = {}) => {
  const answer = await fetch(edge.url + path, { headers: { ...browser, ...headers }, redirect: "manual" });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
};
const hydration = (text) => JSON.parse(text.match(/<script type="application\/json" id="rapport-hydration"[^>]*>(.*?)<\/script>/)[1]);

test("a slot shows in the first bytes what is decided for its visitor, and the page's script decides the same", async () => {
  const german = await visit("/", { "accept-language": "de,en;q=0.5" });
  assert.ok(german.text.includes('<h1 data-rapport-slot="hero">Guten Tag &amp; &lt;willkommen&gt;</h1>'), german.text);
  const shown = new Set();
  for (let number = 0; number < 12; number += 1) {
    const { text } = await visit("/", who(`visitor-${number}`));
    const [, arm] = text.match(/<h1 data-rapport-slot="hero"><b>(\w+)<\/b><\/h1>/);
    shown.add(arm);
    const { features, anonymousId, told, bundle } = hydration(text);
    assert.equal(features.hero.value.html, `<b>${arm}</b>`);
    assert.equal(anonymousId, `visitor-${number}`);
    assert.deepEqual(told, [], "the page tells it, once");
    assert.deepEqual(features.hero.seen, [{ event: "Experiment Viewed", properties: { experimentId: "hero-test", variationId: arm === "cold" ? "c" : "w", featureId: "hero", bundle } }]);
    const decided = await fetch(`${edge.url}/v1/evaluate?key=${house.key}`, { method: "POST", body: JSON.stringify({ anonymousId: `visitor-${number}` }) });
    assert.equal((await decided.json()).features.hero.value.html, `<b>${arm}</b>`);
  }
  assert.deepEqual([...shown].sort(), ["cold", "warm"]);
});

test("changes of a page are made where twice is as good as once; nothing that runs gets in", async () => {
  const { text } = await visit("/shop", who("visitor-1"));
  const [link] = text.match(/<a [^>]*>/);
  assert.match(link, /id="buy"/);
  assert.match(link, /class="big warm"/);
  assert.match(link, /href="\/demo"/);
  assert.ok(!/onclick|onerror/.test(text.split("</head>")[1]) && text.includes(">good</div>"));
  assert.ok(text.includes('<p class="log">log</p>'), "what would be there twice is the page's script's");
  assert.ok((await visit("/", who("visitor-1"))).text.includes('<a id="buy" class="big" href="/buy">'), "on other pages nothing is changed");
});

test("the script tag and the data have the page's nonce, and a page with the tag gets no other", async () => {
  const tag = (text) => text.match(/<script async src="\/v1\/sdk\/[^>]*>/)?.[0] ?? "";
  assert.match(tag((await visit("/nonce")).text), /nonce="fromPage\+\/="/);
  assert.match(tag((await visit("/policy")).text), /nonce="fromHeader=="/);
  const plain = (await visit("/")).text;
  assert.equal(plain.split('id="rapport-hydration"').length, 2);
  assert.ok(plain.indexOf(tag(plain)) < plain.indexOf("</head>"));
  const tagged = (await visit("/tagged")).text;
  assert.equal(tag(tagged), "");
  assert.ok(tagged.includes("rapport-hydration"));
});

test("one visitor's page is nobody else's", async () => {
  const { headers } = await visit("/", who("visitor-1"));
  assert.equal(headers.get("cache-control"), "private, no-cache");
  assert.match(headers.get("vary"), /cookie/i);
  assert.notEqual(headers.get("etag"), '"site"');
  assert.equal(headers.get("set-cookie"), null);
  requests.length = 0;
  await visit("/", { ...who("visitor-1"), "if-none-match": '"site"' });
  assert.equal(requests[0].headers["if-none-match"], undefined, "what the browser has is another page");
  await Promise.all(Array.from({ length: 40 }, async (_, number) => {
    const { text } = await visit("/", who(`crowd-${number}-x`));
    assert.equal(hydration(text).anonymousId, `crowd-${number}-x`);
  }));
});

test("what is no page, not to be touched, or React's goes out as the site sent it", async () => {
  for (const path of ["/text", "/kept", "/off", "/next", "/gone"]) {
    const { text } = await visit(path, who("visitor-1"));
    const expected = path === "/gone" ? PAGE : pages[path][0];
    assert.equal(text, expected, path);
  }
  assert.equal((await visit("/kept")).headers.get("etag"), '"site"');
  assert.equal((await visit("/gone")).status, 404);
  const moved = await visit("/moved");
  assert.deepEqual([moved.status, moved.headers.get("location")], [302, "/shop"]);
  const other = await fetch(`${edge.url}/`, { headers: { accept: "*/*" } });
  assert.equal(await other.text(), PAGE, "scripts that fetch pages get the site's");
});

test("packed, stalling, long and broken pages come through", async () => {
  for (const path of ["/packed", "/stalls"]) {
    const { text } = await visit(path, { "accept-language": "de" });
    assert.ok(text.includes("Guten Tag"), path);
  }
  const long = await visit("/long", { "accept-language": "de" });
  assert.ok(long.text.length > 10_000_000 && long.text.endsWith("</html>"));
  assert.ok(long.text.includes('<h2 data-rapport-slot="hero">Guten Tag'));
  const broken = await visit("/broken", { "accept-language": "de" });
  assert.ok(broken.text.includes("Guten Tag"));
});

test("a page in another encoding stays in it", async () => {
  const answer = await fetch(`${edge.url}/latin`, { headers: { ...browser, "accept-language": "de" } });
  const bytes = Buffer.from(await answer.arrayBuffer());
  assert.ok(bytes.includes(Buffer.from("Caf\xe9", "latin1")));
});

test("an upload streams through, whatever its length", async () => {
  const body = Buffer.alloc(3_000_000, 7);
  const answer = await fetch(`${edge.url}/echo`, { method: "POST", body, headers: browser });
  assert.equal(await answer.text(), "3000000");
});

test("a forged or a huge cookie harms nobody", async () => {
  const names = [`rapport_${house.key}_id`, `rapport_${house.key}_consent`];
  for (const value of ["%", "null", "[1]", encodeURIComponent('{"anonymousId":"<script>"}'), "x".repeat(6_000), encodeURIComponent('{"anonymousId":7}')]) {
    const { status, text } = await visit("/", { cookie: names.map((name) => `${name}=${value}`).join("; ") });
    assert.equal(status, 200, value.slice(0, 20));
    assert.ok(text.includes("Hello"), value.slice(0, 20));
    assert.ok(!text.includes("<script>x") && hydration(text).anonymousId === undefined);
  }
});

test("who refuses personalization gets the site's content", async () => {
  const consent = `rapport_${house.key}_consent=${encodeURIComponent('{"personalization":false}')}`;
  const { text } = await visit("/", { cookie: `${who("visitor-1").cookie}; ${consent}`, "accept-language": "de" });
  assert.ok(text.includes(">Hello</h1>"));
});

test("a visitor without an id gets a cookie with one where the owner wants that", async () => {
  const other = await house.startEdge({ site: origin, visitorCookie: true, folder: undefined });
  try {
    const answer = await fetch(`${other.url}/`, { headers: browser });
    const text = await answer.text();
    const cookie = answer.headers.get("set-cookie");
    const { anonymousId } = hydration(text);
    assert.match(anonymousId, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.ok(decodeURIComponent(cookie).includes(anonymousId) && /SameSite=Lax/.test(cookie));
    const again = await (await fetch(`${other.url}/`, { headers: { ...browser, cookie: cookie.split(";")[0] } })).text();
    assert.equal(hydration(again).anonymousId, anonymousId);
    assert.equal(again.match(/<b>(\w+)<\/b>/)[1], text.match(/<b>(\w+)<\/b>/)[1]);
  } finally {
    await other.stop();
  }
});

test("an edge that cannot decide lets the site's page through, and counts it", async () => {
  const folder = `${process.env.TMPDIR ?? "/tmp"}/rapport-edge-faulty-${process.pid}`;
  const other = await house.startEdge({ site: origin, folder, publicKey: Buffer.alloc(32, 1).toString("base64") });
  try {
    const answer = await fetch(`${other.url}/`, { headers: { ...browser, "accept-language": "de" } });
    assert.equal(await answer.text(), PAGE);
    const { faults, fault } = await (await fetch(`${other.url}/health`)).json();
    assert.ok(faults >= 1 && typeof fault === "string");
  } finally {
    await other.stop();
  }
});
