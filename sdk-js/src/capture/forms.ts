import type { Properties } from "../types";
import { allowed } from "./allowed";
import { clip } from "./page";

/** Builders whose forms say by themselves when they were really sent: the part `forms` listens to them. */
export const TELLING = ".wpcf7-form,.hs-form";
/** HubSpot's forms in frames of their own: what holds one, and the frame of older embeds. */
const FRAMES = ["hs-form-frame", "hs-form-iframe"];

/** Reports that forms were started and submitted; never what is in them. `found` hears when there is one. */
export function captureForms(report: (event: string, properties: Properties) => void, found: () => void): void {
  const holders = [document.forms, ...FRAMES.map((name) => document.getElementsByClassName(name))];
  const started = new WeakSet<HTMLFormElement>();
  const observer = new MutationObserver(() => look());
  const look = () => {
    if (holders.every(({ length }) => length === 0)) return;
    observer.disconnect();
    found();
  };
  observer.observe(document, { childList: true, subtree: true });
  look();
  addEventListener(
    "focusin",
    (event) => {
      const form = formOf(event);
      if (!form || started.has(form)) return;
      started.add(form);
      report("Form Started", { form: formName(form) });
    },
    { capture: true, passive: true },
  );
  addEventListener(
    "submit",
    (event) => {
      const form = formOf(event);
      if (form && !form.matches(TELLING)) report("Form Submitted", { form: formName(form) });
    },
    { capture: true },
  );
}

export function formOf(event: Event): HTMLFormElement | undefined {
  const [target] = event.composedPath();
  const form = target instanceof Element ? target.closest("form") : null;
  return form && allowed(form) ? form : undefined;
}

export function formName(form: HTMLFormElement): string {
  const given = form.dataset["rapportForm"] ?? (form.getAttribute("id") || form.getAttribute("name"));
  return clip(given || location.pathname, 100);
}
