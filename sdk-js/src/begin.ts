import type { Early } from "./decisions";
import { Rapport, type Call } from "./rapport";
import type { Options, Parts } from "./types";

/** What a part that comes later exports. */
export interface Later {
  mount(rapport: Rapport, options: Options): void;
}

/** Starts tracking; `calls` were made before there was anybody to hear them. */
export function begin(
  given: Options,
  early: Promise<Early>,
  load: (part: keyof Parts) => Promise<unknown>,
  calls: readonly Call[],
): Rapport {
  const { inspector = asked("inspect"), debug = asked("debug"), linkDomains } = given;
  const options = { ...given, debug };
  const mount = async (part: keyof Parts) => {
    try {
      ((await load(part)) as Later | undefined)?.mount(rapport, options);
    } catch (error) {
      console.warn(`rapport: no ${part}:`, error);
    }
  };
  const rapport = new Rapport(options, early, (part) => void mount(part));
  // Who takes part, and what is allowed, is settled before anything is tracked.
  const settling = ([method]: Call) => method === "use" || method === "consent";
  rapport.push(...calls.filter(settling));
  const go = () => {
    rapport.start();
    rapport.push(...calls.filter((call) => !settling(call)));
    if (debug) rapport.want("debug");
    if (inspector) rapport.want("inspector");
    void early.then(({ flags }) => flags && rapport.want("personalize"), () => undefined);
  };
  const links = linkDomains && mount("links");
  // Who comes by a link from the owner's other site brings an id.
  if (links && location.search.includes("_rapport=")) void links.then(go);
  // A page that is only prepared is not seen yet.
  else if ((document as { prerendering?: boolean }).prerendering) document.addEventListener("prerenderingchange", go, { once: true });
  else go();
  return rapport;
}

/** Whether the address asks for something. */
function asked(what: string): boolean {
  return new URLSearchParams(location.search).has(`rapport-${what}`);
}
