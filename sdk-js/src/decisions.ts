import { attempt } from "./plugins";
import type { Rapport } from "./rapport";
import type { Decision, RapportEvent } from "./types";

/** What decisions need, fetched ahead; without an engine the server decides. */
export interface Early {
  /** Hash of the bundle's manifest. */
  readonly bundle?: string | undefined;
  readonly scoring: Promise<typeof import("./scoring/index") | undefined>;
  /** The bundle's features and experiments; with them comes the part `personalize`. */
  readonly flags?: Promise<Flagged> | undefined;
  readonly module?: Promise<WebAssembly.Module>;
  /** Absent where the page does not score. */
  readonly bytes?: Promise<Uint8Array> | undefined;
}

/** Features and experiments, and the engine that answers for them; without it the server does. */
export interface Flagged {
  readonly bytes: Uint8Array;
  readonly module?: WebAssembly.Module | void;
}

/** What the server decides besides the score. */
export interface About {
  /** Of whom; nobody where nothing is to be decided. */
  visitor(): object | undefined;
  /** What the server says to that; nothing where it fails. */
  hears(said: unknown): void;
}

/** What makes decisions; the part `scoring` brings it. */
export interface Scorer {
  happened(event: RapportEvent): void;
  /** Decides anew though nothing happened. */
  look(cause: string): void;
  /** What the server is asked from now on; nothing else but the score. */
  serve(about?: About): void;
  /** Asks the server. */
  ask(): void;
  forget(): void;
  /** Milliseconds that one decision takes. */
  measure(): number | undefined;
  /** The engine could not be fetched: this page's events are still owed to the stored profile. */
  readonly owing: boolean;
}

/** What a scorer asks of its page. */
export interface Asking {
  readonly url: string;
  readonly key: string;
  readonly rapport: Rapport;
  publish(decision: Decision): void;
}

type Listener = (decision: Decision) => void;

/** Events kept for an engine that is not there yet. */
const WAITING = 200;

/** The newest decision and who wants to hear of it. Events wait until there is somebody to decide. */
export class Decisions {
  newest: Decision | undefined;
  scorer: Scorer | undefined;

  /** Whoever decides is there, or nobody will be. */
  readonly ready: Promise<void>;

  private waiting: RapportEvent[] = [];
  /** The page has been left: what still happens, such as its last reading time, is left behind too. */
  private gone = false;
  private owing = false;
  private readonly listeners = new Set<Listener>();

  constructor(
    readonly early: Promise<Early>,
    private readonly asking: Omit<Asking, "publish">,
    private readonly allowed: () => boolean,
  ) {
    this.ready = this.wake(early);
    addEventListener("pagehide", () => {
      this.gone = true;
      this.leaveBehind(this.waiting.splice(0));
    });
  }

  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    const { newest } = this;
    if (newest) attempt(() => listener(newest));
    return () => this.listeners.delete(listener);
  }

  happened(event: RapportEvent): void {
    if (!this.allowed()) return;
    if (this.owing || (this.gone && !this.scorer)) this.leaveBehind([event]);
    else if (!this.scorer) this.waiting = [...this.waiting, event].slice(-WAITING);
    this.scorer?.happened(event);
  }

  look(cause: string): void {
    if (this.allowed()) this.scorer?.look(cause);
  }

  /** Nothing is known of the visitor any more, and there is no score: absent, not 0. */
  forget(): void {
    this.waiting = [];
    this.newest = undefined;
    for (const name of ["profile", "waiting", "hints"]) this.asking.rapport.storage.remove(name);
    this.scorer?.forget();
  }

  private async wake(arriving: Promise<Early>): Promise<void> {
    const publish = (decision: Decision) => {
      if (!this.allowed()) return;
      this.newest = decision;
      for (const listener of this.listeners) attempt(() => listener(decision));
      dispatchEvent(new CustomEvent("rapport:decision", { detail: decision }));
    };
    try {
      const arrived = await arriving;
      this.scorer = await (await arrived.scoring)?.scorer({ ...this.asking, publish }, arrived);
      this.owing = this.scorer?.owing === true;
    } catch (error) {
      console.warn("rapport: no decisions:", error);
      this.owing = true;
    }
    const waiting = this.waiting.splice(0);
    if (this.owing) this.leaveBehind(waiting);
    else waiting.unshift(...this.left());
    if (waiting.length === 0) this.look("start");
    for (const event of waiting) attempt(() => this.scorer?.happened(event));
  }

  /** Adds events to those that the next page with an engine folds. */
  private leaveBehind(events: readonly RapportEvent[]): void {
    if (events.length > 0) this.asking.rapport.storage.write("waiting", [...this.left(), ...events].slice(-WAITING));
  }

  private left(): RapportEvent[] {
    const events: unknown = this.asking.rapport.storage.take("waiting");
    return Array.isArray(events) ? (events as RapportEvent[]) : [];
  }
}
