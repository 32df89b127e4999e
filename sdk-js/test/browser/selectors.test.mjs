// What the inspector calls an element: a name that outlives the site's next release, and means nothing else.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { launch } from "../site/chromium.mjs";
import { firefox, launchFirefox } from "../site/firefox.mjs";

const entry = fileURLToPath(new URL("../../src/inspector/selector.ts", import.meta.url));
const { outputFiles } = await esbuild.build({ entryPoints: [entry], bundle: true, format: "iife", globalName: "selectors", write: false });
const module = outputFiles[0].text;

/** Markup as these tools write it; `data-want` of an element is what it is to be called. */
const PAGES = {
  "what authors put there to be found by": `
    <main id="main"><div data-rapport-slot="hero" data-want='div[data-rapport-slot="hero"]'><h1 id="headline" data-want="#headline">Hello</h1></div>
    <button data-testid="buy" class="css-1x2y3z" data-want='button[data-testid="buy"]'>Buy</button>
    <ul data-testid="plans"><li>One</li><li data-want='ul[data-testid="plans"] > li:nth-of-type(2)'>Two</li></ul>
    <div data-testid="card"><a href="/a">a</a></div><div data-testid="card"><a href="/b" data-want="#main > div:nth-of-type(3) > a">b</a></div></main>`,
  Bootstrap: `
    <nav class="navbar navbar-expand-lg bg-body-tertiary" data-want="nav.navbar"><div class="container-fluid"><a class="navbar-brand" href="/" data-want="a.navbar-brand">Acme</a>
    <ul class="navbar-nav me-auto mb-2 mb-lg-0"><li class="nav-item"><a class="nav-link active" href="/">Home</a></li><li class="nav-item" data-want="ul.navbar-nav > li:nth-of-type(2)"><a class="nav-link" href="/p">Prices</a></li></ul></div></nav>
    <div class="container py-5"><div class="row g-4"><div class="col-md-4"><div class="card h-100"><div class="card-body"><h5 class="card-title">Free</h5><a class="btn btn-primary mt-3" href="/free">Go</a></div></div></div>
    <div class="col-md-4"><div class="card h-100"><div class="card-body"><h5 class="card-title">Team</h5><a class="btn btn-primary mt-3" href="/team" data-want="body > div:nth-of-type(1) > div > div:nth-of-type(2) > div > div > a">Go</a></div></div></div></div></div>
    <div class="modal fade" id="signup" tabindex="-1"><button class="btn-close" aria-label="Close" data-want='button[aria-label="Close"]'></button></div>`,
  Tailwind: `
    <div class="min-h-screen bg-white dark:bg-gray-900"><header class="sticky top-0 z-50 flex" data-want="header"><a class="text-xl font-bold tracking-tight" href="/" data-want="header > a">Acme</a></header>
    <section class="px-4 py-16 sm:px-6 lg:py-24"><h1 class="text-4xl md:text-6xl font-extrabold leading-[1.1]" data-want="h1">Ship</h1><div class="mt-10 flex gap-x-6"><a class="rounded-md bg-indigo-600 px-3.5 py-2.5 hover:bg-indigo-500 w-1/2" href="/start" data-want="section > div > a:nth-of-type(1)">Start</a><a class="text-sm/6" href="/more">More</a></div></section>
    <button id="headlessui-menu-button-:r1:" data-headlessui-state="open" aria-haspopup="menu" class="inline-flex" data-want="body > div > button">Menu</button><div id="radix-4" data-state="closed" role="dialog" data-want='div[role="dialog"]'></div></div>`,
  "CSS modules and styled components": `
    <div id="__next"><div class="Layout_wrap__x7Kq2"><h2 class="Hero_title__aBcDe" data-want="#__next > div > h2">Title</h2><p class="sc-bdVaJa kjYHbz" data-want="#__next > div > p">Text</p>
    <a class="css-1q2w3e4 eqr7bx00" href="/x" data-want="#__next > div > a">x</a><div class="MuiBox-root css-0" data-want="div.MuiBox-root"><span class="_label_1ab2c_12" data-want="div.MuiBox-root > span">s</span></div>
    <div data-v-7ba5bd90 class="svelte-1tky8bj price-tag" data-want="div.price-tag"></div><input id=":r3:" name="email" data-want='input[name="email"]'><label for=":r3:" id="«r4»" data-want="#__next > div > label">Mail</label>
    <article id="3f2504e0-4f89-41d3-9a0c-0305e82c3301" data-want="article">u</article><svg class="lucide"><path d="M0 0" data-want="svg.lucide > path"/></svg></div></div>`,
  WordPress: `
    <div class="wp-site-blocks"><header class="wp-block-template-part"><nav class="is-responsive items-justified-right wp-block-navigation is-layout-flex wp-container-core-navigation-is-layout-8cf370e7" aria-label="Main" data-want='nav[aria-label="Main"]'><ul class="wp-block-navigation__container"><li class="wp-block-navigation-item" id="menu-item-42" data-want="#menu-item-42"><a href="/p">Prices</a></li></ul></nav></header>
    <main class="wp-block-group is-layout-flow" id="wp--skip-link--target" data-want="#wp--skip-link--target"><div class="entry-content wp-block-post-content has-global-padding"><p class="has-large-font-size">A</p><p data-want="div.entry-content > p:nth-of-type(2)">B</p><div class="wp-block-buttons is-layout-flex wp-container-3"><div class="wp-block-button" data-want="div.wp-block-button"><a class="wp-block-button__link wp-element-button" href="/go" data-want="a.wp-block-button__link">Go</a></div></div>
    <div class="elementor-element elementor-element-3f2a1b9" data-id="3f2a1b9" data-element_type="widget" data-want='div[data-element_type="widget"]'></div></div></main>
    <aside id="block-7" class="widget widget_block" data-want="#block-7"></aside><article id="post-10342" class="post-10342 post type-post" data-want="article.post"></article></div>`,
  "names that need escaping": `
    <div id="a.b:c" data-want="#a\\.b\\:c"></div><button data-testid='say "hi"\\' data-want='button[data-testid="say \\"hi\\"\\\\"]'></button><x-card data-want="x-card"></x-card>`,
};

