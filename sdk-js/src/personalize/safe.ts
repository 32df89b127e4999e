/** What a workspace's authors may put into a page: markup without code, attributes without scripts. */

/** Everything else is dropped with all that is in it. */
const ELEMENTS = new Set(
  ("a abbr address article aside audio b bdi bdo blockquote br button caption cite code col colgroup data datalist dd del details dfn dialog div dl dt em fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr i img input ins kbd label legend li main map area mark menu meter nav ol optgroup option output p picture pre progress q rp rt ruby s samp section select small source span strong sub summary sup table tbody td textarea tfoot th thead time tr track u ul var video wbr " +
    "svg circle clippath defs desc ellipse g line lineargradient mask path pattern polygon polyline radialgradient rect stop text title tspan").split(" "),
);
/** Attributes that hold addresses. */
const ADDRESSES = /^(href|src|action|formaction|poster|cite|background|data|srcset|imagesrcset|ping|xlink:href|manifest|longdesc)$/;
/** Attributes of style that wait until their elements are in the page's document. */
const STYLE = "data-rapport-style";
/** What runs code, or gives it rights; and our own marks, which would show one slot in another. */
const REFUSED = /^(on|srcdoc$|nonce$|is$|http-equiv$|data-rapport)/;
const NAME = /^[a-z_][a-z0-9:_.-]*$/;
const SCHEME = /^[a-z][a-z0-9+.-]*:/;
const GOOD_SCHEME = /^(https?|mailto|tel|sms):|^data:image\/(png|gif|jpe?g|webp|avif)[;,]/;

/** Whether an attribute may be given this value. */
export function allowed(name: string, value: string): boolean {
  if (!NAME.test(name) || REFUSED.test(name)) return false;
  // Browsers skip blanks and control characters inside a scheme.
  const bare = value.replace(/[\u0000-\u0020\u007f-\u00a0\u200b-\u200f\u2028-\u202f\ufeff]/g, "").toLowerCase();
  if (!ADDRESSES.test(name)) return !/(javascript|vbscript):|data:text/.test(bare);
  return (name.endsWith("srcset") ? bare.split(",") : [bare]).every((address) => !SCHEME.test(address) || GOOD_SCHEME.test(address));
}

/** Sets an attribute, or removes it; a style by its declarations, which needs no `unsafe-inline`. */
export function setAttribute(element: Element, name: string, value: string | null): void {
  if (value === null) element.removeAttribute(name);
  else if (name === "style" && "style" in element) (element as HTMLElement).style.cssText = value;
  else element.setAttribute(name, value);
}

/** The nodes that some HTML makes, without anything that could run. Throws where the page's policy forbids to read HTML. */
export function nodesOf(html: string): Node[] {
  const holder = read(html);
  clean(holder);
  return [...document.importNode(holder, true).childNodes].map(styled);
}

/** Parses without running anything: into a document that is never shown. */
function read(html: string): DocumentFragment | Element {
  const quiet = document.implementation.createHTMLDocument("");
  const holder = quiet.createElement("div") as HTMLElement & { setHTML?(html: string, options: object): void };
  // A policy against inline styles would refuse them while they are read, though they are set otherwise.
  const unstyled = html.replace(/<[^>]*>/g, (tag) => tag.replace(/([\s"'/])style(?=\s*=)/gi, `$1${STYLE}`));
  if (holder.setHTML) {
    // Newer browsers read HTML safely, whatever policies are allowed.
    holder.setHTML(unstyled, { sanitizer: {} });
    return holder;
  }
  const template = quiet.createElement("template");
  template.innerHTML = policed().createHTML(unstyled);
  return template.content;
}

interface Policy {
  createHTML(text: string): string;
  createScript(text: string): string;
}

let policy: Policy | undefined;

function policed(): Policy {
  const types = (self as { trustedTypes?: { createPolicy(name: string, rules: Policy): Policy } }).trustedTypes;
  const same = (text: string) => text;
  return (policy ??= types ? types.createPolicy("rapport", { createHTML: same, createScript: same }) : { createHTML: same, createScript: same });
}

function clean(parent: ParentNode & Node): void {
  for (const node of [...parent.childNodes]) {
    if (node.nodeType === Node.TEXT_NODE) continue;
    if (node.nodeType !== Node.ELEMENT_NODE || !ELEMENTS.has((node as Element).localName.toLowerCase())) {
      parent.removeChild(node);
      continue;
    }
    const element = node as Element;
    for (const { name, value } of [...element.attributes]) {
      const lower = name.toLowerCase();
      const style = lower === STYLE || lower === "style";
      const good = allowed(style ? "style" : lower, value);
      if (!good || lower === "style") element.removeAttribute(name);
      if (good && style) element.setAttribute(STYLE, value);
    }
    clean(element);
  }
}

function styled(root: Node): Node {
  if (!(root instanceof Element)) return root;
  for (const element of [root, ...root.querySelectorAll(`[${STYLE}]`)]) {
    const style = element.getAttribute(STYLE);
    if (style === null) continue;
    element.removeAttribute(STYLE);
    setAttribute(element, "style", style);
  }
  return root;
}

/** Runs an author's script, where workspace and policy allow scripts. */
export function run(js: string): void {
  const script = document.createElement("script");
  const nonce = document.querySelector<HTMLScriptElement>("script[nonce]")?.nonce;
  if (nonce) script.nonce = nonce;
  script.text = policed().createScript(js);
  document.head.append(script);
  script.remove();
}
