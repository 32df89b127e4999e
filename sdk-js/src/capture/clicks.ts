import type { Properties } from "../types";
import { allowed } from "./allowed";
import { clip } from "./page";

const CLICKABLE =
  "a[href],area[href],button,summary,[role=button],[role=link],[role=menuitem],[role=tab],[data-rapport-event]," +
  "input[type=submit],input[type=button],input[type=image],input[type=reset]";
/** What a visitor typed or chose may stand in these. */
const TYPED = "input,textarea,select,[contenteditable],[data-rapport-mask]";
const FILE = /\.(pdf|doc|xls|ppt|od[ts]|csv|zip|rar|7z|t?gz|dmg|exe|msi|apk|pkg|deb|rpm|mp[34]|mov|webm|epub|ics|vcf|stp|dwg)x?$/i;

/** Reports clicks on what is made to be clicked; what is typed or chosen is never read. */
export function captureClicks(all: boolean, report: (event: string, properties: Properties) => void): void {
  const clicked = (event: Event) => {
    const [target] = event.composedPath();
    const element = target instanceof Element ? target.closest<HTMLElement>(CLICKABLE) : null;
    if (!element || !allowed(element, all)) return;
    const link = element instanceof HTMLAnchorElement || element instanceof HTMLAreaElement ? element : undefined;
    const file = link && (link.hasAttribute("download") ? /[^/]*$/ : FILE).exec(link.pathname);
    report(element.dataset["rapportEvent"] ?? "Clicked", {
      text: clip(label(element), 80),
      href: link ? clip(link.href) : "",
      outbound: link !== undefined && link.host !== "" && link.host !== location.host,
      ...(file ? { file: clip(link.pathname.replace(/.*\//, ""), 100) } : {}),
    });
  };
  addEventListener("click", clicked, { capture: true, passive: true });
  // The middle button opens links, too.
  addEventListener("auxclick", (event) => { if (event.button === 1) clicked(event); }, { capture: true, passive: true });
}

function label(element: Element): string {
  if (element.closest(TYPED) || element.querySelector(TYPED)) return "";
  const text = element.textContent?.trim().replace(/\s+/g, " ");
  return text || element.getAttribute("aria-label") || element.querySelector("[alt]")?.getAttribute("alt") || "";
}
