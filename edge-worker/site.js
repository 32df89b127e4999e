// What only the platform can do: asks the site, and applies the steps that the engine decided to its page.

/** Pages that React hydrates are React's: their server decides, and hands over what it decided. */
const REACT = ['script[src*="/_next/"]', 'link[href*="/_next/"]', "#__next", "[data-reactroot]"];
/** Elements that a page would not survive, or that show nothing. */
const UNTOUCHED = new Set(["script", "style", "link", "base", "meta", "object", "embed", "frame", "frameset", "noscript", "template"]);
const NO_CONTENT = new Set(["html", "head", "body", "iframe"]);
const NONCE = "RAPPORT-NONCE";
/** So many changes take the platform's 30 ms; the clock shows no Worker how long it worked. */
const MOST_CHANGES = 5_000;

/** The site's answer to a request; where it is `planned` what to do to a page, unless that is the one `known`. */
export function forward(request, origin, planned, known) {
  const url = new URL(request.url);
  const to = origin ? new URL(url.pathname + url.search, origin) : url;
  const headers = new Headers(request.headers);
  headers.set("x-forwarded-host", url.host);
  if (planned) for (const name of ["if-none-match", "if-modified-since"]) headers.delete(name);
  if (known) headers.set("if-none-match", known);
  return fetch(new Request(to, new Request(request, { headers, redirect: "manual" })));
}

/** The answer with the steps applied as it streams; `failed` hears of each step that cannot be. */
export function rewrite(response, plan, failed) {
  const { steps, head, tag, script } = JSON.parse(plan);
  let react = false;
  let own = false;
  let put = false;
  let nonce = "";
  let changes = 0;
  // One element that cannot be changed costs nobody the page.
  const carefully = (work) => (element) => {
    try {
      work(element);
    } catch (error) {
      failed(String(error));
    }
  };
  const spent = () => {
    changes += 1;
    if (changes === MOST_CHANGES) failed("changing the page took too long");
    return changes >= MOST_CHANGES;
  };
  const inject = (add) => {
    if (put || react) return;
    put = true;
    add((head + (own ? "" : tag)).replaceAll(NONCE, nonce), { html: true });
  };
  const rewriter = new HTMLRewriter();
  for (const selector of REACT) rewriter.on(selector, { element: () => void (react = true) });
  rewriter
    .on("script[nonce]", { element: carefully((element) => void (nonce ||= element.getAttribute("nonce").replace(/[^\w+/=-]/g, ""))) })
    .on(`script[src*="${script}"]`, { element: () => void (own = true) })
    .on("head", { element: carefully((element) => element.onEndTag((end) => inject((html, options) => end.before(html, options)))) })
    .on("body", { element: carefully((element) => inject((html, options) => element.prepend(html, options))) });
  for (const step of steps) {
    try {
      rewriter.on(step.selector, { element: carefully((element) => react || spent() || apply(element, step)) });
    } catch (error) {
      failed(`${step.selector}: ${error}`);
    }
  }
  return rewriter.transform(response);
}

function apply(element, { act, name, value, add, remove }) {
  if (UNTOUCHED.has(element.tagName)) return;
  if ((act === "text" || act === "html") && NO_CONTENT.has(element.tagName)) return;
  if (act === "text" || act === "html") element.setInnerContent(value, { html: act === "html" });
  else if (act === "set") element.setAttribute(name, value);
  else if (act === "unset") element.removeAttribute(name);
  else {
    const kept = (element.getAttribute("class") ?? "").split(/\s+/).filter((token) => token && !remove.includes(token));
    element.setAttribute("class", [...new Set([...kept, ...add])].join(" "));
  }
}
