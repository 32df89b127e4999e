/** Places of a page that are changed: what stood there, what stands there now, and how it goes back. */
import { Guard } from "./guard";
import { nodesOf, setAttribute } from "./safe";

/** One change in GrowthBook's format, checked. */
export interface Change {
  readonly selector: string;
  readonly attribute: string;
  readonly action: "set" | "append" | "remove";
  readonly value: string;
  readonly parentSelector?: string | undefined;
  readonly insertBeforeSelector?: string | undefined;
}

/** An attribute, the classes, the content or the position of one element. */
export abstract class Spot {
  readonly changes: Change[] = [];
  readonly guard = new Guard();
  /** The page wants it otherwise: it is not touched any more. */
  left = false;

  constructor(readonly element: Element) {}

  /** Whether everything is as the changes want it. */
  abstract holds(): boolean;
  abstract apply(): void;
  /** Puts back what stood here, where the page has not changed it since. */
  abstract undo(): void;
}

export function spotFor(element: Element, attribute: string): Spot {
  if (attribute === "class") return new Classes(element);
  if (attribute === "html" || attribute === "text") return new Content(element);
  if (attribute === "position") return new Position(element);
  return new Attribute(element, attribute);
}

/** The kind of place that a change is about: text and HTML are both content. */
export function placeOf({ attribute }: Change): string {
  return attribute === "text" ? "html" : attribute;
}

class Attribute extends Spot {
  private base: string | null = null;
  private applied: string | null | undefined;

  constructor(
    element: Element,
    private readonly name: string,
  ) {
    super(element);
  }

  holds(): boolean {
    return this.value === this.applied;
  }

  apply(): void {
    // What is not ours is the page's newest.
    if (this.applied === undefined || !this.holds()) this.base = this.value;
    const joint = this.name === "style" ? ";" : "";
    const wanted = this.changes.reduce<string | null>((value, { action, value: given }) => {
      if (action === "remove") return null;
      return action === "append" && value ? value + joint + given : given;
    }, this.base);
    setAttribute(this.element, this.name, wanted);
    this.applied = this.value;
  }

  undo(): void {
    if (this.applied !== undefined && this.holds()) setAttribute(this.element, this.name, this.base);
    this.applied = undefined;
  }

  private get value(): string | null {
    return this.element.getAttribute(this.name);
  }
}

class Classes extends Spot {
  private readonly added = new Set<string>();
  private readonly removed = new Set<string>();

  holds(): boolean {
    const { wanted, only } = this.wish();
    const { classList } = this.element;
    for (const [token, there] of wanted) if (classList.contains(token) !== there) return false;
    return !only || [...classList].every((token) => wanted.get(token));
  }

  apply(): void {
    this.undo();
    const { wanted, only } = this.wish();
    const { classList } = this.element;
    if (only) for (const token of [...classList]) if (!wanted.get(token)) wanted.set(token, false);
    for (const [token, there] of wanted) {
      if (classList.contains(token) === there) continue;
      (there ? this.added : this.removed).add(token);
      classList.toggle(token, there);
    }
  }

  undo(): void {
    this.element.classList.remove(...this.added);
    this.element.classList.add(...this.removed);
    this.added.clear();
    this.removed.clear();
  }

  /** The classes that are to be there or not, and whether no others are. */
  private wish(): { wanted: Map<string, boolean>; only: boolean } {
    const wanted = new Map<string, boolean>();
    let only = false;
    for (const { action, value } of this.changes) {
      if (action === "set") {
        wanted.clear();
        only = true;
      }
      for (const token of value.split(/\s+/)) if (token) wanted.set(token, action !== "remove");
    }
    return { wanted, only };
  }
}

/** Content that we made, so that no change is made to it in turn. */
const made = new WeakSet<Node>();

/** Whether an element is in content that we made. */
export function isMade(element: Element): boolean {
  for (let node: Node | null = element; node; node = node.parentNode) if (made.has(node)) return true;
  return false;
}

class Content extends Spot {
  /** What stood here, where something stands in its place. */
  private base: readonly Node[] | undefined;
  private ours: readonly Node[] = [];

  holds(): boolean {
    const { childNodes } = this.element;
    if (this.base) return childNodes.length === this.ours.length && this.ours.every((node, at) => childNodes[at] === node);
    return this.ours.every(({ parentNode }) => parentNode === this.element);
  }

  apply(): void {
    const from = this.changes.reduce((last, { action }, at) => (action === "append" ? last : at), -1);
    const nodes = this.changes.slice(Math.max(from, 0)).flatMap(nodesFor);
    nodes.forEach((node) => made.add(node));
    if (from < 0) {
      this.undo();
      this.element.append(...nodes);
    } else {
      if (!this.base || !this.holds()) this.base = [...this.element.childNodes].filter((node) => !this.ours.includes(node));
      this.element.replaceChildren(...nodes);
    }
    this.ours = nodes;
  }

  undo(): void {
    if (this.base && this.holds()) this.element.replaceChildren(...this.base);
    else for (const node of this.ours) if (node.parentNode === this.element) node.parentNode.removeChild(node);
    this.base = undefined;
    this.ours = [];
  }
}

function nodesFor({ action, attribute, value }: Change): Node[] {
  if (action === "remove" || !value) return [];
  return attribute === "text" ? [document.createTextNode(value)] : nodesOf(value);
}

class Position extends Spot {
  private origin: { readonly parent: Node | null; readonly next: Node | null } | undefined;

  holds(): boolean {
    const { parent, before } = this.target();
    const { element } = this;
    // There is nowhere to go.
    if (!parent || element.contains(parent)) return true;
    return element.parentNode === parent && (!before || (before.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_PRECEDING) !== 0);
  }

  apply(): void {
    const { parent, before } = this.target();
    const { element } = this;
    if (!parent || element.contains(parent)) return;
    this.origin ??= { parent: element.parentNode, next: element.nextSibling };
    parent.insertBefore(element, before);
  }

  undo(): void {
    const { parent, next } = this.origin ?? {};
    if (parent?.isConnected) parent.insertBefore(this.element, next?.parentNode === parent ? next : null);
    this.origin = undefined;
  }

  private target(): { parent: Element | null; before: Element | null } {
    const { parentSelector = "", insertBeforeSelector } = this.changes.at(-1) ?? {};
    const parent = parentSelector ? document.querySelector(parentSelector) : null;
    const before = parent && insertBeforeSelector ? parent.querySelector(`:scope > :is(${insertBeforeSelector})`) : null;
    return { parent, before: before === this.element ? null : before };
  }
}
