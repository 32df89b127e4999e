/** What this browser remembers of what its visitor was shown. */
import type { Json, StickyDocument } from "../flags";
import type { Storage } from "../storage";

/** How often an experience was shown, and when last. */
interface Showing {
  readonly times: number;
  readonly last: number;
}

type Documents = { [key: string]: StickyDocument };

/** Of so many experiences showings are counted. */
const COUNTED = 200;
/** Redirects that follow one another this fast lead nowhere. */
const HURRY_MS = 10_000;
const REDIRECTS = 3;

/** What somebody who tests a site wants to see, in this tab only. */
export interface Overrides {
  /** Variations' numbers by experiments' keys. */
  readonly experiments: { readonly [key: string]: number };
  /** Values by features' keys. */
  readonly features: { readonly [key: string]: Json };
}

/** As long as the tab; where nothing may be kept, as long as the page. */
export class Choices {
  private kept: Overrides;

  constructor(private readonly name: string) {
    const { experiments, features } = entry(name);
    this.kept = { experiments: Object(experiments) as Overrides["experiments"], features: Object(features) as Overrides["features"] };
  }

  get all(): Overrides {
    return this.kept;
  }

  /** Adds choices, or without any takes all back. */
  add(overrides: Partial<Overrides> | undefined): void {
    const { experiments, features } = overrides ? this.kept : { experiments: {}, features: {} };
    this.kept = { experiments: { ...experiments, ...overrides?.experiments }, features: { ...features, ...overrides?.features } };
    const none = [this.kept.experiments, this.kept.features].every((chosen) => Object.keys(chosen).length === 0);
    try {
      if (none) sessionStorage.removeItem(this.name);
      else sessionStorage.setItem(this.name, JSON.stringify(this.kept));
    } catch {
      // Forbidden.
    }
  }
}

function entry(name: string): { readonly [name: string]: unknown } {
  try {
    return Object(JSON.parse(sessionStorage.getItem(name) ?? "{}")) as { readonly [name: string]: unknown };
  } catch {
    return {};
  }
}

/** What it needs of a page's storage. */
export type Kept = Pick<Storage, "read" | "write" | "remove">;

/** Entries of the page's storage, which keeps nothing where the visitor wants nothing kept. */
export class Memory {
  constructor(private readonly storage: Kept) {}

  /** The number of the visit, counted here. */
  visit(): number {
    const { id } = this.storage.read("session");
    const { count, id: before } = this.storage.read("visits");
    const known = Number.isSafeInteger(count) ? (count as number) : 0;
    if (known > 0 && (before === id || id === undefined)) return known;
    this.storage.write("visits", { count: known + 1, id });
    return known + 1;
  }

  shown(): { readonly [experience: string]: Showing } {
    const entries = Object.entries(this.storage.read("shown")) as [string, Partial<Showing>][];
    return Object.fromEntries(entries.filter((entry): entry is [string, Showing] => Number.isFinite(entry[1]?.times) && Number.isFinite(entry[1]?.last)));
  }

  count(experience: string): void {
    const { [experience]: before, ...others } = this.shown();
    const newest = Object.entries(others).sort(([, one], [, other]) => other.last - one.last).slice(0, COUNTED - 1);
    this.storage.write("shown", { ...Object.fromEntries(newest), [experience]: { times: (before?.times ?? 0) + 1, last: Date.now() } });
  }

  /** The sticky documents of the visitor's present ids; those of somebody else are gone. */
  documents(attributes: { readonly [name: string]: unknown }): Documents {
    const entries = Object.entries(this.storage.read("sticky")) as [string, Partial<StickyDocument>][];
    const whole = entries.filter((entry): entry is [string, StickyDocument] => {
      const { attributeName, attributeValue, assignments } = Object(entry[1]) as Partial<StickyDocument>;
      const known = typeof attributeName === "string" && typeof attributeValue === "string" && String(attributes[attributeName]) === attributeValue;
      return known && typeof assignments === "object" && assignments !== null && Object.values(assignments).every((key) => typeof key === "string");
    });
    return Object.fromEntries(whole);
  }

  keep(documents: Documents): void {
    if (Object.keys(documents).length > 0) this.storage.write("sticky", documents);
  }

  /** What led here by a redirect moments ago. */
  redirects(): { readonly at: number; readonly mark: string }[] {
    const { list } = this.storage.read("redirects") as { list?: { at: number; mark: string }[] };
    const now = Date.now();
    return Array.isArray(list) ? list.filter((one) => now - one?.at < HURRY_MS && one.at <= now && typeof one.mark === "string") : [];
  }

  /** Notes a redirect; false where too many came before it, as in a circle. */
  redirect(mark: string): boolean {
    const before = this.redirects();
    if (before.length >= REDIRECTS || before.some((one) => one.mark === mark)) return false;
    this.storage.write("redirects", { list: [...before, { at: Date.now(), mark }] });
    return true;
  }

  forget(): void {
    for (const name of ["shown", "sticky", "visits", "redirects"]) this.storage.remove(name);
  }
}
