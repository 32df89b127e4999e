/** Follows a visitor by links between sites of one owner that share no domain. */
import type { Rapport } from "../rapport";
import type { Config } from "../types";
import { LINK, open, seal } from "./token";

export function mount(rapport: Rapport, { key, linkDomains = [] }: Config): void {
  arrive(rapport, key);
  const followed = (host: string) =>
    host !== location.hostname && linkDomains.some((domain) => host === domain || host.endsWith(`.${domain}`));
  const decorate = (event: Event) => {
    const [target] = event.composedPath();
    const link = target instanceof Element ? target.closest<HTMLAnchorElement>("a[href]") : null;
    if (!link || !rapport.known || !followed(link.hostname)) return;
    const url = new URL(link.href);
    url.searchParams.set(LINK, seal(rapport.anonymousId, key, Date.now()));
    link.href = url.href;
  };
  // Before the browser follows it, by whatever button; the time in it is the click's.
  for (const name of ["click", "auxclick"]) addEventListener(name, decorate, { capture: true });
}

/** Takes the id that brought a visitor here, once, and tidies the address. */
function arrive(rapport: Rapport, key: string): void {
  const url = new URL(location.href);
  const brought = url.searchParams.get(LINK);
  if (brought === null) return;
  const id = open(brought, key, Date.now());
  if (id) rapport.arrive(id);
  url.searchParams.delete(LINK);
  history.replaceState(history.state, "", url);
}
