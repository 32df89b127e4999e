/** Names an element of a page so that the name still means it after the site's next release. */

/** What authors put there to be found by comes first; the rest in the order of the page. */
const PREFERRED = ["data-rapport-slot", "data-rapport-field", "data-testid", "data-test-id", "data-test", "data-qa", "data-cy"];
/** Attributes beside `data-…` that say what an element is. Links' addresses and texts are what experiments change. */
const MEANINGFUL = ["name", "aria-label", "aria-controls", "for", "role", "type", "itemprop"];
/** Elements of which a page has one, or few. */
const LANDMARKS = new Set(["body", "main", "header", "footer", "nav", "aside", "h1", "form", "dialog", "article", "section", "video"]);
/** Attributes that frameworks write for themselves, or that change while a page is used. */
const FRAMEWORKS = /^data-(v|react\w*|radix|headlessui|emotion|styled|s|state|status|side|align|orientation|index|idx|key|open|active|selected|focus\w*|hover\w*|loaded|aos|wow|turbo|wp|n|hk|sveltekit|astro|server|ssr|src\w*|original\w*|lazy\w*|bg|rapport)(-|$)/;
/** Ids that libraries count up. */
const COUNTED = /^(radix|headlessui|mui|react-(select|aria|tabs)|yui|rc-tabs|downshift|chakra|mantine|cdk|mat|select2|tippy|popper|elementor)[-_:].*\d|^(ember|ext-(gen|comp)|gwt-uid|ui-id|jsx|uid|uuid|id|el|comp|gsap|mui)[-_:]?\d+$/i;
/** React's `useId`: `:r1:`, `«r1»`, `_r_1_`. */
const COUNTED_BY_REACT = /[«»]|:[rR]\w*:|^_r_/;
/** Classes that say how something looks (Tailwind, Bootstrap and their like), or how it is just now. */
const LOOKS = new Set(
  ("absolute active align alignfull alignleft alignright alignwide antialiased aspect backdrop basis bg block blur border bottom break capitalize clearfix col collapse collapsed collapsing cols columns container content current cursor d disabled display divide duration ease end even expanded fade fill first fixed flex float focus font from fs fw g gap grid group grow gx gy h has hidden hover img in inline inset invisible is isolate italic items js justify last leading left lh line list loaded loading m max mb me min ml mr ms mt mx my no not object odd offset opacity open order origin outline overflow overlay p pb pe peer pl place pointer position pr prose ps pt px py relative resize right ring rotate rounded row rows scale scroll select selected self shadow show shrink size skew snap space sr start static sticky stroke table text to top touch tracking transform transition translate truncate underline uppercase lowercase vh via visible visually vw w whitespace will wow z").split(" "),
);
/** Files' names, own names and hashes of CSS modules, and what other tools write. */
const GENERATED_CLASS = /^[A-Za-z][A-Za-z0-9]*_[A-Za-z0-9-]+__[\w+/-]{5}$|^(sc|css|jss|jsx|svelte|astro|emotion|makeStyles|tss|styles?_|_)[-_]?\w*[-_]?\w*$/;
const LONGEST = 60;
/** Beyond that a name is no name, and looking for one takes too long. */
const DEEPEST = 24;

/**
 * The selector of exactly this element, or `undefined` where there is none that `querySelector` finds: in
 * a shadow tree for one, or outside the page. Prefers ids and attributes that people wrote, then roles and
 * names, then classes that people wrote, then the way down from an ancestor that has one of these.
 */
