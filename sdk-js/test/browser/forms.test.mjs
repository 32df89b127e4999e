// Forms tell who a visitor is, with no code, and never what was not meant for it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { decision, visit } from "../site/chromium.mjs";
import { LATER } from "../site/site.mjs";
import { stage } from "../site/stage.mjs";
import { arrived, settled, until } from "../site/wait.mjs";

const timeout = 60_000;
const page = (body, settings = {}) =>
  `<!doctype html><title>form</title><script async src="{{SDK_URL}}" data-rapport='${JSON.stringify(settings)}'></script>${body}
  <script>addEventListener("submit", (event) => event.preventDefault());</script>`;
const HIDDEN = ["utm_source", "utm_campaign", "gclid"].map((name) => `<input type="hidden" name="${name}" value="">`).join("");

const PLAIN = `<form id="plain"><input name="who" autocomplete="section-a name"><input name="mail" type="email" autocomplete="work email"><input name="firm" autocomplete="organization">
  <input name="size" data-rapport-trait="employees" value="350"><select name="role"><option>Buyer</option></select><input type="checkbox" name="terms" checked data-rapport-trait="terms"><input type="checkbox" name="news" data-rapport-trait="news">
  <input type="password" name="password" autocomplete="current-password" data-rapport-trait="password" value="a secret"><input name="cardnumber" autocomplete="cc-number" data-rapport-trait="card" value="a secret">
  <input name="iban" data-rapport-trait="iban" value="a secret"><textarea name="message">a secret</textarea><div data-rapport-mask><input name="email2" autocomplete="email" value="a secret"></div>
  ${HIDDEN}<button>Send</button></form>`;

// As Contact Form 7 renders [text* your-name autocomplete:name] [email* your-email autocomplete:email] [hidden utm_source] [submit].
const CONTACT_FORM_7 = `<div class="wpcf7 js" id="wpcf7-f12-p34-o1" lang="en-US" dir="ltr" data-wpcf7-id="12"><div class="screen-reader-response"><p role="status" aria-live="polite" aria-atomic="true"></p><ul></ul></div>
  <form action="/contact/#wpcf7-f12-p34-o1" method="post" class="wpcf7-form init" aria-label="Contact form" novalidate="novalidate" data-status="init">
  <fieldset class="hidden-fields-container"><input type="hidden" name="_wpcf7" value="12"><input type="hidden" name="_wpcf7_unit_tag" value="wpcf7-f12-p34-o1"></fieldset>
  <p><label> Your name<br><span class="wpcf7-form-control-wrap" data-name="your-name"><input size="40" maxlength="400" class="wpcf7-form-control wpcf7-text wpcf7-validates-as-required" autocomplete="name" aria-required="true" aria-invalid="false" value="" type="text" name="your-name"></span></label></p>
  <p><label> Your email<br><span class="wpcf7-form-control-wrap" data-name="your-email"><input size="40" maxlength="400" class="wpcf7-form-control wpcf7-email wpcf7-validates-as-email" autocomplete="email" aria-required="true" aria-invalid="false" value="" type="email" name="your-email"></span></label></p>
  <p><label> Your message<br><span class="wpcf7-form-control-wrap" data-name="your-message"><textarea cols="40" rows="10" class="wpcf7-form-control wpcf7-textarea" name="your-message"></textarea></span></label></p>
  <input class="wpcf7-form-control wpcf7-hidden" value="" type="hidden" name="utm_source"><p><input class="wpcf7-form-control wpcf7-submit has-spinner" type="submit" value="Submit"><span class="wpcf7-spinner"></span></p>
  <div class="wpcf7-response-output" aria-hidden="true"></div></form></div>`;

// As HubSpot's embed writes it into the page, after the page has loaded.
const FORM_ID = "0b1c2d3e-4f50-4162-8374-95a6b7c8d9e0";
const HUBSPOT = `<form id="hsForm_${FORM_ID}" method="POST" accept-charset="UTF-8" enctype="multipart/form-data" novalidate="" action="https://forms.hsforms.test/submit" class="hs-form-private hs-form stacked hs-custom-form" data-form-id="${FORM_ID}" data-portal-id="123" data-hs-cf-bound="true">
  <div class="hs_firstname hs-firstname hs-fieldtype-text field hs-form-field"><label for="f"><span>First name</span></label><div class="input"><input id="f" name="firstname" type="text" class="hs-input" inputmode="text" autocomplete="given-name" value=""></div></div>
  <div class="hs_email hs-email hs-fieldtype-text field hs-form-field"><label for="e"><span>Email</span><span class="hs-form-required">*</span></label><div class="input"><input id="e" name="email" required="" type="email" class="hs-input" inputmode="email" autocomplete="email" value=""></div></div>
  <div class="hs_company hs-company hs-fieldtype-text field hs-form-field"><label for="c"><span>Company name</span></label><div class="input"><input id="c" name="company" type="text" class="hs-input" inputmode="text" autocomplete="organization" value=""></div></div>
  <div class="hs_utm_campaign hs-utm_campaign hs-fieldtype-text field hs-form-field" style="display: none;"><div class="input"><input name="utm_campaign" class="hs-input" type="hidden" value=""></div></div>
  <input name="hs_context" type="hidden" value="{}"><div class="hs_submit hs-submit"><div class="actions"><input type="submit" class="hs-button primary large" value="Submit"></div></div></form>`;

