// Slots and changes of the page: what is decided is shown, kept, told once, and goes back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decision, visit } from "../site/chromium.mjs";
import { LATER } from "../site/site.mjs";
import { stage } from "../site/stage.mjs";
import { settled, viewed } from "../site/wait.mjs";

const timeout = 60_000;
const page = (body, settings = {}) => `<!doctype html><title>page</title><script async src="{{SDK_URL}}" data-rapport='${JSON.stringify(settings)}'></script>${body}`;
const rule = (value, condition) => ({ force: value, ...(condition ? { condition } : {}) });
const feature = (...rules) => ({ defaultValue: null, rules });
const half = (key, variations, more = {}) => ({ key, variations, hashAttribute: "id", weights: variations.map(() => 1 / variations.length), ...more });
/** All get the second variation. */
const second = (key, variations, more) => half(key, variations, { weights: [0, 1], ...more });
const one = (selector, attribute, value, action = "set", more = {}) => ({ selector, attribute, action, value, ...more });
const on = (path) => [{ include: true, type: "simple", pattern: path }];

const HOSTILE = `<p>Good<script>bad=1</script><img src=x onerror="bad=2"><svg viewBox="0 0 1 1"><path d="M0 0"/><script>bad=3</script><use href="data:image/svg+xml,x"/><animate attributeName=href values=javascript:bad=4 /></svg>
<a href="&#106;avascript:bad=5">a</a><a href=" java\tscript:bad=6">b</a><form action="javascript:bad=7"><button formaction=javascript:bad=8>c</button></form><i title="a > b" style="color: red">styled</i> 1 &lt; 2 style = x<iframe srcdoc="<script>parent.bad=9</script>"></iframe>
<math><mtext></form><form><mglyph><style></math><img src onerror=bad=10></style></mglyph></form></mtext></math><style>*{display:none}</style><base href=//evil.test><meta http-equiv=refresh content="0;url=//evil.test"><object data=//evil.test></object><embed src=//evil.test><template><script>bad=11</script></template><noscript><p title="</noscript><img src=x onerror=bad=12>"></noscript><body onload=bad=13>
<div data-rapport-slot="hostile">again</div><x-y onclick=bad=14>custom</x-y></p>`.replaceAll("\n", "");
const flags = {
  features: {
    hero: feature(rule({ type: "text", text: "For known visitors" }, { path: { $in: ["/slots", "/later", "/strict"] } })),
    rich: feature(rule({ type: "html", html: '<b style="color: rgb(1, 2, 3)">Rich</b> <a href="/pricing" onclick="window.bad = 1">prices</a><script>window.bad = 2</script><img src="x" onerror="window.bad = 3">' })),
    card: feature(rule({ type: "json", json: { title: "A title", link: { text: "Go", href: "/go" }, bad: { href: "javascript:window.bad = 4" } } })),
    hot: feature(rule({ type: "text", text: "Talk to us" }, { $score: { $gte: 20 } })),
    tried: feature({ ...second("tried", [null, { type: "text", text: "Tried" }]), id: "r1" }),
    nothing: feature(),
    hostile: feature(rule({ type: "html", html: HOSTILE })),
    plain: { defaultValue: "off", rules: [rule("on", { utmSource: "ads" })] },
  },
  experiments: [
    second("changes", [{}, { domMutations: [one("h1", "html", "<i>New</i> title"), one("h1", "class", "loud", "append"), one("#cta", "href", "/demo"), one("p", "style", "color: rgb(4, 5, 6)", "append"), one("#last", "position", "", "set", { parentSelector: "main", insertBeforeSelector: "h1" })], css: "h1 { letter-spacing: 3px }" }], { urlPatterns: on("/changes*") }),
    second("fight", [{}, { domMutations: [one("#fought", "text", "ours")] }], { urlPatterns: on("/fight*") }),
    second("bad", [{}, { domMutations: [one("h1[", "text", "x"), one("#here", "onclick", "alert(1)"), one("a", "href", "java\nscript:alert(1)"), one("*", "html", "gone"), one("body", "html", "gone"), one("script", "src", "/bad.js"), one("p", "explode", "x", "burst"), 7, null, one("p", "html", "<p>more</p>", "append"), one("p", "html", "x".repeat(300_000)), one("#here", "position", "", "set", { parentSelector: "#here b" })], js: "window.bad = 9" }], { urlPatterns: on("/bad*") }),
  ],
};
const { browser, site } = await stage({
  later: LATER,
  flags,
  pages: {
    "/slots": page('<h1>Home</h1><div data-rapport-slot="hero">Hello</div><div data-rapport-slot="rich">Plain</div><div data-rapport-slot="nothing">Default</div><div data-rapport-slot="card"><h2 data-rapport-field="title">Old</h2><a data-rapport-field="link" href="/old">Old</a><a data-rapport-field="bad" href="/kept">Kept</a></div>'),
    "/hostile": page('<div data-rapport-slot="hostile">Default</div>'),
    "/changes": page('<main><h1 class="quiet">Old title</h1><p style="margin: 1px">Text</p><a id="cta" href="/old">Go</a></main><footer><span id="last">Last</span><em>end</em></footer>'),
    "/score": page('<div data-rapport-slot="hot">Read on</div>'),
    "/tried": page('<div style="height: 3000px">far</div><div data-rapport-slot="tried">Untried</div>'),
    "/later": page("<main></main>"),
    "/strict": page('<div data-rapport-slot="hero">Hello</div>', { consent: { mode: "strict" } }),
    "/fight": page('<div id="fought">theirs</div>'),
    "/bad": page('<h1>Title</h1><a id="here" href="/fine">Fine <b>b</b></a><p>one</p><p>two</p>'),
    "/elsewhere": page("<h1>Elsewhere</h1>"),
  },
});

