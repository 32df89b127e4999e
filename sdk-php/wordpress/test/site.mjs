// A real WordPress for the tests: its own database, its own folder, a page cache, and a Rapport server beside it.
import { execFile, spawn } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startServer } from "../../../sdk-js/test/site/serve.mjs";
import { until } from "../../../sdk-js/test/site/wait.mjs";

const run = promisify(execFile);
const here = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const WORDPRESS = "/usr/share/wordpress";
export const SECRET = "is_live_of_the_test";

/** What the workspace shows. */
const AUTHORED = [
  ["experiences", "hero-test", { slot: "hero", variations: [{ type: "html", html: "<h1>Warm</h1>" }, { type: "text", text: "Cold & clear" }] }],
  ["features", "note", { defaultValue: "A note for you" }],
];

/** Starts all of it; `close` ends what was started, by its id. */
export async function start() {
  const folder = await mkdtemp(join(tmpdir(), "rapport-wordpress-"));
  const children = [];
  let rapport;
  const close = async () => {
    for (const child of children.reverse()) {
      if ((child.exitCode ?? child.signalCode) !== null) continue;
      const ended = new Promise((resolve) => child.once("exit", resolve));
      // PHP's web server has workers, which do not end with it: each child leads a group of its own.
      process.kill(-child.pid);
      await ended;
    }
    await rapport?.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    rapport = await rapportServer();
    await database(folder, children);
    const root = await install(folder, rapport);
    const url = await webServer(folder, root, children);
    return { url, root, rapport, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A server that shows what is authored here. */
async function rapportServer() {
  const server = await startServer();
  try {
    const asked = async () => (await fetch(`${server.url}/ofrep/v1/evaluate/flags`, { method: "POST", headers: { authorization: `Bearer ${server.key}` }, body: "{}" })).text();
    for (const authored of AUTHORED) await server.author(...authored);
    await until(async () => /"hero".*"note"/.test(await asked()), "the slots are published");
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

async function database(folder, children) {
  const data = join(folder, "data");
  await mkdir(data);
  // The server gives up being root, and the folder belongs to whom it becomes.
  const user = process.getuid() === 0 ? ["--user=mysql"] : [];
  await chmod(folder, 0o755);
  if (user.length > 0) await run("chown", ["mysql", data]);
  await run("mariadb-install-db", ["--no-defaults", `--datadir=${data}`, "--auth-root-authentication-method=normal", "--skip-test-db", ...user]);
  const settings = ["--skip-networking", "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", `--pid-file=${data}/pid`];
  const server = spawn("mariadbd", ["--no-defaults", `--datadir=${data}`, `--socket=${data}/sock`, ...settings, ...user], { stdio: "ignore", detached: true });
  children.push(server);
  const ask = (...question) => run("mariadb", ["--no-defaults", `--socket=${data}/sock`, "-uroot", ...question]);
  await until(() => ask("-e", "SELECT 1").catch(() => false), "the database answers", 60);
  await ask("-e", "CREATE DATABASE wordpress CHARACTER SET utf8mb4");
}

async function install(folder, { url, key }) {
  const root = join(folder, "site");
  await mkdir(root);
  for (const name of await readdir(WORDPRESS)) {
    if (/^wp-(admin|includes)$|^(?!wp-config)[\w-]+\.php$/.test(name)) await cp(join(WORDPRESS, name), join(root, name), { recursive: true, dereference: true });
  }
  const content = join(root, "wp-content");
  await mkdir(join(content, "themes/plain"), { recursive: true });
  await run("php", [here("../pack"), join(content, "plugins/rapport")]);
  await writeFile(join(content, "themes/plain/style.css"), "/* Theme Name: Plain */");
  await cp(here("theme.php"), join(content, "themes/plain/index.php"));
  await cp(here("policy.php"), join(content, "mu-plugins/policy.php"));
  await cp(here("advanced-cache.php"), join(content, "advanced-cache.php"));
  await writeFile(join(root, "wp-config.php"), (await config(folder)).trimStart());
  const settings = JSON.stringify({ server: url, key, secret: SECRET, mode: "page" });
  await run("php", [here("install.php"), root, settings]);
  return root;
}

async function config(folder) {
  return `
<?php
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:${folder}/data/sock');
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $name) {
    define("{$name}_KEY", "$name of the test");
    define("{$name}_SALT", "$name of the test");
}
define('WP_HOME', 'http://' . ($_SERVER['HTTP_HOST'] ?? 'site.test'));
define('WP_SITEURL', WP_HOME);
define('WP_CACHE', true);
define('WP_DEBUG', true);
define('WP_DEBUG_DISPLAY', false);
define('WP_DEBUG_LOG', '${folder}/wordpress.log');
define('DISABLE_WP_CRON', true);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('WP_ACCESSIBLE_HOSTS', '127.0.0.1');
define('AUTOMATIC_UPDATER_DISABLED', true);
$table_prefix = 'wp_';
defined('ABSPATH') || define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
`;
}

async function webServer(folder, root, children) {
  const server = spawn("php", ["-d", "opcache.enable_cli=1", "-S", "127.0.0.1:0", "-t", root], {
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
    env: { ...process.env, PHP_CLI_SERVER_WORKERS: "4" },
  });
  children.push(server);
  for await (const line of createInterface({ input: server.stderr })) {
    const port = line.match(/http:\/\/127\.0\.0\.1:(\d+)/)?.[1];
    if (port) {
      server.stderr.resume();
      return `http://127.0.0.1:${port}`;
    }
  }
  throw new Error("php serves nothing");
}
