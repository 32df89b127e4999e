import type { Choice, Personalization, Why } from "../personalize";
import type { Decision } from "../types";
import { html, svg } from "./dom";
import type { Entry, Memory } from "./memory";
import { pick } from "./picker";
import { STYLE } from "./style";

const BANDS = { qualified: "Qualified", undecided: "Undecided", not: "Not yet" } as const;
const RADIUS = 42;
/** The dial is three quarters of a circle. */
const ARC = 2 * Math.PI * RADIUS * 0.75;

/** The panel's view: `show` writes a decision into it. */
export class Panel {
  readonly element = html("rapport-inspector" as "div");
  onClose: () => void = () => undefined;

  private readonly panel: HTMLElement;
  private readonly fill = dialArc("fill");
  private readonly score = html("b", { class: "score" }, "–");
  private readonly change = html("span", { class: "change" });
  private readonly band = html("span", { class: "band" });
  private readonly probability = html("span", { class: "soft" });
  private readonly sum = html("p", { class: "sum" });
  private readonly reasons = html("ul", { class: "reasons" });
  private readonly history = html("ol", { class: "history" });
  private readonly shown = html("ul", { class: "shown" });
  private readonly reset = html("button", { type: "button", class: "reset" }, "Show what everybody gets");
  private readonly picked = html("code", { class: "picked", "aria-live": "polite" });
  private readonly time = html("p", { class: "time soft" });
  private readonly spoken = html("p", { class: "spoken", "aria-live": "polite" });
  private readonly fold: HTMLButtonElement;
  /** What the next frame shows. */
  private next: { decision: Decision; entries: readonly Entry[] } | undefined;

  constructor(private readonly memory: Memory) {
    this.fold = html("button", { type: "button", class: "fold", "aria-controls": "details" });
    const move = html("button", { type: "button", class: "move", "aria-label": "Move to the other side" }, sides());
    const close = html("button", { type: "button", "aria-label": "Close the inspector" }, cross());
    const point = html("button", { type: "button", class: "pick" }, "Point at an element");
    this.panel = html(
      "section",
      { class: "panel", "aria-label": "Rapport inspector" },
      html(
        "header",
        {},
        svg("svg", { viewBox: "0 0 100 88", class: "dial", "aria-hidden": "true" }, dialArc("track"), this.fill),
        html("div", { class: "number" }, this.score, html("span", { class: "of soft" }, "of 100")),
        html("div", { class: "verdict" }, html("div", { class: "line" }, this.band, this.change), this.probability),
        html("div", { class: "buttons" }, move, this.fold, close),
      ),
      html(
        "div",
        { id: "details" },
        html("h2", {}, "Why"),
        this.reasons,
        this.sum,
        html("h2", { class: "of-shown" }, "What is shown"),
        this.shown,
        this.reset,
        html("div", { class: "picking" }, point, this.picked),
        html("h2", {}, "What happened"),
        this.history,
        this.time,
      ),
      this.spoken,
    );
    const root = this.element.attachShadow({ mode: "open" });
    const style = new CSSStyleSheet();
    style.replaceSync(STYLE);
    root.adoptedStyleSheets = [style];
    root.append(this.panel);
    // The page's own capture need not see clicks on this panel.
    this.element.dataset["rapportIgnore"] = "";
    this.fold.addEventListener("click", () => this.setFolded(!this.memory.folded));
    move.addEventListener("click", () => this.setSide(this.memory.side === "left" ? "right" : "left"));
    close.addEventListener("click", () => this.close());
    point.addEventListener("click", () =>
      pick(root, (selector) => {
        this.picked.textContent = selector ?? "No selector of the page means only this element.";
      }),
    );
    this.panel.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.setFolded(true);
    });
    this.setFolded(this.memory.folded);
    this.setSide(this.memory.side);
  }

  /** Shows the score at once, and why with the next frame: a page waits for neither layout nor lists. */
  show(decision: Decision, entries: readonly Entry[]): void {
    this.panel.dataset["score"] = this.score.textContent = String(decision.score);
    if (this.next === undefined) requestAnimationFrame(() => this.showNext());
    this.next = { decision, entries };
  }

  /** Shows what is decided besides the score; a click on something else shows that instead. */
  showDecided({ explain, override }: Personalization): void {
    const { why, overridden } = explain();
    this.reset.hidden = !overridden;
    this.reset.onclick = () => override();
    const idle = ({ kind, number }: Why) => kind === "experiment" && number === undefined;
    const rows = [...why.filter((one) => !idle(one)), ...why.filter(idle)];
    this.shown.replaceChildren(
      ...rows.map(({ kind, key, what, why, options = [] }) =>
        html(
          "li",
          { class: kind },
          html("span", { class: "what" }, kind === "problem" ? "Does not work" : key),
          html("span", { class: "kind soft" }, kind === "problem" ? "" : (what ?? (kind === "slot" ? "as it was" : "not here"))),
          html("span", { class: "soft because" }, why),
          html("span", { class: "options" }, ...options.map((option) => this.option(option, override))),
        ),
      ),
    );
  }

  private option({ label, chosen, override: choice }: Choice, override: Personalization["override"]): HTMLButtonElement {
    const button = html("button", { type: "button", class: "option", "aria-pressed": String(chosen) }, label);
    button.onclick = () => override(choice);
    return button;
  }

  showTime(text: string): void {
    this.time.textContent = text;
  }

  private showNext(): void {
    if (!this.next) return;
    const { decision, entries } = this.next;
    this.next = undefined;
    const { score, band, change, probability } = decision;
    this.panel.dataset["band"] = band;
    this.fill.style.strokeDashoffset = String(ARC * (1 - score / 100));
    this.band.textContent = BANDS[band];
    this.probability.textContent = `${percent(probability)} likely to qualify`;
    this.change.textContent = change === 0 ? "" : signed(change);
    this.change.dataset["sign"] = sign(change);
    pop(this.change);
    this.showReasons(decision);
    this.showHistory(entries);
    this.spoken.textContent = `Score ${score}${change === 0 ? "" : `, ${signed(change)}`}. ${BANDS[band]}.`;
  }

  private showReasons({ reasons, rest, base, score }: Decision): void {
    const widest = Math.max(1, ...reasons.map(({ points }) => Math.abs(points)), Math.abs(rest));
    const rows = reasons.map(({ text, points, server }) => reasonRow(text, points, widest, server));
    if (rest !== 0) rows.push(reasonRow("All other signals", rest, widest));
    if (rows.length === 0) rows.push(html("li", { class: "none soft" }, "Nothing has moved the score yet."));
    this.reasons.replaceChildren(...rows);
    const points = [...reasons.map((reason) => reason.points), ...(rest === 0 ? [] : [rest])];
    const number = (value: string, kind: string) => html("span", { class: kind }, value);
    this.sum.replaceChildren(
      number(String(base), "base"),
      number("base", "soft"),
      ...points.map((value) => number(signed(value), sign(value))),
      number("=", "soft"),
      number(String(score), "total"),
    );
  }

  private showHistory(entries: readonly Entry[]): void {
    this.history.replaceChildren(
      ...entries.map(({ what, change, score }) =>
        html(
          "li",
          {},
          html("span", { class: "what", title: what }, what),
          html("span", { class: sign(change) }, change === 0 ? "±0" : signed(change)),
          html("span", { class: "then soft" }, String(score)),
        ),
      ),
    );
  }

  private setFolded(folded: boolean): void {
    this.memory.folded = folded;
    this.panel.toggleAttribute("data-folded", folded);
    this.element.toggleAttribute("data-folded", folded);
    this.fold.setAttribute("aria-expanded", String(!folded));
    this.fold.setAttribute("aria-label", folded ? "Show the reasons" : "Hide the reasons");
    this.fold.replaceChildren(chevron());
  }

  private setSide(side: "left" | "right"): void {
    this.memory.side = side;
    this.element.dataset["side"] = side;
  }

  private close(): void {
    this.onClose();
    this.element.remove();
  }
}

