/** Shows each visitor what is decided for them: content of slots, changes of the page, redirects; and tells once what was shown. */
import type { Exposure, Feature, Json, Result, Visitor } from "../flags";
import { openFlags } from "../flags/engine";
import { markOf } from "../flags/exposure";
import { attempt } from "../plugins";
import type { Rapport } from "../rapport";
import type { Band, Options, Properties, Reason } from "../types";
import { attributesOf } from "./attributes";
import { Changes, changesOf, type Piece } from "./changes";
import { unmask } from "./mask";
import { Choices, Memory, type Overrides } from "./memory";

export type { Overrides } from "./memory";
import { isHere, targetOf } from "./redirect";
import { Served } from "./served";
import { Showings } from "./showings";
import { inPage, type Source } from "./source";
import type { Change } from "./spots";

/** Part `flags` is not opened beyond this: a page would stand still. */
const MOST_BYTES = 4_000_000;
/** So long a redirect to another site waits until the server has the exposure; one to the same site carries it over. */
const DELIVER_MS = 500;
const SLOT = "data-rapport-slot";
const FIELD = "data-rapport-field";

/** What is decided for the visitor now. */
export interface Decided {
  /** 0 to 100; absent where nothing is known or nothing may be. */
  readonly score?: number | undefined;
  readonly band?: Band | undefined;
  readonly features: { readonly [key: string]: Json };
  readonly slots: { readonly [name: string]: Json };
  readonly why: readonly Why[];
}

/** Why something is shown as it is. */
export interface Why {
  readonly kind: "feature" | "slot" | "experiment" | "problem";
  readonly key: string;
  /** The variation's key or the rule's id, where there is one. */
  readonly what?: string | undefined;
  /** The variation's number. */
  readonly number?: number | undefined;
  readonly why: string;
  /** What else there is to see; for `explain` only. */
  readonly options?: readonly Choice[];
}

/** Something that a tester may choose. */
export interface Choice {
  readonly label: string;
  readonly chosen: boolean;
  readonly override: Partial<Overrides>;
}

/** What `rapport` can do once this part is there. */
export interface Personalization {
  /** Everything that is decided; calls back with it, now and whenever it is decided anew. */
  decide(hear?: (decided: Decided) => void): Decided;
  /** A feature's value, or `otherwise` where there is none. Counts as seen. */
  feature(key: string, otherwise?: Json): Json;
  /** What a slot shows, for sites that show it by themselves. Counts as seen. */
  slot(name: string): Json;
  readonly score: number | undefined;
  /** The score's reasons, and why each feature and experiment is what it is. */
  explain(): { readonly reasons: readonly Reason[]; readonly why: readonly Why[]; readonly overridden: boolean };
  /** What the site itself knows of the visitor, for conditions. */
  attributes(attributes: Properties): void;
  /** Shows a tester something else, in this tab; without an argument what everybody gets. */
  override(overrides?: Partial<Overrides>): void;
}

export async function mount(rapport: Rapport, options: Options): Promise<void> {
  try {
    const { decisions } = rapport;
    const { bundle, flags: fetched } = await decisions.early;
    if (!fetched) return unmask();
    const { bytes, module } = await fetched;
    if (bytes.length > MOST_BYTES) throw new RangeError(`${bytes.length} bytes of flags are too many`);
    const heard: Exposure[] = [];
    const hear = (exposure: Exposure) => heard.push(exposure);
    let source: Source;
    if (module) {
      const flags = openFlags(module, bytes, { onExposure: hear });
      // Whoever waits to hear what else the server is asked need not wait.
      const scored = decisions.ready.then(() => decisions.scorer?.serve());
      if (flags.readsScore) await scored;
      source = inPage(flags, bundle);
    } else {
      await decisions.ready;
      const { scorer } = decisions;
      if (!scorer) throw new Error("there is neither an engine nor a server to decide");
      source = new Served(bytes, scorer, hear, bundle, options.patience);
    }
    new Personalizer(rapport, options, source, heard).start();
  } catch (error) {
    unmask();
    console.warn("rapport: nothing is personalized:", error);
  }
}

/** An answer with what counts as seen with it. */
interface Asked<Answer> {
  readonly answer: Answer;
  readonly exposures: readonly Exposure[];
}

