import type { Properties } from "../types";
import { clip } from "./page";

const CLICKABLE = "a[href],button,[role=button],input[type=submit],[data-rapport-event]";

/** Reports clicks on what is made to be clicked; what is typed or chosen is never read. */
export function captureClicks(report: (event: string, properties: Properties) => void): void {
  document.addEventListener(
    "click",
    ({ target }) => {
      const element = target instanceof Element ? target.closest<HTMLElement>(CLICKABLE) : null;
      if (!element || element.closest("[data-rapport-ignore]")) return;
      const link = element instanceof HTMLAnchorElement ? element : undefined;
      report(element.dataset["rapportEvent"] ?? "Clicked", {
        text: clip((element.textContent ?? "").trim().replace(/\s+/g, " "), 80),
        href: link ? clip(link.href) : "",
        outbound: link !== undefined && link.host !== "" && link.host !== location.host,
      });
    },
    { capture: true, passive: true },
  );
}
