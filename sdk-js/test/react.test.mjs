// React's hooks and components as a server renders them; in the page they are tested by examples/nextjs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createElement as h } from "react";
import { renderToString } from "react-dom/server";
import { RapportProvider, Seen, Slot, useFeature, useScore, useSlot } from "../dist/react.js";
import { testHydration } from "../dist/testing.js";

const render = (features, child, verdict) => renderToString(h(RapportProvider, { hydration: testHydration(features, verdict) }, child));
const Show = ({ what }) => JSON.stringify(what());

test("a slot shows its content, or what stands in it", () => {
  const slot = (content, children = "default") => render(content === undefined ? {} : { hero: content }, h(Slot, { name: "hero" }, children));
  assert.equal(slot(undefined), "default");
  assert.equal(slot(null), "default");
  assert.equal(slot("no content"), "default");
  assert.equal(slot({ type: "text", text: "<b>&" }), "&lt;b&gt;&amp;");
  assert.equal(slot({ type: "html", html: "<b>bold</b>" }), '<div data-rapport-shown="hero"><b>bold</b></div>');
  assert.equal(slot({ type: "json", json: { plan: "team" } }, (json) => json?.plan ?? "none"), "team");
  assert.equal(slot(undefined, (json) => json?.plan ?? "none"), "none");
});

test("hooks say what the server decided", () => {
  const show = (what) => render({ hero: "bold", none: null }, h(Show, { what }), { score: 82 }).replaceAll("&quot;", '"');
  assert.equal(show(() => [useFeature("hero", "plain"), useFeature("none", "plain"), useFeature("unknown", 7), useScore()]), '["bold","plain",7,82]');
  assert.equal(show(() => [useSlot("hero") ?? "no slot"]), '["no slot"]');
  assert.equal(render({ hero: "bold" }, h(Seen, { name: "hero" })), "");
});

test("without a provider the reason is said", () => {
  assert.throws(() => renderToString(h(Seen, { name: "hero" })), /no RapportProvider above/);
});