async function open(path, options) {
  const page = await visit(browser, `${site.url}${path}`, options);
  await page.waitForFunction(() => window.rapport?.decide);
  return page;
}
const texts = (page, ...selectors) => page.evaluate((selectors) => selectors.map((selector) => document.querySelector(selector)?.textContent), selectors);
const consent = (page, choice) => page.evaluate((choice) => window.rapport.consent(choice), choice);

test("slots show text, HTML without code, and JSON in their fields; what nobody decides stays", { timeout }, async () => {
  const page = await open("/slots");
  assert.deepEqual(await texts(page, "[data-rapport-slot=hero]", "[data-rapport-slot=nothing]", "h2", "h2 + a", "h2 + a + a"), ["For known visitors", "Default", "A title", "Go", "Kept"]);
  const rich = await page.evaluate(() => {
    const slot = document.querySelector("[data-rapport-slot=rich]");
    return { html: slot.innerHTML, color: getComputedStyle(slot.querySelector("b")).color };
  });
  assert.equal(rich.html, '<b style="color: rgb(1, 2, 3);">Rich</b> <a href="/pricing">prices</a><img src="x">');
  assert.equal(rich.color, "rgb(1, 2, 3)");
  assert.deepEqual(await page.evaluate(() => [...document.querySelectorAll("h2 ~ a")].map((a) => a.getAttribute("href"))), ["/go", "/kept"]);
  assert.equal(await page.evaluate(() => window.bad), undefined);
  assert.deepEqual(page.errors, []);
});

for (const old of [false, true]) {
  test(`HTML comes in without code${old ? ", in a browser without a safe reader too" : ""}`, { timeout }, async () => {
    const context = await browser.newContext();
    if (old) await context.addInitScript(() => { delete Element.prototype.setHTML; });
    const page = await open("/hostile", { context });
    const { html, bad } = await page.evaluate(async () => {
      // Whatever runs late has run by then.
      await new Promise((resolve) => { const image = new Image(); image.onerror = resolve; image.src = "data:,"; });
      return { html: document.querySelector("[data-rapport-slot]").innerHTML, bad: window.bad };
    });
    assert.equal(bad, undefined);
    assert.doesNotMatch(html, /script|on\w+=|iframe|srcdoc|style>|meta|base|object|embed|data-rapport|expression|template|use|animate/i);
    assert.match(html, /Good.*<svg viewBox="0 0 1 1"><path d="M0 0"><\/path><\/svg>.*<i title="a &gt; b" style="color: red;">styled<\/i>.*1 &lt; 2 style = x/);
    assert.deepEqual(page.errors, []);
  });
}

test("a slot that comes later is filled before it is seen, and the site hears what it shows", { timeout }, async () => {
  const page = await open("/later");
  const seen = await page.evaluate(async () => {
    const heard = [];
    addEventListener("rapport:slot", ({ detail }) => heard.push(detail));
    document.querySelector("main").innerHTML = '<div data-rapport-slot="hero">Default</div>';
    await new Promise((resolve) => requestAnimationFrame(resolve));
    return { text: document.querySelector("main").textContent, heard };
  });
  assert.deepEqual(seen, { text: "For known visitors", heard: [{ slot: "hero", content: { type: "text", text: "For known visitors" } }] });
});

