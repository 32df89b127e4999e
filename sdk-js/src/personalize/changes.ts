/** Changes a page and keeps it changed, by one observer, until they end; then everything is as it was. */
import { Guard } from "./guard";
import { allowed, run } from "./safe";
import { isMade, placeOf, spotFor, type Change, type Spot } from "./spots";

/** What belongs together: an experiment's variation, or what a slot shows. */
export interface Piece {
  readonly key: string;
  /** Says what is shown: another one is a change. */
  readonly mark: string;
  readonly changes: readonly Change[];
  readonly css?: string | undefined;
  readonly js?: string | undefined;
  /** Who sees one of these elements has seen it; without any it is seen at once. */
  readonly watch: readonly string[];
  readonly seen: () => void;
}

interface Active {
  readonly piece: Piece;
  readonly sheet: CSSStyleSheet | undefined;
  seen: boolean;
}

/** Elements of one selector that are changed. */
const ELEMENTS = 200;
/** Longer values are a mistake, or worse. */
const CHARACTERS = 200_000;
/** How often a second a page may undo one change of one element, and get new elements for a change. */
const REPEATS = 10;
const ROUNDS = 100;
/** Rounds that need not wait for a frame. */
const PER_FRAME = 5;
/** A selector that takes longer than this, in milliseconds, is given up. */
const SLOW = 50;
/** Elements that a page would not survive, or that show nothing. */
const UNTOUCHED = "script,style,link,base,meta,object,embed,frame,frameset,noscript,template,rapport-inspector,rapport-inspector *";
const NO_CONTENT = "html,head,body,iframe";

/** One at a time a page. */
export class Changes {
  private readonly active = new Map<string, Active>();
  private readonly spots = new WeakMap<Element, Map<string, Spot>>();
  private readonly live = new Set<Spot>();
  private readonly rounds = new Map<Change, Guard>();
  /** Changes that failed or were given up. */
  private readonly over = new Set<Change>();
  private readonly watched = new WeakMap<Element, Set<Active>>();
  private readonly eyes = new IntersectionObserver((entries) => this.saw(entries));
  private readonly observer = new MutationObserver(() => this.moved());
  private filter = "";
  private sinceFrame = 0;

  /** `problem` hears what is wrong; `arrived` is called before each look at a page that has changed. */
  constructor(
    private readonly problem: (what: string) => void,
    private readonly arrived: () => void,
    private readonly scripts: boolean,
  ) {}

  /** Shows these pieces, and nothing else any more. */
  show(pieces: readonly Piece[]): void {
    const wanted = new Map(pieces.map((piece) => [piece.key, piece]));
    for (const [key, { piece }] of this.active) if (wanted.get(key)?.mark !== piece.mark) this.end(key);
    for (const piece of pieces) if (!this.active.has(piece.key)) this.active.set(piece.key, this.begin(piece));
    this.observe();
    this.sweep();
  }

  /** Looks for elements that came. */
  sweep(): void {
    const todo = new Set<Spot>();
    for (const active of this.active.values()) {
      for (const change of active.piece.changes) {
        try {
          if (!this.over.has(change)) this.find(change, todo);
        } catch (error) {
          this.giveUp(change, String(error));
        }
      }
      if (!active.seen) this.watch(active);
    }
    for (const spot of todo) this.attempt(spot.changes[0]?.selector, () => spot.apply());
    for (const spot of this.live) if (this.live.size > 1_000 && !spot.element.isConnected) this.live.delete(spot);
    // What we did ourselves is no news.
    this.observer.takeRecords();
  }

  private begin(piece: Piece): Active {
    const { key, css, js } = piece;
    let sheet: CSSStyleSheet | undefined;
    if (css) {
      this.attempt(key, () => {
        sheet = new CSSStyleSheet();
        sheet.replaceSync(css);
        document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
      });
    }
    if (js && !this.scripts) this.problem(`${key}: scripts are not allowed here: see \`scripts\``);
    else if (js) this.attempt(key, () => run(js));
    return { piece, sheet, seen: false };
  }

