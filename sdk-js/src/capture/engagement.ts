import type { PageContext, Properties } from "../types";
import type { Pages } from "./page";

const REPORT_EVERY_MS = 10_000;
const TICK_MS = 5_000;
const LEAST_MS = 1_000;
/** A visitor who touches nothing for this long has stopped reading. */
const ATTENTION_MS = 30_000;
const MOVES_MS = 1_000;

/** Reports seconds of attention (the tab is visible, the visitor was active lately) and how far was scrolled. */
export function captureEngagement(pages: Pages, report: (properties: Properties, page?: PageContext) => void): void {
  let engaged = 0;
  let depth = 0;
  let last = performance.now();
  let active = last;
  let visible = document.visibilityState === "visible";
  const count = () => {
    const now = performance.now();
    const until = Math.min(now, active + ATTENTION_MS);
    if (visible && until > last) engaged += until - last;
    last = now;
    visible = document.visibilityState === "visible";
  };
  const flush = (least: number, page?: PageContext) => {
    if (engaged < least) return;
    report({ seconds: Math.round(engaged / 100) / 10, depth }, page);
    engaged = 0;
  };
  const look = () => {
    depth = Math.max(depth, scrolled());
  };
  const touch = ({ type }: Event) => {
    // A hand that moves the mouse says so sixty times a second.
    if (type === "pointermove" && visible && performance.now() - active < MOVES_MS) return;
    count();
    active = last;
    if (type === "scroll") look();
  };
  for (const name of ["pointerdown", "pointermove", "keydown", "scroll"]) {
    addEventListener(name, touch, { passive: true, capture: true });
  }
  // Less is not reported, and by then the layout is there: who asks before has the browser lay out twice.
  const later = () => setTimeout(look, LEAST_MS);
  if (document.readyState === "complete") later();
  else addEventListener("load", later);
  pages.onLeave((page, gone) => {
    count();
    flush(LEAST_MS, page);
    if (!gone) return;
    engaged = depth = 0;
    active = last;
  });
  document.addEventListener("visibilitychange", () => {
    count();
    if (visible) active = last;
  });
  setInterval(() => {
    count();
    if (visible) look();
    flush(REPORT_EVERY_MS);
  }, TICK_MS);
}

/** How much of the page has come into view, in percent. */
function scrolled(): number {
  const { scrollHeight } = document.documentElement;
  return Math.min(100, Math.round(((scrollY + innerHeight) / scrollHeight) * 100)) || 0;
}