function reasonRow(text: string, points: number, widest: number, server = false): HTMLLIElement {
  const bar = html("i", { class: `bar ${sign(points)}` });
  bar.style.setProperty("--share", String(Math.abs(points) / widest));
  return html(
    "li",
    {},
    html("span", { class: "text" }, server ? `${text} (from the server)` : text),
    html("span", { class: `points ${sign(points)}` }, signed(points)),
    html("span", { class: "axis", "aria-hidden": "true" }, bar),
  );
}

function dialArc(name: string): SVGCircleElement {
  const arc = svg("circle", { class: name, cx: "50", cy: "48", r: String(RADIUS), transform: "rotate(135 50 48)" });
  arc.style.strokeDasharray = `${ARC} ${2 * ARC}`;
  return arc;
}

function chevron(): SVGElement {
  return svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: "M3 6l5 5 5-5" }));
}

function sides(): SVGElement {
  return svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: "M5 5L2 8l3 3M11 5l3 3-3 3M2 8h12" }));
}

function cross(): SVGElement {
  return svg("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, svg("path", { d: "M4 4l8 8M12 4l-8 8" }));
}

function pop(element: HTMLElement): void {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  element.animate([{ transform: "translateY(6px) scale(.8)", opacity: 0 }, {}], {
    duration: 500,
    easing: "cubic-bezier(.2, 1.4, .4, 1)",
  });
}

function signed(value: number): string {
  return value < 0 ? `−${-value}` : `+${value}`;
}

function sign(value: number): "up" | "down" | "same" {
  return value > 0 ? "up" : value < 0 ? "down" : "same";
}

function percent(probability: number): string {
  const value = probability * 100;
  return value > 0 && value < 1 ? "under 1 %" : value > 99 && value < 100 ? "over 99 %" : `${Math.round(value)} %`;
}