class Personalizer {
  private readonly memory: Memory;
  private readonly changes: Changes;
  private readonly problems = new Set<string>();
  private readonly showings: Showings;
  private readonly listeners = new Set<(decided: Decided) => void>();
  private own: Properties = {};
  private readonly choices: Choices;
  /** Showings as they were when this page was opened: what is shown does not end itself. */
  private shown: ReturnType<Memory["shown"]> = {};
  private why: readonly Why[] = [];
  /** What each slot of the page shows. */
  private slots = new Map<string, Json>();
  private readonly heardBy = new WeakMap<Element, string>();
  private due = false;
  private leaving = false;
  private masked = true;

  constructor(
    private readonly rapport: Rapport,
    { key, scripts = false, attributes = {} }: Options,
    private readonly flags: Source,
    private readonly heard: Exposure[],
  ) {
    this.memory = new Memory(rapport.storage);
    this.choices = new Choices(`rapport:${key}:overrides`);
    this.changes = new Changes((what) => this.problem(what), () => this.arrived(), scripts);
    this.own = attributes;
    const before = this.memory.redirects().map(({ mark }) => mark);
    this.showings = new Showings(flags, this.memory, (seen) => rapport.track(seen.event, seen.properties), before);
    rapport.seen(before);
  }

  start(): void {
    const { rapport } = this;
    this.offer();
    this.flags.start(() => (this.allowed ? this.visitor() : undefined), () => this.refresh());
    rapport.pages.onOpen(() => {
      this.shown = this.memory.shown();
      this.renew();
    });
    rapport.onDecision((decision) => this.flags.heeds(decision) && this.soon());
    rapport.use({ name: "personalize", destination: ({ type }) => type !== "track" && this.soon() });
    addEventListener("rapport:consent", () => this.renew());
    addEventListener("pageshow", ({ persisted }) => {
      this.leaving &&= !persisted;
      if (persisted) this.renew();
    });
  }

  /** Lends `rapport` what this part can do, and makes the calls that waited for it. */
  private offer(): void {
    const { rapport } = this;
    const can: Omit<Personalization, "score"> = {
      decide: (hear) => this.decide(hear),
      feature: (key, otherwise = null) => this.feature(key) ?? otherwise,
      slot: (name) => this.feature(name),
      explain: () => this.explain(),
      attributes: (attributes) => {
        this.own = { ...this.own, ...attributes };
        this.soon();
      },
      override: (overrides) => {
        this.choices.add(overrides);
        this.renew();
      },
    };
    Object.defineProperty(rapport, "score", { get: () => rapport.decision?.score });
    Object.assign(rapport, can);
    const push = rapport.push.bind(rapport);
    const calls = can as unknown as { readonly [method: string]: (...rest: unknown[]) => unknown };
    rapport.push = (...all) => {
      for (const [method, ...rest] of all) {
        if (Object.hasOwn(calls, method)) attempt(() => calls[method]!(...rest));
        else push([method, ...rest]);
      }
    };
    rapport.push(...rapport.later.splice(0));
  }

  /** Once for all that happens now. */
  private soon(): void {
    if (this.due) return;
    this.due = true;
    queueMicrotask(() => this.renew());
  }

  /** Something changed that answers may depend on. */
  private renew(): void {
    this.due = false;
    if (this.allowed) this.flags.renew();
    else this.refresh();
  }

  /** Shows what is decided. Whatever goes wrong, the page is as its site made it. */
  private refresh(): void {
    if (this.leaving) return;
    try {
      this.changes.show(this.allowed ? this.decided() : this.nothing());
    } catch (error) {
      this.problem(String(error));
      this.changes.show(this.nothing());
    }
    if (this.leaving) return;
    if (this.masked) unmask();
    this.masked = false;
    this.tellSlots();
    if (this.listeners.size > 0) {
      const all = this.decide();
      for (const listener of this.listeners) attempt(() => listener(all));
    }
  }

  private get allowed(): boolean {
    return this.rapport.consents.allows("personalization");
  }

  private nothing(): Piece[] {
    this.slots.clear();
    this.why = [];
    if (this.rapport.consentTo("personalization") === "denied") this.memory.forget();
    return [];
  }

  private decided(): Piece[] {
    const visitor = this.visitor();
    const why: Why[] = [];
    const pieces = this.experiments(visitor, why);
    this.slots = new Map();
    for (const name of slotsOfPage()) pieces.push(...this.slot(name, visitor, why));
    this.why = why;
    return pieces;
  }

  private visitor(): Visitor {
    const { rapport } = this;
    const { score, band } = rapport.decision ?? {};
    const attributes = this.attributes();
    return {
      attributes,
      known: { now: Date.now(), score, band, shown: this.shown },
      url: location.href,
      forcedVariations: this.choices.all.experiments,
      stickyBucketAssignmentDocs: this.memory.documents(attributes),
    };
  }

