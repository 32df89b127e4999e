/** Follows a visitor by links between sites of one owner that share no domain. */
import type { Rapport } from "../rapport";
import type { Config } from "../types";
import { LINK, open, seal } from "./token";

export function mount(rapport: Rapport, { key, linkDomains = [] }: Config): void {
  const followed = (host: string) =>
    host !== location.hostname && linkDomains.some((domain) => host === domain || host.endsWith(`.${domain}`));
  arrive(rapport, key, followed);
  const decorate = (event: Event) => {
    const [target] = event.composedPath();
    const link = target instanceof Element ? target.closest<HTMLAnchorElement>("a[href]") : null;
    if (!link || !rapport.known || !followed(link.hostname)) return;
    const bare = link.getAttribute("href") ?? "";
    const url = new URL(link.href);
    url.searchParams.set(LINK, seal(rapport.anonymousId, key, Date.now()));
    link.href = url.href;
    // Followed it is by then; who copies the address later copies no visitor.
    setTimeout(() => link.setAttribute("href", bare));
  };
  // Before the browser follows it, by whatever button; the time in it is the click's.
  for (const name of ["click", "auxclick"]) addEventListener(name, decorate, { capture: true });
}

/** Takes the id that brought a visitor here, once, and tidies the address. Only the owner's own pages bring anybody. */
function arrive(rapport: Rapport, key: string, followed: (host: string) => boolean): void {
  const url = new URL(location.href);
  const brought = url.searchParams.get(LINK);
  if (brought === null) return;
  const id = URL.canParse(document.referrer) && followed(new URL(document.referrer).hostname) && open(brought, key, Date.now());
  if (id) rapport.arrive(id);
  url.searchParams.delete(LINK);
  history.replaceState(history.state, "", url);
}
