import type { About, Asking } from "../decisions";
import type { Reason, Verdict } from "../types";

/** As many as the engine in the page gives. */
const REASONS = 5;

/** The first question waits no longer for what else there is to ask. */
const PATIENCE = 200;

/** Decisions over HTTP, where the page may not run WebAssembly. */
export class RemoteEngine {
  private busy = false;
  private due = false;
  private about: About | undefined;
  private served: (() => void) | undefined;
  /** The part `personalize` has said what else to ask, or will not. */
  private readonly ready: Promise<unknown>;

  /** `coming` fails where nothing else will be asked. */
  constructor(
    private readonly asking: Asking,
    coming: Promise<unknown> | undefined,
  ) {
    this.ready = new Promise<void>((resolve) => {
      this.served = resolve;
      if (coming) coming.then(() => setTimeout(resolve, PATIENCE), resolve);
      else resolve();
    });
  }

  /** Asks from now on for what this is about, too. */
  serve(about: About | undefined): void {
    this.about = about;
    this.served?.();
  }

  /** Asks for a decision on all that happened until now; questions that meet become one. */
  async ask(answer: (verdict: Verdict) => void): Promise<void> {
    this.due = true;
    if (this.busy) return;
    this.busy = true;
    try {
      await this.ready;
      while (this.due) {
        this.due = false;
        const visitor = this.about?.visitor();
        const said = await this.request(visitor);
        const verdict = readVerdict(said);
        if (verdict) answer(verdict);
        if (visitor) this.about?.hears((Object(said) as { flags?: unknown }).flags);
      }
    } finally {
      // Who fails to take an answer can ask again.
      this.busy = false;
    }
  }

  private async request(visitor: object | undefined): Promise<unknown> {
    const { url, key, rapport } = this.asking;
    const body = JSON.stringify({
      key,
      anonymousId: rapport.profiles ? rapport.anonymousId : undefined,
      sentAt: new Date().toISOString(),
      events: rapport.delivery.pending,
      visitor,
    });
    try {
      const response = await fetch(url, { method: "POST", body });
      return response.ok ? await response.json() : undefined;
    } catch {
      return undefined;
    }
  }
}

/** The server's answer, or none where it is not one. */
function readVerdict(answer: unknown): Verdict | undefined {
  if (typeof answer !== "object" || answer === null) return undefined;
  const { score, probability, band, base, reasons, scoredBy, fault } = answer as Record<string, unknown>;
  if (typeof score !== "number" || typeof probability !== "number" || typeof base !== "number") {
    return undefined;
  }
  if (band !== "qualified" && band !== "undecided" && band !== "not") return undefined;
  const all = Array.isArray(reasons) ? reasons.filter(isReason) : [];
  const known = all.slice(0, REASONS).map(({ signal, text, points, error }) => ({ signal, text, points, ...(typeof error === "number" ? { error } : {}) }));
  const rest = score - base - known.reduce((sum, { points }) => sum + points, 0);
  return {
    score,
    probability,
    band,
    base,
    reasons: known,
    rest,
    ...(typeof scoredBy === "string" ? { scoredBy } : {}),
    ...(typeof fault === "string" ? { fault } : {}),
  };
}

function isReason(value: unknown): value is Reason {
  if (typeof value !== "object" || value === null) return false;
  const { signal, text, points } = value as Record<string, unknown>;
  return typeof signal === "number" && typeof text === "string" && typeof points === "number";
}
