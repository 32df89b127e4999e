import { captureClicks } from "./capture/clicks";
import { captureEngagement } from "./capture/engagement";
import { captureForms } from "./capture/forms";
import { campaign, capturePages, pageContext } from "./capture/page";
import { Delivery } from "./delivery";
import { LocalEngine, type Bytes, type Verdict } from "./engine";
import { Identity, newId } from "./identity";
import { RemoteEngine } from "./remote";
import { Storage, fromBase64, toBase64 } from "./storage";
import type { Decision, Properties, RapportEvent } from "./types";

/** What the engine needs, fetched ahead. */
export interface Early {
  readonly module: Promise<WebAssembly.Module>;
  readonly bytes: Promise<Bytes>;
}

type Draft = Pick<RapportEvent, "type"> &
  Partial<Pick<RapportEvent, "event" | "properties" | "traits" | "previousId">>;

/** One call made before the SDK was there: a method's name and its arguments. */
export type Call = readonly [method: string, ...rest: unknown[]];

/** Events kept for an engine that is not there yet. */
const WAITING = 200;

/** Tracks a visitor and knows the visitor's score. Nothing here throws into the host page. */
export class Rapport {
  /** The newest decision. */
  decision: Decision | undefined;

  private readonly storage: Storage;
  private readonly identity: Identity;
  private readonly delivery: Delivery;
  private readonly remote: RemoteEngine;
  private readonly listeners = new Set<(decision: Decision) => void>();
  private engine: LocalEngine | undefined;
  private deciding: "not yet" | "page" | "server" = "not yet";
  private waiting: RapportEvent[] = [];
  /** The page has been left: what still happens, such as its last reading time, is left behind too. */
  private gone = false;
  /** The engine could not be fetched: this page's events are still owed to the stored profile. */
  private owing = false;
  /** The score that the next decision is compared with. */
  private before: number | undefined;

  /** Tracks from here on; decides once `early` is there. */
  constructor(
    key: string,
    endpoint: string,
    early: Promise<Early | undefined>,
    autocapture: boolean,
  ) {
    const base = endpoint.replace(/\/$/, "");
    this.storage = new Storage(key);
    this.identity = new Identity(this.storage);
    this.delivery = new Delivery(`${base}/v1/events`, key);
    this.remote = new RemoteEngine(
      `${base}/v1/decide`,
      key,
      () => this.identity.anonymousId,
      () => this.delivery.pending,
    );
    void this.wake(early);
    addEventListener("pagehide", () => this.leave());
    if (autocapture) this.guard(() => this.capture());
  }

  page(properties?: Properties): void {
    this.guard(() => this.happened({ type: "page", properties: properties ?? { ...pageContext() } }));
  }

  track(event: string, properties: Properties = {}): void {
    this.guard(() => this.happened({ type: "track", event: String(event), properties }));
  }

  /** Claims who the visitor is; traits alone describe a visitor who stays anonymous. */
  identify(userId?: string | null, traits: Properties = {}): void {
    this.guard(() => {
      if (userId) this.identity.identify(String(userId));
      this.happened({ type: "identify", traits });
    });
  }

  /** Claims the visitor's company. */
  group(groupId: string, traits: Properties = {}): void {
    this.guard(() => {
      this.identity.group(String(groupId));
      this.happened({ type: "group", traits });
    });
  }

  /** Says that the visitor is now known by another id. */
  alias(userId: string): void {
    this.guard(() => {
      const previousId = this.identity.userId ?? this.identity.anonymousId;
      this.identity.identify(String(userId));
      this.happened({ type: "alias", previousId });
    });
  }

  /** Forgets the visitor, on sign-out for one: what follows belongs to somebody new. */
  reset(): void {
    this.guard(() => {
      this.identity.reset();
      this.storage.remove("profile");
      this.engine?.forget();
      this.look("reset");
    });
  }

  /** Calls back with every decision from now on, at once with the newest one; returns how to stop. */
  onDecision(listener: (decision: Decision) => void): () => void {
    this.listeners.add(listener);
    if (this.decision) call(listener, this.decision);
    return () => this.listeners.delete(listener);
  }

  /** Makes a call written as `["track", "Trial Started"]`, as queued before the SDK was there. */
  push(...calls: Call[]): void {
    for (const [method, ...rest] of calls) {
      const methods = this as unknown as Record<string, unknown>;
      const found = PUBLIC.has(method) ? methods[method] : undefined;
      if (typeof found === "function") this.guard(() => found.apply(this, rest) as void);
    }
  }

  /** Resolves when the server has every event, or cannot be reached. */
  flush(): Promise<void> {
    return this.delivery.flush();
  }

  get anonymousId(): string {
    return this.identity.anonymousId;
  }

  /** Milliseconds that one decision takes, averaged over many: one alone is below a page's clock. */
  measure(): number | undefined {
    if (!this.engine) return undefined;
    const runs = 50;
    const now = Date.now();
    const start = performance.now();
    for (let run = 0; run < runs; run += 1) this.engine.decide(now);
    return (performance.now() - start) / runs;
  }

  private capture(): void {
    const track = (event: string, properties: Properties) => this.track(event, properties);
    capturePages((properties) => this.page(properties));
    captureClicks(track);
    captureForms(track);
    captureEngagement((seconds) => this.track("Engaged", { seconds }));
  }

