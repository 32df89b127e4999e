import type { Campaign, PageContext, Properties } from "../types";

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

/** What the address says about the campaign that brought the visitor. */
export function campaign(): Campaign | undefined {
  const parameters = new URLSearchParams(location.search);
  const names: [keyof Campaign, string][] = [
    ["source", "utm_source"],
    ["medium", "utm_medium"],
    ["name", "utm_campaign"],
    ["term", "utm_term"],
    ["content", "utm_content"],
  ];
  const found = names.flatMap(([field, parameter]) => {
    const value = parameters.get(parameter);
    return value ? [[field, clip(value, 250)] as const] : [];
  });
  return found.length > 0 ? Object.fromEntries(found) : undefined;
}

/** Reports the page that is open, and each new route of a single-page app. */
export function capturePages(report: (properties: Properties) => void): void {
  let route = "";
  const look = () => {
    // `#/…` is a router's; any other hash is a place on the same page.
    const hash = /^#!?\//.test(location.hash) ? location.hash : "";
    const now = location.pathname + location.search + hash;
    if (now === route) return;
    route = now;
    report({ ...pageContext() });
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
  look();
}
