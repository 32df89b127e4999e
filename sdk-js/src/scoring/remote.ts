import type { Asking } from "../decisions";
import type { Reason, Verdict } from "../types";

/** As many as the engine in the page gives. */
const REASONS = 5;

/** Decisions over HTTP, where the page may not run WebAssembly. */
export class RemoteEngine {
  private busy = false;
  private again = false;

  constructor(private readonly asking: Asking) {}

  /** Asks for a decision on all that happened until now; questions that meet become one. */
  async ask(answer: (verdict: Verdict) => void): Promise<void> {
    if (this.busy) {
      this.again = true;
      return;
    }
    this.busy = true;
    try {
      do {
        this.again = false;
        const verdict = await this.request();
        if (verdict) answer(verdict);
      } while (this.again);
    } finally {
      this.busy = false;
    }
  }

  private async request(): Promise<Verdict | undefined> {
    const { url, key, rapport } = this.asking;
    const body = JSON.stringify({
      key,
      anonymousId: rapport.profiles ? rapport.anonymousId : undefined,
      sentAt: new Date().toISOString(),
      events: rapport.delivery.pending,
    });
    try {
      const response = await fetch(url, {
        method: "POST",
        body,
      });
      return response.ok ? readVerdict(await response.json()) : undefined;
    } catch {
      return undefined;
    }
  }
}

/** The server's answer, or none where it is not one. */
function readVerdict(answer: unknown): Verdict | undefined {
  if (typeof answer !== "object" || answer === null) return undefined;
  const { score, probability, band, base, reasons } = answer as Record<string, unknown>;
  if (typeof score !== "number" || typeof probability !== "number" || typeof base !== "number") {
    return undefined;
  }
  if (band !== "qualified" && band !== "undecided" && band !== "not") return undefined;
  const all = Array.isArray(reasons) ? reasons.filter(isReason) : [];
  const known = all.slice(0, REASONS).map(({ signal, text, points }) => ({ signal, text, points }));
  const rest = score - base - known.reduce((sum, { points }) => sum + points, 0);
  return { score, probability, band, base, reasons: known, rest };
}

function isReason(value: unknown): value is Reason {
  if (typeof value !== "object" || value === null) return false;
  const { signal, text, points } = value as Record<string, unknown>;
  return typeof signal === "number" && typeof text === "string" && typeof points === "number";
}
