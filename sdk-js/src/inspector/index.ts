/** The inspector: a small panel that shows a visitor's score and why, on the visitor's own page. */
import type { Rapport } from "../rapport";
import type { Personalization } from "../personalize";
import type { Decision } from "../types";
import { Memory } from "./memory";
import { Panel } from "./panel";

/** Opens the panel over the host page. */
export function mount(rapport: Rapport): void {
  const memory = new Memory();
  const panel = new Panel(memory);
  let stop = (): void => undefined;
  panel.onClose = () => stop();
  document.body.append(panel.element);
  // Where nothing is personalized, nobody takes this call.
  rapport.push(["decide", () => panel.showDecided(rapport as unknown as Personalization)]);
  stop = rapport.onDecision((decision) => {
    memory.add(entry(decision));
    panel.show(decision, memory.entries);
    measureSoon(rapport, panel, decision);
  });
}

/** One decision alone is shorter than a page's clock can tell, so many are timed, when the page is idle. */
function measureSoon(rapport: Rapport, panel: Panel, decision: Decision): void {
  if (decision.source === "server") {
    panel.showTime(`from the server in ${Math.round(decision.took)} ms`);
    return;
  }
  const idle = "requestIdleCallback" in window ? requestIdleCallback : setTimeout;
  idle(() => {
    const milliseconds = rapport.measure();
    if (milliseconds === undefined || rapport.decision !== decision) return;
    panel.showTime(`scored and explained in ${Math.max(1, Math.round(milliseconds * 1000))} µs, in this page`);
  });
}

/** What is not an event by a name of its own. */
const CAUSES: ReadonlyMap<string, string> = new Map([
  ["identify", "Said something about themselves"],
  ["group", "Named their company"],
  ["alias", "Became known by another id"],
  ["start", "Came back"],
  ["reset", "Was forgotten"],
  ["hints", "The server knew more"],
  ["another tab", "Did something in another tab"],
]);

function entry({ cause, change, score, asOf }: Decision) {
  const what = cause === "page" ? `Page ${location.pathname}` : (CAUSES.get(cause) ?? cause);
  return { what, change, score, at: asOf };
}