test("whoever tells what a visitor saw, it is told once a page: React, a server before it, and what is shown here", { timeout }, async () => {
  const page = await open("/tried");
  const view = { experimentId: "tried", variationId: "1", featureId: "tried" };
  const tell = (...calls) => page.evaluate((calls) => window.rapport.push(...calls), calls);
  await tell(["track", "Experiment Viewed", view], ["seen", [JSON.stringify(["other", "0", null])]], ["track", "Experiment Viewed", { experimentId: "other", variationId: "0" }]);
  await page.evaluate(() => document.querySelector("[data-rapport-slot]").scrollIntoView());
  await page.waitForFunction(() => document.querySelector("[data-rapport-slot]").textContent === "Tried");
  await page.evaluate(() => window.rapport.slot("tried"));
  await tell(["track", "Experiment Viewed", view], ["track", "Experiment Viewed", { experiment_id: "theirs" }], ["track", "Experiment Viewed", { experiment_id: "theirs" }]);
  await settled(page);
  const told = (await viewed(site, page, 3)).map(({ experimentId, experiment_id }) => experimentId ?? experiment_id);
  assert.deepEqual(told, ["tried", "theirs", "theirs"]);
  // Of a new visitor it is told anew.
  await page.evaluate(() => window.rapport.reset());
  await tell(["track", "Experiment Viewed", view]);
  await settled(page);
  assert.equal((await viewed(site, page, 1))[0].experimentId, "tried");
});

test("a slot changes when the score passes what it waits for", { timeout }, async () => {
  const page = await open("/score");
  await decision(page);
  assert.deepEqual(await texts(page, "[data-rapport-slot=hot]"), ["Read on"]);
  await page.evaluate(() => window.rapport.track("Form Submitted", { form: "demo" }));
  await page.waitForFunction(() => document.querySelector("[data-rapport-slot=hot]").textContent === "Talk to us");
  await page.evaluate(() => window.rapport.reset());
  await page.waitForFunction(() => document.querySelector("[data-rapport-slot=hot]").textContent === "Read on");
});

test("changes of the page hold against a framework, and go back when personalization is withdrawn", { timeout }, async () => {
  const page = await open("/changes");
  const state = () => page.evaluate(() => ({
    h1: document.querySelector("h1").innerHTML,
    classes: document.querySelector("h1").className,
    spacing: getComputedStyle(document.querySelector("h1")).letterSpacing,
    href: document.querySelector("#cta").getAttribute("href"),
    style: document.querySelector("p").getAttribute("style"),
    main: [...document.querySelector("main").children].map(({ localName }) => localName).join(),
    footer: [...document.querySelector("footer").children].map(({ localName }) => localName).join(),
  }));
  const changed = { h1: "<i>New</i> title", classes: "quiet loud", spacing: "3px", href: "/demo", style: "margin: 1px; color: rgb(4, 5, 6);", main: "span,h1,p,a", footer: "em" };
  assert.deepEqual(await state(), changed);
  // What a framework does when it renders again.
  await page.evaluate(async () => {
    document.querySelector("h1").innerHTML = "Newer title";
    document.querySelector("h1").className = "quiet open";
    document.querySelector("#cta").href = "/newer";
    await Promise.resolve();
  });
  await page.waitForFunction(() => document.querySelector("h1").innerHTML === "<i>New</i> title");
  assert.deepEqual(await state(), { ...changed, classes: "quiet open loud" });
  await consent(page, { personalization: false });
  assert.deepEqual(await state(), { h1: "Newer title", classes: "quiet open", spacing: "normal", href: "/newer", style: "margin: 1px;", main: "h1,p,a", footer: "span,em" });
  await consent(page, { personalization: true });
  assert.equal((await state()).h1, "<i>New</i> title");
  assert.deepEqual(page.errors, []);
});

test("a page that fights back is left alone, lives on, and it is reported", { timeout }, async () => {
  const page = await open("/fight");
  assert.deepEqual(await texts(page, "#fought"), ["ours"]);
  const found = await page.evaluate(async () => {
    const element = document.querySelector("#fought");
    // Two that would answer one another for ever, in the same moment.
    new MutationObserver(() => element.textContent === "theirs" || (element.textContent = "theirs")).observe(element, { childList: true, characterData: true, subtree: true });
    element.textContent = "theirs";
    let quiet = 0;
    for (let last = ""; quiet < 40; ) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
      const text = element.textContent;
      quiet = text === last && text === "theirs" ? quiet + 1 : 0;
      last = text;
    }
    return { text: element.textContent, problems: window.rapport.explain().why.filter(({ kind }) => kind === "problem").map(({ why }) => why) };
  });
  assert.equal(found.text, "theirs");
  assert.match(found.problems.join(), /#fought.*left as the page wants it/);
});

