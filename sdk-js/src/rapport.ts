import { botOf } from "./bots";
import { campaignOf, clickIdsOf } from "./campaign";
import { captureClicks } from "./capture/clicks";
import { captureEngagement } from "./capture/engagement";
import { captureForms } from "./capture/forms";
import { Pages, pageContext } from "./capture/page";
import { Consent, type Choice, type ConsentState, type Purpose } from "./consent";
import { Decisions, type Early } from "./decisions";
import { Delivery } from "./delivery";
import { VIEWED, markOf } from "./flags/exposure";
import { Identity, newId } from "./identity";
import { addressOf } from "./parts";
import { Plugins, attempt, kept, type Plugin } from "./plugins";
import { Sessions } from "./session";
import { Storage } from "./storage";
import { Trace } from "./trace";
import type { Autocapture, Campaign, Decision, Options, PageContext, Parts, Properties, RapportEvent } from "./types";

/** What an event is made of, and the page on which it happened where that is not the one open now. */
type Draft = Pick<RapportEvent, "type"> &
  Partial<Pick<RapportEvent, "event" | "properties" | "traits" | "previousId" | "token">> & {
    readonly page?: PageContext | undefined;
  };

/** A draft that waits for consent. */
interface Held {
  readonly draft: Draft;
  readonly page: PageContext;
  readonly timestamp: string;
}

/** A visit that has begun and whose origin is still to be told. */
export interface Begun {
  readonly url: string;
  readonly referrer: string;
  readonly at: number;
}

/** One call made before the SDK was there: a method's name and its arguments. */
export type Call = readonly [method: string, ...rest: unknown[]];

/** Events that wait for consent. */
const HELD = 100;
const UPDATED: Draft = { type: "track", event: "Consent Updated", properties: {} };

/** Tracks a visitor and knows the visitor's score. Nothing here throws into the host page. */
export class Rapport {
  /** What the parts that come later may use. */
  readonly trace: Trace;
  readonly storage: Storage;
  /** From `start` on. */
  pages!: Pages;
  /** Calls of what only a part can do, until it comes. */
  readonly later: Call[] = [];

  readonly consents: Consent;
  readonly identity: Identity;
  readonly delivery: Delivery;
  private readonly sessions: Sessions;
  readonly decisions: Decisions;
  private readonly plugins = new Plugins();
  private readonly bot = botOf(navigator);
  private held: Held[] = [];
  /** Marks of the exposures that were told of this page's visitor. */
  private readonly told = new Set<string>();

  /**
   * Decides once `early` is there; captures from `start` on. `want` mounts a part that comes later.
   */
  constructor(
    private readonly options: Options,
    early: Promise<Early>,
    readonly want: (part: keyof Parts) => void,
  ) {
    const { key, cookieDomain, cookieless, consent, plugins = [] } = options;
    this.trace = new Trace(options.debug === true);
    this.storage = new Storage(key, cookieDomain, false, cookieless === "always");
    this.consents = new Consent(this.storage, consent);
    if (this.way() === "open") this.storage.unlock();
    this.identity = new Identity(this.storage);
    this.sessions = new Sessions(this.storage);
    this.delivery = new Delivery(addressOf(options, "/v1/events"), key, this.storage, this.trace);
    this.decisions = new Decisions(
      early,
      { key, url: addressOf(options, "/v1/decide"), rapport: this },
      () => this.consents.allows("profiling") && this.way() !== "shut",
    );
    plugins.forEach((plugin) => this.use(plugin));
  }

  /** Begins to capture. */
  start(): void {
    const { autocapture = true, consent } = this.options;
    // First among those who hear that the page goes: what it then reports is still sent.
    this.pages = new Pages();
    this.delivery.start();
    // Of who refuses it may be the refusal that is still to be told.
    if (this.way() !== "held") this.delivery.adopt();
    // An earlier page was left before it could tell how its visit came.
    if (this.storage.get("begun")) this.want("visit");
    if (consent?.platforms) this.want("platforms");
    if (autocapture) guard(() => this.capture(autocapture === true ? {} : autocapture));
  }

  /** The newest decision; absent before the first one, and where the visitor refuses profiling. */
  get decision(): Decision | undefined {
    return this.decisions.newest;
  }

  page(properties?: Properties): void {
    guard(() => this.happened({ type: "page", properties: properties ?? { ...pageContext() } }));
  }

