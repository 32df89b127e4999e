// A model that the workspace brought and that only the server runs: a page says of it what the server says.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { launch } from "../site/chromium.mjs";
import { startServer } from "../site/serve.mjs";

const timeout = 120_000;
const CARD = {
  name: "visits",
  bands: { not_below: 0.25, qualified_from: 0.45 },
  signals: ["pricing_views", "page_views"].map((name) => ({ name, missing: 0 })),
  background: [[0, 1], [1, 4]],
};
let server, site, url, browser;

before(async () => {
  [server, browser] = await Promise.all([startServer(), launch()]);
  const file = await readFile(new URL("../../../conformance/brought/visits.wasm", import.meta.url), "base64");
  await server.ask("POST", "/v1/models", { card: CARD, file });
  await server.ask("POST", "/v1/models/visits/promote", {});
  site = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end(`<!doctype html><title>page</title><script async src="${server.url}/v1/sdk/${server.key}.js"></script>`);
  });
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${site.address().port}`;
}, { timeout });

after(async () => {
  await browser?.close();
  site?.close();
  site?.closeAllConnections();
  await server?.close();
});

/** What a new visitor's page makes of the server's answer, which `changed` may change on its way. */
async function decided(changed = (said) => said) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const answers = [];
  await page.route("**/v1/decide", async (route) => {
    const response = await route.fetch();
    const said = changed(await response.json());
    answers.push(said);
    await route.fulfill({ response, json: said });
  });
  await page.goto(`${url}/pricing`);
  await page.waitForFunction(() => window.rapport?.decision);
  const { score, probability, band, base, reasons, rest, scoredBy, fault, source } = await page.evaluate(() => window.rapport.decision);
  await context.close();
  return { answers, said: { score, probability, band, base, reasons, rest, scoredBy, fault }, source };
}

/** The members of an answer that a page keeps. */
const kept = ({ score, probability, band, base, reasons, rest, scoredBy, fault }) => ({
  score, probability, band, base, rest, scoredBy, fault,
  reasons: reasons.map(({ signal, text, points, error }) => ({ signal, text, points, ...(error === undefined ? {} : { error }) })),
});

const isAmong = (said, answers) => assert.ok(answers.some((answer) => JSON.stringify(answer) === JSON.stringify(said)), `${JSON.stringify(said)} among ${JSON.stringify(answers)}`);
const sorted = (said) => Object.fromEntries(Object.entries(said).sort(([one], [other]) => (one < other ? -1 : 1)));

test("a page says who scored, and how far its reasons may be off", { timeout }, async () => {
  const { answers, said, source } = await decided();
  isAmong(sorted(said), answers.map((answer) => sorted(kept(answer))));
  assert.equal(source, "server");
  assert.equal(said.scoredBy, "visits");
  assert.equal(said.fault, undefined);
  assert.ok(said.reasons.length > 0);
  for (const { error } of said.reasons) assert.equal(typeof error, "number");
});

test("a page says what went wrong with the model that did not score", { timeout }, async () => {
  const { said } = await decided((answer) => ({ ...answer, scoredBy: "leads", fault: "time" }));
  assert.deepEqual([said.scoredBy, said.fault], ["leads", "time"]);
});

test("a page takes no name of a model, no fault and no error that is none", { timeout }, async () => {
  const { said } = await decided((answer) => ({ ...answer, scoredBy: 1, fault: {}, reasons: answer.reasons.map((reason) => ({ ...reason, error: "2" })) }));
  assert.deepEqual([said.scoredBy, said.fault], [undefined, undefined]);
  for (const reason of said.reasons) assert.ok(!("error" in reason));
});
