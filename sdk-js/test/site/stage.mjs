// What most files of tests stand on: one browser and one site, both empty for each test.
import { after, afterEach } from "node:test";
import { launch } from "./chromium.mjs";
import { startSite } from "./site.mjs";

/** Starts both, with `options` for the site, and takes them down behind the last test. */
export async function stage(options) {
  const browser = await launch();
  after(() => browser.close());
  const site = await startSite(options);
  after(() => site.close());
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    site.clear();
  });
  return { browser, site };
}
