import type { Properties } from "../types";
import { clip } from "./page";

/** Reports that a form was started and submitted; never what is in it. */
export function captureForms(report: (event: string, properties: Properties) => void): void {
  const started = new WeakSet<HTMLFormElement>();
  const form = (target: EventTarget | null) => {
    const found = target instanceof Element ? target.closest("form") : null;
    return found?.closest("[data-rapport-ignore]") ? null : found;
  };
  document.addEventListener("focusin", ({ target }) => {
    const found = form(target);
    if (!found || started.has(found)) return;
    started.add(found);
    report("Form Started", { form: name(found) });
  });
  document.addEventListener(
    "submit",
    ({ target }) => {
      const found = form(target);
      if (found) report("Form Submitted", { form: name(found) });
    },
    { capture: true },
  );
}

function name(form: HTMLFormElement): string {
  const given = form.dataset["rapportForm"] ?? (form.id || form.getAttribute("name"));
  return clip(given || location.pathname, 100);
}
