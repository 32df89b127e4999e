/** Scores from the workspace's server, of models that this host cannot run. */
import { BANDS } from "../flags/bands";
import type { Reason, Verdict } from "../types";
import type { Said, Visitor } from "./visitor";

/** Says whom the server is asked about. */
export type Question = Pick<Visitor, "anonymousId" | "events" | "now"> & { readonly profile?: string };

/** As many as the engine gives. */
const REASONS = 5;
/** In which a server that failed is not asked again, so that it slows no request down. */
const PAUSE_MS = 5_000;
const MOST_BYTES = 256 * 1024;

export class Asker {
  private failed: { readonly said: Said; readonly until: number } | undefined;

  /** `hear` hears why an answer was none. */
  constructor(
    private readonly url: string,
    private readonly secretKey: string,
    private readonly request: typeof fetch,
    private readonly patience: number,
    private readonly hear: (fault: string, message: string) => void,
  ) {}

  /** Never throws: what fails is said. */
  async ask(question: Question): Promise<Said> {
    if (this.failed && performance.now() < this.failed.until) return this.failed.said;
    this.failed = undefined;
    const signal = AbortSignal.timeout(this.patience);
    try {
      const headers = { "content-type": "application/json", authorization: `Bearer ${this.secretKey}` };
      const answer = await this.request(this.url, { method: "POST", headers, body: JSON.stringify({ ...question, reasons: REASONS }), signal });
      const said = parsed(await textOf(answer));
      if (answer.status === 404 && NOBODY.has(String(said["type"]))) return {};
      if (!answer.ok) return this.fail("absent", `${this.url} answered ${answer.status}: ${String(said["detail"] ?? "")}`);
      const verdict = verdictOf(said);
      return verdict ? { verdict } : this.fail("nonsense", `${this.url} answered what is no score`);
    } catch (error) {
      return signal.aborted ? this.fail("time", `${this.url} took longer than ${this.patience} ms`) : this.fail("absent", `${this.url} does not answer: ${String(error)}`);
    }
  }

  private fail(fault: string, message: string): Said {
    this.failed = { said: { fault }, until: performance.now() + PAUSE_MS };
    this.hear(fault, message);
    return this.failed.said;
  }
}

/** Nothing scores, or the visitor refuses. */
const NOBODY = new Set(["no-bundle", "not-found"].map((name) => `urn:rapport:problem:${name}`));

async function textOf(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of answer.body ?? []) {
    length += chunk.length;
    if (length > MOST_BYTES) return "";
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString();
}

function parsed(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** What an answer says, or nothing where its points do not add up. */
function verdictOf({ score, probability, band, base, reasons, rest, scoredBy, fault }: Record<string, unknown>): Verdict | undefined {
  const known = BANDS.find((one) => one === band);
  if (!isPercent(score) || !isPercent(base) || typeof probability !== "number" || !(probability >= 0 && probability <= 1) || !known) return undefined;
  if (typeof rest !== "number" || !Array.isArray(reasons) || !reasons.every(isReason)) return undefined;
  if (reasons.reduce((sum, { points }) => sum + points, base + rest) !== score) return undefined;
  return {
    score,
    probability,
    band: known,
    base,
    reasons: reasons.map(({ signal, text, points, error }) => ({ signal, text, points, ...(typeof error === "number" ? { error } : {}) })),
    rest,
    ...(typeof scoredBy === "string" ? { scoredBy } : {}),
    ...(typeof fault === "string" ? { fault } : {}),
  };
}

function isPercent(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 100;
}

function isReason(value: unknown): value is Reason {
  const { signal, text, points } = Object(value) as Record<string, unknown>;
  return typeof signal === "number" && typeof text === "string" && Number.isInteger(points);
}