  track(event: string, properties: Properties = {}, page?: PageContext): void {
    guard(() => {
      if (VIEWED.test(event) && (properties["experimentId"] ?? properties["experienceId"])) {
        // Whoever else tells of it: a page's views are each told once.
        const mark = markOf({ properties });
        if (this.told.has(mark)) return;
        this.seen([mark]);
      }
      this.happened({ type: "track", event: String(event), properties, page });
    });
  }

  /** Says what was told of this visitor elsewhere, by its marks: this page does not tell it again. */
  seen(marks: readonly string[]): void {
    for (const mark of marks) this.told.add(mark);
  }

  /**
   * Claims who the visitor is; traits alone describe a visitor who stays anonymous.
   * A token of the site's own server proves the claim.
   */
  identify(userId?: string | null, traits: Properties = {}, { token }: { readonly token?: string } = {}): void {
    guard(() => {
      if (userId) this.identity.identify(String(userId));
      this.happened({ type: "identify", traits, token });
    });
  }

  /** Claims the visitor's company. */
  group(groupId: string, traits: Properties = {}): void {
    guard(() => {
      this.identity.group(String(groupId));
      this.happened({ type: "group", traits });
    });
  }

  /** Says that the visitor is now known by another id. */
  alias(userId: string): void {
    guard(() => {
      const { userId: before, anonymousId } = this.identity;
      this.identity.identify(String(userId));
      this.happened({ type: "alias", previousId: before ?? (this.known ? anonymousId : undefined) });
    });
  }

  /** Forgets the visitor, on sign-out for one: what follows belongs to somebody new. */
  reset(): void {
    guard(() => {
      this.identity.reset();
      this.told.clear();
      for (const name of ["session", "touch"]) this.storage.remove(name);
      this.decisions.forget();
      this.decisions.look("reset");
    });
  }

  /** What the visitor chose, for each purpose that the site asked about. Takes effect at once. */
  consent(choice: Choice): void {
    this.choose(choice, true);
  }

  /** What the visitor said about a purpose. */
  consentTo(purpose: Purpose): ConsentState {
    return this.consents.state(purpose);
  }

  /** Adds code of the site that takes part in tracking. */
  use(plugin: Plugin): void {
    this.plugins.add(plugin);
  }

  /** Calls back with every decision from now on, at once with the newest one; returns how to stop. */
  onDecision(listener: (decision: Decision) => void): () => void {
    return this.decisions.listen(listener);
  }

  /** Makes a call written as `["track", "Trial Started"]`, as queued before the SDK was there. */
  push(...calls: readonly Call[]): void {
    for (const [method, ...rest] of calls) {
      const methods = this as unknown as Record<string, unknown>;
      const found = PUBLIC.has(method) ? methods[method] : undefined;
      if (typeof found === "function") guard(() => found.apply(this, rest) as void);
      else this.later.push([method, ...rest]);
    }
  }

  /** Takes the visitor's id from another site of the same owner; says whether it did. */
  arrive(id: string): boolean {
    return this.identity.arrive(id);
  }

  /** Resolves when the server has every event, or cannot be reached. */
  flush(): Promise<void> {
    return this.delivery.flush();
  }

  get anonymousId(): string {
    return this.identity.anonymousId;
  }

  /** Whether this browser keeps an id, and may be followed by it. */
  get known(): boolean {
    return this.way() === "open";
  }

  /** Milliseconds that one decision takes, averaged over many. */
  measure(): number | undefined {
    return this.decisions.scorer?.measure();
  }

  /** Whether what is known of the visitor may be kept under the visitor's id. */
  get profiles(): boolean {
    return this.way() === "open" && this.consents.allows("profiling");
  }

  /** Takes a choice; what a consent platform keeps, we do not. */
  choose(choice: Choice, keep: boolean): void {
    guard(() => {
      const before = this.way();
      if (!this.consents.choose(choice, keep)) return;
      const way = this.way();
      this.trace.note("consent", JSON.stringify(this.consents.said));
      if (way === "open") this.open(before === "open");
      else this.close(before);
      if (!this.consents.allows("profiling")) this.decisions.forget();
      else this.decisions.look("consent");
      dispatchEvent(new CustomEvent("rapport:consent", { detail: this.consents.said }));
    });
  }

