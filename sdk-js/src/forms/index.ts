/** What forms tell beyond that they were started and submitted; fetched where a page has one. */
import { allowed } from "../capture/allowed";
import { TELLING, formName, formOf } from "../capture/forms";
import { clip } from "../capture/page";
import type { Rapport } from "../rapport";
import type { Config } from "../types";
import { fillHidden } from "./hidden";
import { traitsOf } from "./traits";

type Traits = ReturnType<typeof traitsOf>;

export function mount(rapport: Rapport, { autocapture }: Config): void {
  const { identify = true, traits: mapped = {} } = autocapture instanceof Object ? autocapture : {};
  new Forms(rapport, (form) => (identify && rapport.profiles ? traitsOf(form, mapped) : undefined));
}

/** HubSpot's place for a form in a frame. */
const HOLDER = ".hs-form-frame[data-form-id]";

class Forms {
  private readonly seen = new WeakSet<HTMLFormElement>();
  /** Started and not submitted, with the field that was used last. */
  private readonly open = new Map<HTMLFormElement, string>();
  /** What forms that tell by themselves held when they were submitted. */
  private readonly submitted = new WeakMap<HTMLFormElement, Traits>();
  /** Frames that hold a form, and its id. */
  private readonly frames = new WeakMap<Element, string>();
  private readonly observer = new IntersectionObserver((entries) => this.viewed(entries), { threshold: [0, 0.25, 0.5] });

  constructor(
    private readonly rapport: Rapport,
    private readonly traits: (form: HTMLFormElement) => Traits,
  ) {
    new MutationObserver(() => this.look()).observe(document, { childList: true, subtree: true });
    this.look();
    const capture = { capture: true };
    addEventListener("focusin", (event) => this.used(event.target, formOf(event)), capture);
    this.used(document.activeElement, document.activeElement?.closest("form") ?? undefined);
    addEventListener("submit", (event) => this.submit(formOf(event)), capture);
    this.listenToBuilders();
    rapport.pages.onLeave((page, gone) => {
      if (!gone) return;
      for (const [form, field] of this.open) rapport.track("Form Abandoned", { form: formName(form), field }, page);
      this.open.clear();
    });
  }

  private look(): void {
    for (const form of document.forms) {
      if (this.seen.has(form) || !allowed(form)) continue;
      this.seen.add(form);
      this.observer.observe(form);
      fillHidden(form, this.rapport.storage);
    }
    for (const holder of document.querySelectorAll<HTMLElement>(HOLDER)) this.framed(holder, holder.dataset["formId"] ?? "");
  }

  /** Half of it, or half the window where it is taller. */
  private viewed(entries: readonly IntersectionObserverEntry[]): void {
    for (const { target, intersectionRatio, intersectionRect } of entries) {
      if (intersectionRatio < 0.5 && intersectionRect.height < innerHeight / 2) continue;
      this.observer.unobserve(target);
      const id = this.frames.get(target);
      // What holds a form of the page itself is not it.
      if (id !== undefined && target.querySelector("form")) continue;
      this.rapport.track("Form Viewed", { form: id === undefined ? formName(target as HTMLFormElement) : frameName(id) });
    }
  }

  private used(target: EventTarget | null, form: HTMLFormElement | undefined): void {
    if (form && target instanceof Element) this.open.set(form, clip(target.getAttribute("name") ?? "", 100));
  }

  private submit(form: HTMLFormElement | undefined): void {
    if (!form) return;
    fillHidden(form, this.rapport.storage);
    const traits = this.traits(form);
    if (form.matches(TELLING)) {
      this.submitted.set(form, traits);
      return;
    }
    this.open.delete(form);
    this.identify(traits);
  }

  /** A builder's form was really sent. */
  private sent(form: Element | null | undefined): void {
    if (!(form instanceof HTMLFormElement) || !allowed(form)) return;
    this.open.delete(form);
    this.rapport.track("Form Submitted", { form: formName(form) });
    this.identify(this.submitted.get(form) ?? this.traits(form));
  }

  private identify(traits: Traits): void {
    if (traits && Object.keys(traits).length > 0) this.rapport.identify(null, traits);
  }

  /** A form in a frame tells by messages that it is there and that it was sent, and nothing that is in it. */
  private framed(frame: Element, id: string): void {
    if (this.frames.has(frame) || !allowed(frame)) return;
    this.frames.set(frame, id);
    this.observer.observe(frame);
  }

  /** Contact Form 7 and HubSpot refuse wrong entries by themselves, after `submit`. */
  private listenToBuilders(): void {
    addEventListener("wpcf7mailsent", ({ target }) => {
      if (target instanceof Element) this.sent(target.matches("form") ? target : target.querySelector("form"));
    });
    addEventListener("message", ({ data, source }: MessageEvent<unknown>) => {
      const { type, eventName, id } = Object(data) as Record<string, unknown>;
      const submitted = eventName === "onFormSubmitted";
      if (type !== "hsFormCallback" || typeof id !== "string" || !(submitted || eventName === "onFormReady")) return;
      const frame = [...document.querySelectorAll("iframe")].find(({ contentWindow }) => contentWindow === source);
      if (!frame) return submitted ? this.sent(hubSpotForm(id)) : undefined;
      this.framed(frame.closest(HOLDER) ?? frame, id);
      if (submitted && allowed(frame)) this.rapport.track("Form Submitted", { form: frameName(id) });
    });
    addEventListener("hs-form-event:on-submission:success", ({ detail }: CustomEventInit) => {
      this.sent(hubSpotForm((Object(detail) as Record<string, unknown>)["formId"]));
    });
  }
}

/** As HubSpot names a form that stands in the page itself. */
function frameName(id: string): string {
  return clip(`hsForm_${id}`, 100);
}

function hubSpotForm(id: unknown): Element | undefined {
  return [...document.querySelectorAll<HTMLFormElement>(".hs-form")].find(
    (form) => form.dataset["formId"] === id || form.id.startsWith(`hsForm_${String(id)}`),
  );
}
