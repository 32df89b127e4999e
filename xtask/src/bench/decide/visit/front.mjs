// What stands before a site: TLS, HTTP/2 and compression, at the far end of a slow line; a process of its own.
// node front.mjs CERTIFICATE KEY SCRIPT → the site's origins: pages of `same` load the SDK below the site's own path `/r`,
// those of `named` too, and name in their head what it needs; those of `cross` load it from another origin. `SCRIPT` is
// where the backend has it.
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { createSecureServer } from "node:http2";
import { brotliCompressSync, constants } from "node:zlib";
import { headOf } from "../../../../../sdk-js/dist/server.js";
import { demoPage } from "../../../../../sdk-js/test/site/site.mjs";
import { startLine } from "./line.mjs";

const [certificate, key, script] = process.argv.slice(2);
const { origin: backend, pathname } = new URL(script);
const config = await (await fetch(script.replace(/js$/, "json"))).json();
const agent = new Agent({ keepAlive: true });
/** What one hop says to the next. */
const HOP = /^(connection|keep-alive|transfer-encoding|content-length|upgrade|:.*)$/;
const OWN = "/r";
/** As servers pack what they have not packed ahead of time. */
const QUICKLY = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };

const apart = `https://rapport.test:${await open((stream, asked) => forward(stream, asked, asked[":path"]))}`;
const port = await open(async (stream, asked) => {
  const { ":path": path, ":authority": host } = asked;
  if (path.startsWith(`${OWN}/`)) return forward(stream, asked, path.slice(OWN.length));
  if (path.startsWith("/assets/")) return respond(stream, 200, { "content-type": path.endsWith(".css") ? "text/css" : "text/javascript" }, asset(path));
  const html = await page(path, host);
  respond(stream, 200, { "content-type": "text/html; charset=utf-8", "cache-control": "no-cache" }, Buffer.from(html));
});
const origins = ["same", "named", "cross"].map((name) => [name, `https://${name}.test:${port}/`]);
console.log(JSON.stringify(Object.fromEntries(origins)));
process.stdin.resume().on("end", () => process.exit());

async function open(answer) {
  const server = createSecureServer({ cert: readFileSync(certificate), key: readFileSync(key) });
  server.on("stream", (stream, asked) => {
    // Who leaves a page gives up what it asked for.
    stream.on("error", () => undefined);
    void answer(stream, asked);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return startLine(server.address().port);
}

/** A page of the demo's website, without the panel, which is for people who look into it. */
async function page(path, host) {
  const endpoint = host.startsWith("cross") ? apart : OWN;
  const html = await demoPage(path, script);
  const tag = host.startsWith("named")
    ? headOf(config, { endpoint })
    : `<script async src="${endpoint}${pathname}" data-rapport='{"endpoint":"${endpoint}"}'></script>`;
  const tagged = html.replace(`<script async src="${script}" data-inspector></script>`, tag);
  if (tagged === html) throw new Error("the demo's layout has no tag of ours");
  return tagged;
}

function asset(path) {
  return readFileSync(new URL(`../../../../../examples/demo-site${path}`, import.meta.url));
}

function forward(stream, asked, path) {
  const there = request(backend + path, { agent, method: asked[":method"], headers: kept(asked) }, async (answer) => {
    respond(stream, answer.statusCode, kept(answer.headers), Buffer.concat(await answer.toArray()));
  });
  there.on("error", () => stream.close());
  stream.pipe(there);
}

function respond(stream, status, headers, body) {
  if (stream.destroyed) return;
  const packed = !headers["content-encoding"] && /text|json/.test(headers["content-type"]);
  stream.respond({ ":status": status, ...headers, ...(packed ? { "content-encoding": "br" } : {}) });
  stream.end(packed ? brotliCompressSync(body, QUICKLY) : body);
}

function kept(headers) {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP.test(name)));
}