test("a page that makes its elements anew each time is left alone too", { timeout }, async () => {
  const page = await open("/fight");
  const problems = await page.evaluate(async () => {
    const observer = new MutationObserver(() => {
      const element = document.querySelector("#fought");
      if (element.textContent !== "theirs") element.replaceWith(Object.assign(document.createElement("div"), { id: "fought", textContent: "theirs" }));
    });
    observer.observe(document.body, { childList: true, subtree: true });
    document.querySelector("#fought").textContent = "x";
    const wrong = () => window.rapport.explain().why.filter(({ kind }) => kind === "problem").map(({ why }) => why);
    while (wrong().length === 0) await new Promise((resolve) => requestAnimationFrame(resolve));
    return wrong();
  });
  assert.match(problems.join(), /#fought.*new elements again and again/);
});

test("hostile selectors and values do nothing, each is reported, and the rest works", { timeout }, async () => {
  const page = await open("/bad");
  assert.deepEqual(await texts(page, "h1", "#here"), ["gone", "gone"]);
  const state = await page.evaluate(() => ({ bad: window.bad, href: document.querySelector("#here").getAttribute("href"), handler: document.querySelector("#here").getAttribute("onclick"), body: document.body !== null && document.head !== null, script: document.querySelector("script").src.includes("/v1/sdk/") }));
  assert.deepEqual(state, { bad: undefined, href: "/fine", handler: null, body: true, script: true });
  const problems = await page.evaluate(() => window.rapport.explain().why.filter(({ kind }) => kind === "problem").map(({ why }) => why).join("\n"));
  for (const part of ["h1[", "onclick", "href", "burst", "needs a selector", "too long", "scripts are not allowed"]) assert.ok(problems.includes(part), `${part} in ${problems}`);
  assert.deepEqual(page.errors, []);
});

test("an exposure is told once, and only when its slot is seen", { timeout }, async () => {
  const page = await open("/tried");
  await settled(page);
  assert.deepEqual(await viewed(site, page), []);
  assert.deepEqual(await texts(page, "[data-rapport-slot=tried]"), ["Tried"]);
  await page.evaluate(() => document.querySelector("[data-rapport-slot=tried]").scrollIntoView());
  await viewed(site, page, 1);
  await page.evaluate(() => { scrollTo(0, 0); window.rapport.feature("tried"); window.rapport.identify("user-1"); document.querySelector("[data-rapport-slot=tried]").scrollIntoView(); });
  await settled(page);
  assert.deepEqual(await viewed(site, page), [{ experimentId: "tried", variationId: "1", featureId: "tried" }]);
});

test("who refuses personalization sees what everybody sees, and nothing is told", { timeout }, async () => {
  const page = await open("/strict");
  assert.deepEqual(await texts(page, "[data-rapport-slot=hero]"), ["Hello"]);
  await consent(page, { analytics: true, profiling: true });
  assert.deepEqual(await texts(page, "[data-rapport-slot=hero]"), ["Hello"]);
  await consent(page, { personalization: true });
  assert.deepEqual(await texts(page, "[data-rapport-slot=hero]"), ["For known visitors"]);
  await consent(page, { personalization: false });
  assert.deepEqual(await texts(page, "[data-rapport-slot=hero]"), ["Hello"]);
  assert.deepEqual(await page.evaluate(() => window.rapport.decide().slots), {});
  await settled(page);
  assert.deepEqual(await viewed(site, page), []);
});

test("calls made before anything was there are answered", { timeout }, async () => {
  const context = await browser.newContext();
  await context.addInitScript(() => {
    window.rapport = [["decide", (decided) => { window.decided = decided; }]];
  });
  const page = await open("/slots?utm_source=ads", { context });
  await page.waitForFunction(() => window.decided);
  const { features, slots, why } = await page.evaluate(() => window.decided);
  assert.equal(features.plain, "on");
  assert.deepEqual(Object.keys(slots).sort(), ["card", "hero", "nothing", "rich"]);
  assert.ok(why.every(({ why }) => why));
  assert.equal(await page.evaluate(() => window.rapport.feature("unheard of", 7)), 7);
});