  private end(key: string): void {
    const { piece, sheet } = this.active.get(key)!;
    this.active.delete(key);
    if (sheet) document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet);
    for (const spot of [...this.live].reverse()) {
      const rest = spot.changes.filter((change) => !piece.changes.includes(change));
      if (rest.length === spot.changes.length) continue;
      this.attempt(key, () => spot.undo());
      spot.changes.splice(0, spot.changes.length, ...rest);
      if (rest.length > 0) this.attempt(key, () => spot.apply());
      else {
        this.live.delete(spot);
        spot.left = false;
      }
    }
  }

  private observe(): void {
    const all = [...this.active.values()].flatMap(({ piece }) => piece.changes.map(placeOf));
    const attributeFilter = [...new Set(all)].filter((place) => place !== "html" && place !== "position");
    const filter = `${attributeFilter};`;
    if (filter === this.filter) return;
    this.filter = filter;
    this.observer.disconnect();
    this.observer.observe(document, { subtree: true, childList: true, ...(attributeFilter.length > 0 ? { attributeFilter } : {}) });
  }

  /** The page changed. Rounds beyond the first ones wait for a frame: whoever fights back does not stop it. */
  private moved(): void {
    if (this.sinceFrame === 0) requestAnimationFrame(() => this.frame());
    this.sinceFrame += 1;
    if (this.sinceFrame <= PER_FRAME) this.look();
  }

  private frame(): void {
    const missed = this.sinceFrame > PER_FRAME;
    this.sinceFrame = 0;
    if (missed) this.moved();
  }

  private look(): void {
    this.arrived();
    this.sweep();
  }

  private find(change: Change, todo: Set<Spot>): void {
    let fresh = false;
    for (const element of this.elements(change)) {
      const spot = this.spotOf(element, change);
      if (!spot || spot.left) continue;
      const known = spot.changes.includes(change);
      if (known && spot.holds()) continue;
      if (!known) {
        spot.changes.push(change);
        this.live.add(spot);
        fresh = true;
      } else if (!todo.has(spot) && !spot.guard.may(REPEATS)) {
        spot.left = true;
        this.problem(`${change.selector}: the page puts ${change.attribute} back again and again; it is left as the page wants it`);
        continue;
      }
      todo.add(spot);
    }
    if (!fresh) return;
    const guard = this.rounds.get(change) ?? new Guard();
    this.rounds.set(change, guard);
    if (guard.may(ROUNDS)) return;
    this.giveUp(change, "the page makes new elements again and again");
  }

  private elements(change: Change): Element[] {
    const { selector } = change;
    const started = performance.now();
    try {
      const found = document.querySelectorAll(selector);
      if (found.length > ELEMENTS && !this.rounds.has(change)) this.problem(`${selector}: only the first ${ELEMENTS} of ${found.length} elements are changed`);
      if (performance.now() - started > SLOW) {
        this.giveUp(change, "the selector takes too long");
        return [];
      }
      return [...found].slice(0, ELEMENTS);
    } catch {
      this.giveUp(change, "no selector that this browser knows");
      return [];
    }
  }

  private giveUp(change: Change, why: string): void {
    this.over.add(change);
    this.problem(`${change.selector}: ${why}; it is left`);
  }

  private spotOf(element: Element, change: Change): Spot | undefined {
    const place = placeOf(change);
    const known = this.spots.get(element);
    const found = known?.get(place);
    if (found) return found;
    if (element.matches(UNTOUCHED) || (place === "html" && (element.matches(NO_CONTENT) || isMade(element)))) return undefined;
    const spot = spotFor(element, place);
    if (known) known.set(place, spot);
    else this.spots.set(element, new Map([[place, spot]]));
    return spot;
  }

  private watch(active: Active): void {
    const { watch } = active.piece;
    if (watch.length === 0) return this.tell(active);
    for (const selector of watch) {
      let found: Iterable<Element> = [];
      try {
        found = [...document.querySelectorAll(selector)].slice(0, ELEMENTS);
      } catch {
        // Reported where it was to change something.
      }
      for (const element of found) {
        const watchers = this.watched.get(element);
        if (watchers) watchers.add(active);
        else {
          this.watched.set(element, new Set([active]));
          this.eyes.observe(element);
        }
      }
    }
  }

  private saw(entries: readonly IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      for (const active of this.watched.get(target) ?? []) this.tell(active);
      this.watched.delete(target);
      this.eyes.unobserve(target);
    }
  }

  private tell(active: Active): void {
    if (active.seen || this.active.get(active.piece.key) !== active) return;
    active.seen = true;
    active.piece.seen();
  }

  private attempt(what: string | undefined, action: () => void): void {
    try {
      action();
    } catch (error) {
      this.problem(`${what}: ${error}`);
    }
  }
}

/** The changes of an authored list that can be made; `problem` hears of the others. */
export function changesOf(authored: unknown, problem: (what: string) => void): Change[] {
  if (!Array.isArray(authored)) return [];
  return authored.flatMap((given: unknown): Change[] => {
    const { selector, action, attribute, value, parentSelector, insertBeforeSelector } = Object(given) as Record<string, unknown>;
    const name = String(attribute).toLowerCase();
    const text = typeof value === "string" ? value : value === undefined || value === null ? "" : JSON.stringify(value);
    const refuse = (why: string) => {
      problem(`${String(selector)}: ${why}`);
      return [];
    };
    if (typeof selector !== "string" || !selector) return refuse("a change needs a selector");
    if (action !== "set" && action !== "append" && action !== "remove") return refuse(`no such action: ${String(action)}`);
    if (text.length > CHARACTERS) return refuse("the value is too long");
    if (name === "position" && typeof parentSelector !== "string") return refuse("a position needs a `parentSelector`");
    if (name !== "html" && name !== "text" && !allowed(name, text)) return refuse(`\`${name}\` may not be set to this`);
    const optional = (name: unknown) => (typeof name === "string" && name ? name : undefined);
    return [{ selector, action, attribute: name, value: text, parentSelector: optional(parentSelector), insertBeforeSelector: optional(insertBeforeSelector) }];
  });
}