  /** What is known here of the visitor, and what the site says; only core speaks of `$…`. */
  private attributes(): { readonly [name: string]: unknown } {
    const own = Object.entries(this.own).filter(([name]) => !name.startsWith("$"));
    return { ...attributesOf(this.rapport, this.memory.visit()), ...Object.fromEntries(own) };
  }

  private ask<Answer>(question: () => Answer): Asked<Answer> {
    this.heard.length = 0;
    const answer = question();
    return { answer, exposures: this.heard.splice(0) };
  }

  private experiments(visitor: Visitor, why: Why[]): Piece[] {
    const pieces: Piece[] = [];
    for (let number = 0; number < this.flags.experiments && !this.leaving; number += 1) {
      const { answer, exposures } = this.ask(() => this.flags.experiment(number, visitor));
      const { experiment, result } = answer;
      const key = String(experiment["key"]);
      why.push({ kind: "experiment", key, what: result.inExperiment ? result.key : undefined, number: result.inExperiment ? result.variationId : undefined, why: result.why });
      if (!result.inExperiment || experiment["manual"]) continue;
      const { urlRedirect, domMutations, css, js } = members(result.value);
      if (typeof urlRedirect === "string" && this.redirect(exposures, result, urlRedirect, experiment)) return [];
      const all = Array.isArray(experiment["variations"]) ? experiment["variations"].map(members) : [];
      const watch = all.flatMap((variation) => selectorsOf(variation["domMutations"]));
      pieces.push({
        key: `experiment ${number}`,
        mark: `${key}:${result.key}:${result.variationId}`,
        changes: changesOf(domMutations, (what) => this.problem(`${key}: ${what}`)),
        css: typeof css === "string" ? css : undefined,
        js: typeof js === "string" ? js : undefined,
        // What other variations change is watched too, so that all of them are counted alike.
        watch: [...new Set(watch)],
        seen: () => this.saw(exposures, result.hashUsed || !this.flags.isExperience(key) ? undefined : key),
      });
    }
    return pieces;
  }

  /** Leaves for another page, once what was decided is on its way; says whether it does. */
  private redirect(exposures: readonly Exposure[], result: Result, to: string, experiment: Exposure["experiment"]): boolean {
    const key = String(experiment["key"]);
    const target = targetOf(to, experiment["persistQueryString"] === true);
    if (!target) {
      this.problem(`${key}: ${to} is no address to redirect to`);
      return false;
    }
    if (isHere(target)) return false;
    // Without memory nobody would notice a circle.
    if (!this.rapport.known || !this.memory.redirect(markOf({ properties: { experimentId: key, variationId: result.key } }))) {
      this.problem(`${key}: does not redirect to ${target}: it would lead in a circle`);
      return false;
    }
    this.leaving = true;
    this.saw(exposures);
    const delivered = this.rapport.flush();
    const enough = target.origin === location.origin ? undefined : Promise.race([delivered, new Promise((resolve) => setTimeout(resolve, DELIVER_MS))]);
    void Promise.resolve(enough).then(() => location.replace(target));
    return true;
  }

  private slot(name: string, visitor: Visitor, why: Why[]): Piece[] {
    const { answer, exposures, value } = this.asked(name, visitor);
    why.push(whyOf("slot", name, answer));
    this.slots.set(name, value);
    if (value === null && exposures.length === 0) return [];
    const selector = `[${SLOT}="${CSS.escape(name)}"]`;
    return [
      {
        key: `slot ${name}`,
        mark: `${answer.ruleId}:${answer.experimentResult?.key}:${JSON.stringify(value)}`,
        changes: contentOf(value, selector, (what) => this.problem(`${name}: ${what}`)),
        watch: [selector],
        seen: () => this.saw(exposures, this.showings.experienceOf(answer)),
      },
    ];
  }

  private asked(key: string, visitor: Visitor): Asked<Feature> & { readonly value: Json } {
    const asked = this.ask(() => this.flags.feature(key, visitor));
    const override = Object.hasOwn(this.choices.all.features, key) ? this.choices.all.features[key] : undefined;
    return override === undefined ? { ...asked, value: asked.answer.value } : { answer: asked.answer, exposures: [], value: override };
  }

  private feature(key: string): Json {
    if (!this.allowed) return this.flags.standard(key).value;
    const { answer, exposures, value } = this.asked(key, this.visitor());
    this.saw(exposures, this.showings.experienceOf(answer));
    return value;
  }