  /** How events go now. */
  private way(): "open" | "cookieless" | "held" | "shut" {
    const { cookieless } = this.options;
    const { refused } = this.consents;
    if (cookieless === "always") return refused ? "shut" : "cookieless";
    if (refused) return cookieless === "on-reject" ? "cookieless" : "shut";
    return this.consents.allows("analytics") || this.consents.allows("profiling") ? "open" : "held";
  }

  private open(before: boolean): void {
    if (!before) {
      this.storage.unlock();
      this.identity.reload();
      this.delivery.adopt();
    }
    for (const { draft, page, timestamp } of this.held.splice(0)) this.emit(draft, page, timestamp);
    this.emit(UPDATED, pageContext(), now());
  }

  /** A refusal is the last that is heard of this visitor; what waited is given up. */
  private close(before: string): void {
    this.held = [];
    if (before !== "open") return;
    this.delivery.clear();
    this.emit(UPDATED, pageContext(), now(), true);
    this.storage.lock();
    this.identity.reset();
    void this.delivery.flush();
  }

  private capture({ pages = true, clicks = true, forms = true, engagement = true, vitals }: Autocapture): void {
    const track = (event: string, properties: Properties) => this.track(event, properties);
    if (pages) this.pages.onOpen(() => this.page());
    if (clicks) captureClicks(clicks === true, track);
    if (forms) captureForms(track, () => this.want("forms"));
    if (engagement) captureEngagement(this.pages, (properties, page) => this.track("Engaged", properties, page));
    if (vitals) this.want("vitals");
  }

  private happened(given: Draft): void {
    // As JSON has it: what is sent is what is scored, and later changes by the host change neither.
    const draft = JSON.parse(JSON.stringify(given)) as Draft;
    const page = draft.page ?? pageContext();
    if (this.way() !== "held") return this.emit(draft, page, now());
    this.held.push({ draft, page, timestamp: now() });
    if (this.held.length > HELD) this.held.shift();
    this.trace.note("held", "consent", draft);
  }

  /** `last`: what is still said of a visitor who refuses from now on. */
  private emit({ page: _, ...draft }: Draft, page: PageContext, timestamp: string, last = false): void {
    const way = last ? "open" : this.way();
    const { bots = "filter", beforeSend } = this.options;
    const drop = (because: string) => this.trace.note("dropped", because, draft);
    if (way === "shut") return drop("consent");
    if (this.bot && bots !== "keep" && (this.bot === "crawler" || bots === "drop")) return drop(this.bot);
    const passed = this.plugins.pass(this.made(draft, page, timestamp, way === "open"));
    if (typeof passed === "string") return drop(passed);
    const event = beforeSend ? attempt(() => beforeSend(passed)) : passed;
    if (event === null) return drop("before-send");
    const final = kept(passed, event);
    this.trace.note("queued", way, final);
    this.delivery.add(final);
    this.plugins.deliver(final);
    this.decisions.happened(final);
  }

  private made(draft: Draft, page: PageContext, timestamp: string, known: boolean): RapportEvent {
    const sequence = this.identity.next();
    // After that: another tab may have become another visitor.
    const { anonymousId, userId, groupId } = this.identity;
    const parameters = new URLSearchParams(page.search);
    const campaign = campaignOf(parameters);
    return {
      ...draft,
      messageId: newId(),
      anonymousId: known ? anonymousId : undefined,
      userId,
      groupId,
      timestamp,
      sequence,
      context: {
        page,
        campaign,
        clickIds: clickIdsOf(parameters),
        locale: navigator.language,
        groupId,
        consent: this.consents.said,
        bot: this.bot,
        sessionId: known ? this.visit(page, Date.parse(timestamp), campaign) : undefined,
      },
    };
  }

  private visit({ url, referrer }: PageContext, at: number, campaign: Campaign | undefined): number {
    const { id, started } = this.sessions.at(at, campaign && JSON.stringify(campaign));
    if (started) {
      this.storage.write("begun", { url, referrer, at } satisfies Begun);
      this.want("visit");
    }
    return id;
  }
}

const PUBLIC: ReadonlySet<string> = new Set([
  "page",
  "track",
  "seen",
  "identify",
  "group",
  "alias",
  "reset",
  "consent",
  "use",
  "onDecision",
]);

function now(): string {
  return new Date().toISOString();
}

function guard(action: () => void): void {
  try {
    action();
  } catch (error) {
    console.warn("rapport:", error);
  }
}
