/** The page's tracker, as what shows decisions knows it. */
import type { ConsentState, Purpose } from "../consent";
import type { Call } from "../rapport";
import type { Storage } from "../storage";
import type { Decision, Properties } from "../types";

/** What `createRapport` gives. */
export interface Tracker {
  readonly decision: Decision | undefined;
  track(event: string, properties: Properties): void;
  onDecision(listener: (decision: Decision) => void): () => void;
  /** Hears of exposures that were told, by their marks. */
  seen?(marks: readonly string[]): void;
  /** Whether the visitor lets a purpose be served now. Without it, whoever asks may. */
  readonly consents?: { allows(purpose: Purpose): boolean } | undefined;
  /** What the visitor said. */
  consentTo?(purpose: Purpose): ConsentState;
  /** What this browser keeps of the visitor, where that may be kept. */
  readonly storage?: Storage | undefined;
}

/** The script tag's, which keeps what is called before it has loaded. */
export const TAG: Tracker = {
  get decision() {
    return loaded()?.decision;
  },
  get consents() {
    return loaded()?.consents;
  },
  consentTo(purpose) {
    return loaded()?.consentTo(purpose) ?? "pending";
  },
  get storage() {
    return loaded()?.storage;
  },
  track(event, properties) {
    call(["track", event, properties]);
  },
  seen(marks) {
    call(["seen", marks]);
  },
  onDecision(listener) {
    const heard = ({ detail }: CustomEvent<Decision>) => listener(detail);
    // On servers, where pages are rendered too, nothing happens.
    globalThis.window?.addEventListener("rapport:decision", heard);
    return () => globalThis.window?.removeEventListener("rapport:decision", heard);
  },
};

function loaded() {
  const { rapport } = globalThis.window ?? {};
  return rapport && !Array.isArray(rapport) ? rapport : undefined;
}

function call(call: Call): void {
  const page = globalThis.window as Window | undefined;
  if (page) (page.rapport ||= []).push(call);
}