/** What every marked element is called, what it should be called, and how many the page finds by that. */
function look(source) {
  // The marks are no part of what is looked at.
  const wanted = [...document.querySelectorAll("[data-want]")].map((element) => [element, element.dataset.want]);
  for (const [element] of wanted) element.removeAttribute("data-want");
  const { selectorOf } = new Function(`${source}; return selectors;`)();
  return wanted.map(([element, want]) => {
    const name = selectorOf(element);
    return { want, name, found: name === undefined ? 0 : document.querySelectorAll(name).length, right: name !== undefined && document.querySelector(name) === element };
  });
}

const browsers = { Chromium: [true, launch], Firefox: [Boolean(firefox), launchFirefox] };
for (const [name, [there, start]] of Object.entries(browsers)) {
  const skip = there ? false : "no Firefox: install the package `firefox-esr` or set FIREFOX to its path";
  let browser;
  after(() => browser?.close());
  for (const [kind, body] of Object.entries(PAGES)) {
    test(`${name}: selectors on a page of ${kind}`, { timeout: 120_000, skip }, async () => {
      browser ??= await start();
      const page = await browser.newPage();
      await page.setContent(`<!doctype html><title>page</title><body>${body}`);
      const names = await page.evaluate(look, module);
      assert.ok(names.length > 0);
      assert.deepEqual(names, names.map(({ want }) => ({ want, name: want, found: 1, right: true })));
      await page.close();
    });
  }

  test(`${name}: every element of every page has a selector, and nothing that no selector reaches has one`, { timeout: 120_000, skip }, async () => {
    browser ??= await start();
    const page = await browser.newPage();
    await page.setContent(`<!doctype html><title>page</title><body>${Object.values(PAGES).join("").replace(/ data-want=("[^"]*"|'[^']*')/g, "")}<div id="host"></div>`);
    const { wrong, generated, shadow, loose } = await page.evaluate((source) => {
      const { selectorOf } = new Function(`${source}; return selectors;`)();
      const all = [...document.querySelectorAll("body *")].map((element) => [element, selectorOf(element)]);
      const inside = document.querySelector("#host").attachShadow({ mode: "open" }).appendChild(document.createElement("p"));
      return {
        wrong: all.filter(([element, name]) => document.querySelectorAll(name).length !== 1 || document.querySelector(name) !== element).map(([element]) => element.outerHTML),
        generated: all.map(([, name]) => name).filter((name) => /__[A-Za-z0-9]{5}\b|css-|sc-|svelte|3f2|:r|radix|1034|bdVaJa|kjYHbz|_label|href|data-v/.test(name)),
        shadow: selectorOf(inside) ?? "none",
        loose: selectorOf(document.createElement("p")) ?? "none",
      };
    }, module);
    assert.deepEqual({ wrong, generated, shadow, loose }, { wrong: [], generated: [], shadow: "none", loose: "none" });
    await page.close();
  });
}