  private decide(hear?: (decided: Decided) => void): Decided {
    if (hear) {
      this.listeners.add(hear);
      queueMicrotask(() => attempt(() => hear(this.decide())));
    }
    const visitor = this.visitor();
    const why = [...this.why];
    const features = this.flags.keys.map((key) => {
      const { answer, value } = this.allowed ? this.asked(key, visitor) : { answer: this.flags.standard(key), value: this.flags.standard(key).value };
      why.push(whyOf("feature", key, answer));
      return [key, value] as const;
    });
    const { score, band } = this.rapport.decision ?? {};
    return { score, band, features: Object.fromEntries(features), slots: Object.fromEntries(this.slots), why: [...why, ...this.wrong()] };
  }

  private explain(): ReturnType<Personalization["explain"]> {
    const { experiments, features } = this.choices.all;
    let page = 0;
    const why = this.why.map((one) => {
      const { kind, key } = one;
      const options = this.flags.choices(kind === "experiment" ? page++ : key).map(({ label, value }, number): Choice => {
        if (kind === "experiment") return { label, chosen: one.number === number, override: { experiments: { [key]: number } } };
        return { label, chosen: JSON.stringify(this.slots.get(key)) === JSON.stringify(value), override: { features: { [key]: value } } };
      });
      return { ...one, options };
    });
    const overridden = Object.keys({ ...experiments, ...features }).length > 0;
    return { reasons: this.rapport.decision?.reasons ?? [], why: [...why, ...this.wrong()], overridden };
  }

  private saw(exposures: readonly Exposure[], experience?: string): void {
    this.showings.saw(exposures, experience, this.attributes());
  }

  /** Elements came: among them may be slots that nobody has asked about. */
  private arrived(): void {
    if (this.allowed && slotsOfPage().some((name) => !this.slots.has(name))) this.refresh();
    else this.tellSlots();
  }

  /** Sites that show a slot by themselves hear what it shows. */
  private tellSlots(): void {
    for (const element of document.querySelectorAll(`[${SLOT}]`)) {
      const content = this.slots.get(element.getAttribute(SLOT)!) ?? null;
      const mark = JSON.stringify(content);
      if ((this.heardBy.get(element) ?? "null") === mark) continue;
      this.heardBy.set(element, mark);
      element.dispatchEvent(new CustomEvent("rapport:slot", { bubbles: true, detail: { slot: element.getAttribute(SLOT), content } }));
    }
  }

  private problem(what: string): void {
    if (this.problems.has(what)) return;
    this.problems.add(what);
    console.warn("rapport:", what);
  }

  private wrong(): Why[] {
    return [...this.problems].map((why) => ({ kind: "problem", key: "", why }));
  }
}

function slotsOfPage(): string[] {
  return [...new Set([...document.querySelectorAll(`[${SLOT}]`)].map((element) => element.getAttribute(SLOT)!))].filter(Boolean);
}

function members(value: Json | undefined): { readonly [name: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as { readonly [name: string]: Json }) : {};
}

function selectorsOf(changes: unknown): string[] {
  return Array.isArray(changes) ? changes.map((change: unknown) => (Object(change) as Record<string, unknown>)["selector"]).filter((selector) => typeof selector === "string") : [];
}

/** What a slot's content changes: the slot itself, or its elements that are marked as fields of JSON. */
function contentOf(value: Json, selector: string, problem: (what: string) => void): Change[] {
  const { type, html, text, json } = members(value);
  if (value === null) return [];
  const set = (selector: string, attribute: string, value: unknown) => ({ selector, attribute, value, action: "set" });
  if (typeof value === "string") return changesOf([set(selector, "text", value)], problem);
  if (type === "text" || type === "html") return changesOf([set(selector, type, type === "text" ? text : html)], problem);
  const fields = Object.entries(members(type === "json" ? json : value)).flatMap(([name, given]) => {
    const field = `${selector} [${FIELD}="${CSS.escape(name)}"]`;
    if (typeof given !== "object") return [set(field, "text", given)];
    return Object.entries(members(given)).map(([name, given]) => set(field, name, given));
  });
  return changesOf(fields, problem);
}

function whyOf(kind: Why["kind"], key: string, { source, ruleId, experimentResult: result }: Feature): Why {
  return { kind, key, what: result?.key ?? (ruleId || undefined), why: result?.why ?? SOURCES[source] };
}

const SOURCES: { readonly [source in Feature["source"]]: string } = {
  unknownFeature: "nothing is decided here",
  defaultValue: "no rule is for this visitor",
  force: "a rule is for this visitor",
  experiment: "an experiment decides",
  prerequisite: "a feature that it depends on has another value",
  cyclicPrerequisite: "features depend on one another in a circle",
};
