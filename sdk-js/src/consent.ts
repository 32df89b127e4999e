import type { Storage } from "./storage";

export type Purpose = "analytics" | "profiling" | "personalization";
export type ConsentState = "pending" | "granted" | "denied";
/** A visitor's choice; purposes left out stay as they are. */
export type Choice = { readonly [purpose in Purpose]?: boolean };

export interface ConsentSettings {
  /** `strict` stores and sends nothing before a grant. Default: `open`, the workspace's default counts. */
  readonly mode?: "open" | "strict";
  /** What holds until the visitor chooses. */
  readonly initial?: Choice;
  /** Consent platforms to listen to. */
  readonly platforms?: readonly ("google" | "tcf")[];
  /** Take Global Privacy Control for a refusal of profiling and personalization. Default: true. */
  readonly gpc?: boolean;
  /** Take Do Not Track for a refusal of everything. Default: true. */
  readonly dnt?: boolean;
}

const PURPOSES: readonly Purpose[] = ["analytics", "profiling", "personalization"];

/** What the visitor allows. A choice stands above the browser's signals, and these above the site's default. */
export class Consent {
  readonly strict: boolean;
  /** As events carry it; nothing while everything is pending. */
  said: Choice | undefined;
  private chosen: Choice;
  private readonly initial: Choice;

  constructor(
    private readonly storage: Storage,
    { mode, initial, gpc = true, dnt = true }: ConsentSettings = {},
  ) {
    this.strict = mode === "strict";
    this.chosen = only(storage.read("consent"));
    this.initial = {
      ...initial,
      ...(gpc && signal("globalPrivacyControl") ? { profiling: false, personalization: false } : {}),
      ...(dnt && signal("doNotTrack") ? { analytics: false, profiling: false, personalization: false } : {}),
    };
    this.settle();
  }

  state(purpose: Purpose): ConsentState {
    const value = this.said?.[purpose];
    return value === undefined ? "pending" : value ? "granted" : "denied";
  }

  /** Whether a purpose may be served now. */
  allows(purpose: Purpose): boolean {
    return this.state(purpose) === "granted" || (!this.strict && this.state(purpose) === "pending");
  }

  /** Whether nothing at all may be collected, whatever else the visitor says. */
  get refused(): boolean {
    return this.state("analytics") === "denied" && this.state("profiling") === "denied";
  }


  /** Takes a choice; a consent platform keeps its own. Says whether anything is another now. */
  choose(choice: Choice, keep: boolean): boolean {
    const before = JSON.stringify(this.said);
    this.chosen = { ...this.chosen, ...only(choice) };
    if (keep) this.storage.write("consent", this.chosen);
    this.settle();
    return JSON.stringify(this.said) !== before;
  }

  private settle(): void {
    const said = only({ ...this.initial, ...this.chosen });
    this.said = Object.keys(said).length > 0 ? said : undefined;
  }
}

function signal(name: string): boolean {
  const value = (navigator as unknown as Record<string, unknown>)[name];
  return value === true || value === "1" || value === "yes";
}

/** Nothing but purposes with yes or no. */
function only(given: { readonly [name: string]: unknown }): Choice {
  return Object.fromEntries(PURPOSES.filter((name) => typeof given[name] === "boolean").map((name) => [name, given[name]]));
}