  private happened(draft: Draft): void {
    const started = performance.now();
    const { anonymousId, userId, groupId } = this.identity;
    const utm = campaign();
    const event: RapportEvent = {
      // As JSON has it: what is sent is what is scored, and later changes by the host change neither.
      ...(JSON.parse(JSON.stringify(draft)) as Draft),
      messageId: newId(),
      anonymousId,
      ...(userId === undefined ? {} : { userId }),
      ...(groupId === undefined ? {} : { groupId }),
      timestamp: new Date().toISOString(),
      sequence: this.identity.next(),
      context: {
        page: pageContext(),
        ...(utm ? { campaign: utm } : {}),
        locale: navigator.language,
      },
    };
    this.delivery.add(event);
    if (this.deciding === "not yet") {
      this.waiting.push(event);
      if (this.gone) this.leave();
      return;
    }
    if (this.owing) this.leaveBehind([event]);
    this.fold(event, started);
  }

  private fold(event: RapportEvent, started: number): void {
    const cause = event.event ?? event.type;
    if (this.engine) {
      const verdict = this.apply(this.engine, event);
      if (!verdict) return;
      this.publish(verdict, { cause, source: "page", messageId: event.messageId, started });
      this.keep();
      return;
    }
    void this.remote.ask((verdict) =>
      this.publish(verdict, { cause, source: "server", messageId: event.messageId, started }),
    );
  }

  /** An engine that fails is not asked again: what it remembers may be half done. */
  private apply(engine: LocalEngine, event: RapportEvent): Verdict | undefined {
    try {
      return engine.apply(event, Date.parse(event.timestamp));
    } catch (error) {
      this.turnToServer(error);
      return undefined;
    }
  }

  /** Decides anew though nothing happened. */
  private look(cause: string): void {
    const started = performance.now();
    if (this.engine) {
      this.publish(this.engine.decide(Date.now()), { cause, source: "page", started });
    } else if (this.deciding === "server") {
      void this.remote.ask((verdict) => this.publish(verdict, { cause, source: "server", started }));
    }
  }

  private publish(
    verdict: Verdict,
    { started, ...from }: Pick<Decision, "cause" | "source" | "messageId"> & { started: number },
  ): void {
    const change = this.before === undefined ? 0 : verdict.score - this.before;
    this.before = verdict.score;
    const took = performance.now() - started;
    const decision: Decision = { ...verdict, ...from, change, asOf: Date.now(), took };
    this.decision = decision;
    for (const listener of this.listeners) call(listener, decision);
    dispatchEvent(new CustomEvent("rapport:decision", { detail: decision }));
  }

  private keep(): void {
    if (this.engine) this.storage.set("profile", toBase64(this.engine.save()));
  }

  /** Starts the engine, or turns to the server where there is none for this page. */
  private async wake(arriving: Promise<Early | undefined>): Promise<void> {
    let early: Early | undefined;
    try {
      early = await arriving;
      if (!early) throw new Error("the workspace asks for it");
      const [module, bytes] = await Promise.all([early.module, early.bytes]);
      this.engine = new LocalEngine(module, bytes);
      this.restore(this.storage.get("profile"));
      this.storage.onOtherTab((name, value) => {
        if (name === "profile" && this.restore(value)) this.look("another tab");
      });
      this.before = this.engine.decide(Date.now()).score;
      this.deciding = "page";
    } catch (error) {
      this.turnToServer(error);
      // What failed may work on the next page: browsers even fail the fetches of a page before they say that it
      // goes. A policy against WebAssembly stays.
      this.owing = early !== undefined && !(error instanceof WebAssembly.CompileError);
    }
    if (this.owing) this.leaveBehind(this.waiting);
    const waiting = [...(this.owing ? [] : this.left()), ...this.waiting.splice(0)];
    this.guard(() => {
      if (waiting.length === 0) this.look("start");
      for (const event of waiting) this.fold(event, performance.now());
    });
  }

  /** A page left before its engine was there leaves its events to the next page's profile. */
  private leave(): void {
    this.gone = true;
    this.leaveBehind(this.waiting.splice(0));
  }

  /** Adds events to those that the next page with an engine folds. */
  private leaveBehind(events: readonly RapportEvent[]): void {
    if (events.length === 0) return;
    const all = [...this.left(), ...events].slice(-WAITING);
    this.storage.set("waiting", JSON.stringify(all));
  }

  private left(): RapportEvent[] {
    const text = this.storage.get("waiting");
    if (text === undefined) return [];
    this.storage.remove("waiting");
    try {
      const events: unknown = JSON.parse(text);
      return Array.isArray(events) ? (events as RapportEvent[]) : [];
    } catch {
      return [];
    }
  }

  private turnToServer(reason: unknown): void {
    this.engine = undefined;
    this.deciding = "server";
    console.info("rapport: decisions come from the server:", reason);
  }

  private restore(text: string | undefined): boolean {
    const bytes = text === undefined ? undefined : fromBase64(text);
    return bytes !== undefined && this.engine?.restore(bytes) === true;
  }

  private guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      console.warn("rapport:", error);
    }
  }
}

const PUBLIC: ReadonlySet<string> = new Set([
  "page",
  "track",
  "identify",
  "group",
  "alias",
  "reset",
  "onDecision",
]);

/** A host's listener may fail; that is the host's error, shown as such. */
function call(listener: (decision: Decision) => void, decision: Decision): void {
  try {
    listener(decision);
  } catch (error) {
    reportError(error);
  }
}
