/** Makes decisions: with the engine in the page, or over HTTP where the page may not run it. */
import type { Asking, Early, Scorer } from "../decisions";
import type { Decision, RapportEvent, Verdict } from "../types";
import { fromBase64, toBase64 } from "./base64";
import { LocalEngine } from "./engine";
import { RemoteEngine } from "./remote";

/** Starts the engine, or turns to the server where there is none for this page. */
export async function scorer(asking: Asking, engine: Early["engine"]): Promise<Scorer> {
  try {
    if (!engine) throw new Error("the workspace asks for it");
    const [module, bytes] = await Promise.all([engine.module, engine.bytes]);
    return new Decider(asking, new LocalEngine(module, bytes), false);
  } catch (error) {
    // Browsers even fail the fetches of a page before they say that it goes.
    return new Decider(asking, error, engine !== undefined && !(error instanceof WebAssembly.CompileError));
  }
}

/** From where a decision comes, and when it was asked for. */
type Cause = Pick<Decision, "cause" | "messageId"> & { readonly started: number };

class Decider implements Scorer {
  /** What failed may work on the next page; a policy against WebAssembly stays. */
  readonly owing: boolean;
  private engine: LocalEngine | undefined;
  private remote: RemoteEngine | undefined;
  /** The score that the next decision is compared with. */
  private before: number | undefined;

  /** With an engine, or with the reason why there is none. */
  constructor(
    private readonly asking: Asking,
    engine: unknown,
    owing: boolean,
  ) {
    this.owing = owing;
    if (!(engine instanceof LocalEngine)) {
      this.turnToServer(engine);
      return;
    }
    this.engine = engine;
    this.restore(asking.storage.get("profile"));
    asking.storage.onOtherTab((name, value) => {
      if (name === "profile" && this.restore(value)) this.look("another tab");
    });
    this.before = engine.decide(Date.now()).score;
  }

  happened(event: RapportEvent): void {
    const cause = { cause: event.event ?? event.type, messageId: event.messageId, started: performance.now() };
    const { engine } = this;
    if (!engine) return this.ask(cause);
    let verdict: Verdict | undefined;
    try {
      verdict = engine.apply(event, Date.parse(event.timestamp));
    } catch (error) {
      // What an engine that fails remembers may be half done: it is not asked again.
      this.turnToServer(error);
    }
    if (!verdict) return;
    this.publish(verdict, "page", cause);
    this.asking.storage.set("profile", toBase64(engine.save()));
  }

  look(cause: string): void {
    const from = { cause, started: performance.now() };
    if (this.engine) this.publish(this.engine.decide(Date.now()), "page", from);
    else this.ask(from);
  }

  forget(): void {
    this.engine?.forget();
  }

  /** Averaged over many: one alone is below a page's clock. */
  measure(): number | undefined {
    if (!this.engine) return undefined;
    const runs = 50;
    const now = Date.now();
    const start = performance.now();
    for (let run = 0; run < runs; run += 1) this.engine.decide(now);
    return (performance.now() - start) / runs;
  }

  private ask(cause: Cause): void {
    void this.remote?.ask((verdict) => this.publish(verdict, "server", cause));
  }

  private publish(verdict: Verdict, source: "page" | "server", { started, ...from }: Cause): void {
    const change = this.before === undefined ? 0 : verdict.score - this.before;
    this.before = verdict.score;
    const took = performance.now() - started;
    this.asking.publish({ ...verdict, ...from, source, change, asOf: Date.now(), took });
  }

  private turnToServer(reason: unknown): void {
    console.info("rapport: decisions come from the server:", reason);
    this.engine = undefined;
    this.remote = new RemoteEngine(this.asking);
  }

  private restore(text: string | undefined): boolean {
    const bytes = text === undefined ? undefined : fromBase64(text);
    return bytes !== undefined && this.engine?.restore(bytes) === true;
  }
}