// What HubSpot's own pages tell the page around them.
const FRAME = `<!doctype html><form><input name="email"><button>Send</button></form><script>
  const tell = (eventName) => parent.postMessage({ type: "hsFormCallback", eventName, id: "${FORM_ID}", data: {} }, "*");
  addEventListener("submit", (event) => { event.preventDefault(); tell("onFormSubmit"); tell("onFormSubmitted"); });
  // HubSpot tells it once, when the tracker is long there; here until somebody has heard it.
  setInterval(() => tell("onFormReady"), 50);
</script>`;

const { browser, site } = await stage({
  later: LATER,
  pages: {
    "/plain": page(PLAIN),
    "/mapped": page(PLAIN, { autocapture: { traits: { role: "role", password: "password", message: "note" } } }),
    "/quiet": page(PLAIN, { autocapture: { identify: false } }),
    "/strict": page(PLAIN, { consent: { mode: "strict" } }),
    "/cf7": page(CONTACT_FORM_7),
    "/hubspot": page(`<div id="target"></div><script>addEventListener("load", () => setTimeout(() => { document.querySelector("#target").innerHTML = ${JSON.stringify(HUBSPOT)}; }, 100));</script>`),
    "/framed": page(`<div class="hs-form-frame" data-region="na1" data-form-id="${FORM_ID}" data-portal-id="123"><iframe src="/frame"></iframe></div>`),
    "/older": page(`<iframe class="hs-form-iframe" title="Form 0" src="/frame"></iframe>`),
    "/frame": FRAME,
    "/far": page(`<div style="height:4000px">far</div>${PLAIN}`),
    "/none": page("<p>no form</p>"),
  },
});

/** A new visitor's page whose forms are listened to. */
async function open(path) {
  const page = await visit(browser, site.url + path);
  await decision(page);
  await until(() => site.state.requests.includes("GET /v1/parts/forms"));
  // Fetched is not yet run: it has run when its hidden fields are filled or a form was seen.
  return page;
}

const names = () => site.state.events.map(({ event, type }) => event ?? type);
const traits = async () => (await arrived(site, "identify")).at(-1).traits;

async function fillPlain(page) {
  await arrived(site, "Form Viewed");
  await page.fill("[name=who]", "Ada Lovelace");
  await page.fill("[name=mail]", "ada@example.com");
  await page.fill("[name=firm]", "Analytical Engines");
  await page.click("button");
}

test("a plain form's standard and marked fields become traits, and nothing else does", { timeout }, async () => {
  const page = await open("/plain?utm_source=june&gclid=G1");
  await fillPlain(page);
  assert.deepEqual(await traits(), { name: "Ada Lovelace", email: "ada@example.com", company: "Analytical Engines", employees: "350", terms: "on" });
  assert.deepEqual(await page.evaluate(() => Object.fromEntries(new FormData(document.querySelector("form")))).then(({ utm_source, utm_campaign, gclid }) => [utm_source, utm_campaign, gclid]), ["june", "", "G1"]);
  await settled(page);
  assert.deepEqual(names().filter((name) => name.startsWith("Form")), ["Form Viewed", "Form Started", "Form Submitted"]);
  assert.ok(!JSON.stringify(site.state.events).includes("a secret"));
});

test("a marketer maps fields by name; passwords and cards stay out whoever maps them", { timeout }, async () => {
  const page = await open("/mapped");
  await fillPlain(page);
  assert.deepEqual(await traits(), { name: "Ada Lovelace", email: "ada@example.com", company: "Analytical Engines", employees: "350", role: "Buyer", terms: "on", note: "a secret" });
});

test("a site may have its forms identify nobody", { timeout }, async () => {
  const page = await open("/quiet");
  await fillPlain(page);
  await arrived(site, "Form Submitted");
  await settled(page);
  assert.ok(!names().includes("identify"));
});

