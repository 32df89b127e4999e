const REPORT_EVERY_MS = 10_000;
const TICK_MS = 1_000;
/** A visitor who touches nothing for this long has stopped reading. */
const ATTENTION_MS = 30_000;

/** Reports seconds of attention: the tab is visible and the visitor was active lately. */
export function captureEngagement(report: (seconds: number) => void): void {
  let engaged = 0;
  let last = performance.now();
  let active = last;
  const count = () => {
    const now = performance.now();
    const until = Math.min(now, active + ATTENTION_MS);
    if (document.visibilityState === "visible" && until > last) engaged += until - last;
    last = now;
  };
  const flush = (least: number) => {
    if (engaged < least) return;
    report(Math.round(engaged / 100) / 10);
    engaged = 0;
  };
  const touch = () => {
    count();
    active = performance.now();
  };
  for (const name of ["pointerdown", "pointermove", "keydown", "scroll", "touchstart"]) {
    addEventListener(name, touch, { passive: true, capture: true });
  }
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") {
      last = active = performance.now();
      return;
    }
    // The tab was visible until now.
    engaged += Math.max(0, Math.min(performance.now(), active + ATTENTION_MS) - last);
    last = performance.now();
    flush(1_000);
  });
  setInterval(() => {
    count();
    flush(REPORT_EVERY_MS);
  }, TICK_MS);
}
