import type { Verdict } from "./engine";
import type { RapportEvent, Reason } from "./types";

/** As many as the engine in the page gives. */
const REASONS = 5;

/** Decisions over HTTP, where the page may not run WebAssembly. */
export class RemoteEngine {
  private asking = false;
  private again = false;

  constructor(
    private readonly url: string,
    private readonly key: string,
    private readonly anonymousId: () => string,
    private readonly pending: () => readonly RapportEvent[],
  ) {}

  /** Asks for a decision on all that happened until now; questions that meet become one. */
  async ask(answer: (verdict: Verdict) => void): Promise<void> {
    if (this.asking) {
      this.again = true;
      return;
    }
    this.asking = true;
    try {
      do {
        this.again = false;
        const verdict = await this.request();
        if (verdict) answer(verdict);
      } while (this.again);
    } finally {
      this.asking = false;
    }
  }

  private async request(): Promise<Verdict | undefined> {
    const body = JSON.stringify({
      key: this.key,
      anonymousId: this.anonymousId(),
      sentAt: new Date().toISOString(),
      events: this.pending(),
    });
    try {
      const response = await fetch(this.url, {
        method: "POST",
        body: new Blob([body], { type: "text/plain" }),
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