test("without consent a form says nothing of its visitor", { timeout }, async () => {
  const page = await visit(browser, `${site.url}/strict`);
  await until(() => site.state.requests.includes("GET /v1/parts/forms"));
  await page.waitForFunction(() => window.rapport?.flush);
  await page.evaluate(() => window.rapport.consent({ analytics: true, profiling: false }));
  await fillPlain(page);
  await arrived(site, "Form Submitted");
  await settled(page);
  assert.ok(!JSON.stringify(site.state.events).includes("ada@example.com"));
  await page.evaluate(() => window.rapport.consent({ profiling: true }));
  await page.click("button");
  assert.equal((await traits()).email, "ada@example.com");
});

test("Contact Form 7 identifies when the mail is sent, not when its own checks refuse", { timeout }, async () => {
  const page = await open("/cf7?utm_source=june");
  await arrived(site, "Form Viewed");
  assert.equal(await page.inputValue("[name=utm_source]"), "june");
  await page.fill("[name=your-name]", "Ada Lovelace");
  await page.click(".wpcf7-submit");
  await page.evaluate(() => document.querySelector(".wpcf7").dispatchEvent(new CustomEvent("wpcf7invalid", { bubbles: true, detail: { contactFormId: 12 } })));
  await settled(page);
  assert.ok(!names().includes("Form Submitted") && !names().includes("identify"));
  await page.fill("[name=your-email]", "ada@example.com");
  await page.fill("[name=your-message]", "a secret");
  await page.click(".wpcf7-submit");
  await page.evaluate(() => {
    // The plugin resets the form before it tells.
    document.querySelector(".wpcf7-form").reset();
    document.querySelector(".wpcf7").dispatchEvent(new CustomEvent("wpcf7mailsent", { bubbles: true, detail: { contactFormId: 12, status: "mail_sent" } }));
  });
  assert.deepEqual(await traits(), { name: "Ada Lovelace", email: "ada@example.com" });
  await settled(page);
  assert.equal(names().filter((name) => name === "Form Submitted").length, 1);
  assert.ok(!JSON.stringify(site.state.events).includes("a secret"));
});

test("HubSpot's embedded form identifies when HubSpot has taken it", { timeout }, async () => {
  const page = await open("/hubspot?utm_campaign=summer");
  await arrived(site, "Form Viewed");
  assert.equal(await page.inputValue("[name=utm_campaign]"), "summer");
  await page.fill("[name=firstname]", "Ada");
  await page.fill("[name=email]", "ada@example.com");
  await page.fill("[name=company]", "Analytical Engines");
  await page.click(".hs-button");
  await settled(page);
  assert.ok(!names().includes("Form Submitted"));
  await page.evaluate((id) => {
    document.querySelector("#target").querySelector("form").reset();
    postMessage({ type: "hsFormCallback", eventName: "onFormSubmitted", id, data: {} }, "*");
  }, FORM_ID);
  assert.deepEqual(await traits(), { email: "ada@example.com", company: "Analytical Engines" });
  assert.equal((await arrived(site, "Form Submitted"))[0].properties.form, `hsForm_${FORM_ID}`);
});

for (const path of ["/framed", "/older"]) {
  test(`a HubSpot form in a frame of its own is viewed and submitted, and says nothing else: ${path}`, { timeout }, async () => {
    const page = await open(path);
    const frame = page.frameLocator("iframe");
    await frame.locator("input").fill("ada@example.com");
    await arrived(site, "Form Viewed");
    await frame.locator("button").click();
    await arrived(site, "Form Submitted");
    await settled(page);
    const told = site.state.events.filter(({ event }) => event?.startsWith("Form"));
    assert.deepEqual(told.map(({ event, properties }) => [event, properties.form]), ["Viewed", "Submitted"].map((what) => [`Form ${what}`, `hsForm_${FORM_ID}`]));
    assert.ok(!JSON.stringify(site.state.events).includes("ada@example.com"));
  });
}

test("a form that is started and left is abandoned, with the name of its last field", { timeout }, async () => {
  const page = await open("/plain");
  await arrived(site, "Form Viewed");
  await page.fill("[name=who]", "Ada");
  await page.fill("[name=mail]", "a secret");
  await page.goto(`${site.url}/none`);
  const [{ properties, context }] = await arrived(site, "Form Abandoned");
  assert.deepEqual([properties, context.page.path], [{ form: "plain", field: "mail" }, "/plain"]);
  assert.ok(!JSON.stringify(site.state.events).includes("a secret"));
});

test("a form counts as viewed when it comes into view", { timeout }, async () => {
  const page = await open("/far");
  await settled(page);
  assert.ok(!names().includes("Form Viewed"));
  await page.evaluate(() => document.querySelector("form").scrollIntoView());
  await arrived(site, "Form Viewed");
});

test("pages without a form do not load what forms need", { timeout }, async () => {
  const page = await visit(browser, `${site.url}/none`);
  await decision(page);
  await settled(page);
  assert.ok(!site.state.requests.includes("GET /v1/parts/forms"));
});