export function selectorOf(element: Element): string | undefined {
  const page = element.ownerDocument;
  if (element.getRootNode() !== page) return undefined;
  const names = (selector: string) => {
    const found = page.querySelectorAll(selector);
    return found.length === 1 && found[0] === element;
  };
  const own = marksOf(element);
  /** From the ancestor just looked at down to the element. */
  let path = "";
  for (let at: Element | null = element, depth = 0; at && depth < DEEPEST; at = at.parentElement, depth += 1) {
    const above = at === element ? own : marksOf(at);
    for (const mark of above) {
      const below = at === element ? [""] : [...own.map((name) => ` ${name}`), ` > ${path}`];
      const found = below.map((rest) => mark + rest).find(names);
      if (found) return found;
    }
    path = stepTo(at, above) + (path && ` > ${path}`);
  }
  return names(path) ? path : undefined;
}

/** Names of an element alone, the most lasting first. */
function marksOf(element: Element): string[] {
  const tag = CSS.escape(element.localName);
  const marks: string[] = [];
  const { id } = element;
  if (id && id.length <= LONGEST && !COUNTED_BY_REACT.test(id) && !COUNTED.test(id) && !random(id)) marks.push(`#${CSS.escape(id)}`);
  const data = element.getAttributeNames().filter((name) => name.startsWith("data-") && !PREFERRED.includes(name) && !FRAMEWORKS.test(name) && !random(name));
  for (const name of [...PREFERRED, ...data, ...MEANINGFUL]) {
    const value = element.getAttribute(name);
    // The type of a button says nothing, and as a `data-…` even no value says what it is.
    if (value === null || (value === "" && !data.includes(name)) || !lasting(value)) continue;
    marks.push(`${tag}[${name}${value && `="${value.replace(/["\\]/g, "\\$&")}"`}]`);
  }
  for (const name of element.classList) if (says(name)) marks.push(`${tag}.${CSS.escape(name)}`);
  // Of elements that a site made up for itself there are few, too.
  if (LANDMARKS.has(element.localName) || tag.includes("-")) marks.push(tag);
  return marks;
}

/** One step down to an element from its parent, to which it is the only one. */
function stepTo(element: Element, marks: readonly string[]): string {
  const tag = CSS.escape(element.localName);
  const siblings = element.parentElement ? [...element.parentElement.children] : [];
  const alone = [tag, ...marks].find((name) => siblings.every((one) => one === element || !one.matches(name)));
  if (alone) return alone;
  const alike = siblings.filter(({ localName }) => localName === element.localName);
  return `${tag}:nth-of-type(${alike.indexOf(element) + 1})`;
}

/** Whether a value was written by people to stay: no state, no number, no data. */
function lasting(value: string): boolean {
  return value.length <= LONGEST && !/^[\d.,\s-]+$|[{}<>;\p{Cc}]|^(true|false|open|closed)$/u.test(value) && !COUNTED_BY_REACT.test(value) && !random(value);
}

/** Whether a class says what something is, in words that people wrote. */
function says(name: string): boolean {
  if (name.length < 3 || name.length > LONGEST || /[:/[\]().!%@&*#,]|[-_]\d+$/.test(name)) return false;
  return !LOOKS.has(name.replace(/^-/, "").split(/[-_]/)[0]!.replace(/\d+$/, "")) && !GENERATED_CLASS.test(name) && !random(name);
}

/** Whether any word of a name looks like a hash or a counter: nobody writes `x7Kq2`, `bdVaJa` or `1024931`. */
function random(name: string): boolean {
  return name.split(/[^\p{L}\p{N}]+/u).some((word) => {
    if (/\d{3,}/.test(word)) return true;
    // `h2`, `step12` and `2xl` are words, letters and digits by turns are none.
    if (/\d/.test(word)) return !/^(\p{L}+\d{1,2}|\d{1,2}\p{L}{0,3})$/u.test(word) || /^[a-f]+\d+$/.test(word) && word.length > 5;
    const parts = word.match(/\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|\p{L}/gu) ?? [];
    if (parts.length > 2 && word.length / parts.length < 3) return true;
    return /[bcdfghjklmnpqrstvwxz]{6}/i.test(word) || (word.length > 4 && /^[a-z]+$/.test(word) && !/[aeiouy]/.test(word));
  });
}
