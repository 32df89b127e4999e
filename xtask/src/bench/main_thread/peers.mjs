// Other trackers from npm, as their sites install them, against an endpoint that takes everything.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { homedir } from "node:os";
import { join } from "node:path";
import * as esbuild from "../../../../sdk-js/node_modules/esbuild/lib/main.js";

/** Where it counts, the package, and the script that a site loads, with what the site says to it. */
const PEERS = {
  umami: { door: "/api/send", package: "umami@2.10.0", tag: 'data-website-id="site"', script: (folder) => minified(folder, "", "src/tracker/index.js", { __COLLECT_API_HOST__: '""', __COLLECT_API_ENDPOINT__: '"/api/send"' }) },
  plausible: {
    door: "/api/event",
    package: "@plausible-analytics/tracker@0.4.6",
    script: (folder, origin) => minified(folder, `import { init } from "./plausible.js"; init({ domain: "site", endpoint: "${origin}/api/event", captureOnLocalhost: true });`),
  },
  posthog: {
    door: "/e/",
    package: "posthog-js@1.449.2",
    script: async (folder, origin) => `window.posthog = Object.assign([], { _i: [["phc_site", { api_host: "${origin}", opt_out_useragent_filter: true }, "posthog"]], __SV: 1 });${await readFile(join(folder, "dist/array.js"), "utf8")}`,
  },
};

async function minified(folder, contents, entry, define = {}) {
  const from = entry ? { entryPoints: [join(folder, entry)] } : { stdin: { contents, resolveDir: folder } };
  const { outputFiles } = await esbuild.build({ ...from, define, bundle: true, minify: true, format: "iife", write: false });
  return outputFiles[0].text;
}

/** The peers that can be had, each with its tag and its origin; `asked` are their requests; `close` when done. */
export async function startPeers() {
  const scripts = {};
  const asked = new Set();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    asked.add(`${request.method} ${pathname}`);
    const type = scripts[pathname] || pathname.endsWith(".js") ? "text/javascript" : "application/json";
    response.writeHead(200, { "content-type": type, "access-control-allow-origin": request.headers.origin ?? "*", "access-control-allow-headers": "*", "access-control-allow-credentials": "true" });
    response.end(scripts[pathname] ?? (type.endsWith("json") ? "{}" : ""));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  const peers = [];
  for (const [name, peer] of Object.entries(PEERS)) {
    try {
      const script = await peer.script(fetched(await cache(), peer.package), origin);
      scripts[`/${name}.js`] = script;
      peers.push({ name, origin, door: peer.door, tag: `<script async src="${origin}/${name}.js" ${peer.tag ?? ""}></script>` });
    } catch (error) {
      console.error(`without ${name}: ${error.message}`);
    }
  }
  return { peers, asked, close: () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections(); }) };
}

async function cache() {
  const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "rapport/npm");
  await mkdir(folder, { recursive: true });
  return folder;
}

/** Where the package lies, without what it depends on. */
function fetched(folder, name) {
  const own = join(folder, name.replaceAll("/", "-"));
  if (!existsSync(own)) {
    const archive = execFileSync("npm", ["pack", "--silent", name], { cwd: folder, encoding: "utf8" }).trim();
    execFileSync("sh", ["-c", 'mkdir "$1.new" && tar -xzf "$2" -C "$1.new" --strip-components=1 && mv "$1.new" "$1" && rm "$2"', "sh", own, archive], { cwd: folder });
  }
  return own;
}
