/** Google Consent Mode: `gtag("consent", "default" | "update", { analytics_storage: "granted", … })`. */
import type { Choice } from "../consent";

type State = { readonly [signal: string]: unknown };

/**
 * Hears what was said before and what is said from now on. In a strict site everything waits for an answer
 * anyway: there a default that denies is none yet, and what waits is not lost.
 */
export function listenToGoogle(strict: boolean, choose: (choice: Choice) => void): void {
  const host = window as { dataLayer?: unknown[] };
  const layer = (host.dataLayer ??= []);
  let known: State = {};
  const hear = (entry: unknown) => {
    // `gtag` pushes its own `arguments`.
    const [command, when, state] = Array.from(Object(entry) as ArrayLike<unknown>);
    if (command !== "consent") return;
    const said = Object.entries(Object(state) as State).filter(([, value]) => !(strict && when === "default" && value === "denied"));
    known = { ...known, ...Object.fromEntries(said) };
    choose(choiceOf(known));
  };
  layer.forEach(hear);
  const { push } = layer;
  layer.push = function (...entries) {
    entries.forEach(hear);
    return push.apply(this, entries);
  };
}

function choiceOf(state: State): Choice {
  const said = (...signals: string[]) => {
    const values = signals.map((signal) => state[signal]).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : values.every((value) => value === "granted");
  };
  const analytics = said("analytics_storage");
  const profiling = said("ad_storage", "ad_user_data");
  const personalization = said("personalization_storage", "ad_personalization");
  return {
    ...(analytics === undefined ? {} : { analytics }),
    ...(profiling === undefined ? {} : { profiling }),
    ...(personalization === undefined ? {} : { personalization }),
  };
}
