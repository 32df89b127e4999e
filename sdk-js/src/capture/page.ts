import type { PageContext } from "../types";

/** Longer texts would be refused by every engine alike. */
const MOST_CHARACTERS = 1_000;

export function clip(text: string, most = MOST_CHARACTERS): string {
  return text.length > most ? text.slice(0, most) : text;
}

export function pageContext(): PageContext {
  return {
    url: clip(location.href),
    path: clip(location.pathname),
    search: clip(location.search),
    title: clip(document.title, 250),
    referrer: clip(document.referrer),
  };
}

/** The page that is open, and each new route of a single-page app. */
export class Pages {
  /** The page on which things happen now, as it was when it opened. */
  current = pageContext();
  private route = routeOf();
  private readonly leaving: ((page: PageContext, gone: boolean) => void)[] = [];
  private readonly opening: (() => void)[] = [];

  constructor() {
    const look = () => {
      const now = routeOf();
      if (now === this.route) return;
      this.leave(true);
      this.route = now;
      this.current = pageContext();
      for (const listener of this.opening) listener();
    };
    for (const method of ["pushState", "replaceState"] as const) {
      const original = history[method];
      history[method] = function (...state: Parameters<typeof original>) {
        original.apply(this, state);
        // Routers set the title right behind the address.
        setTimeout(look);
      };
    }
    addEventListener("popstate", () => setTimeout(look));
    addEventListener("pagehide", () => this.leave(true));
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") this.leave(false);
    });
  }

  /** Calls back for the page that is open, and each new one. */
  onOpen(listener: () => void): void {
    this.opening.push(listener);
    listener();
  }

  /** Calls back when a page is left, for good or (`gone` false) for another tab. */
  onLeave(listener: (page: PageContext, gone: boolean) => void): void {
    this.leaving.push(listener);
  }

  private leave(gone: boolean): void {
    for (const listener of this.leaving) listener(this.current, gone);
  }
}

/** `#/…` is a router's; any other hash is a place on the same page. */
function routeOf(): string {
  const hash = /^#!?\//.test(location.hash) ? location.hash : "";
  return location.pathname + location.search + hash;
}
