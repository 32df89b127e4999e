/** The page's tracker, as what shows decisions knows it. */
import type { Call } from "../rapport";
import type { Decision, Properties } from "../types";

/** What `createRapport` gives. */
export interface Tracker {
  readonly decision: Decision | undefined;
  track(event: string, properties: Properties): void;
  onDecision(listener: (decision: Decision) => void): () => void;
  /** Hears of exposures that were told, by their marks. */
  seen?(marks: readonly string[]): void;
}

/** The script tag's, which keeps what is called before it has loaded. */
export const TAG: Tracker = {
  get decision() {
    const { rapport } = globalThis.window ?? {};
    return rapport && !Array.isArray(rapport) ? rapport.decision : undefined;
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

function call(call: Call): void {
  const page = globalThis.window as Window | undefined;
  if (page) (page.rapport ||= []).push(call);
}
