/** How the page felt, by Google's web vitals; fetched where the site wants them. */
import { onCLS, onFCP, onINP, onLCP, onTTFB, type Metric } from "web-vitals";
import type { Rapport } from "../rapport";

export function mount(rapport: Rapport): void {
  const measured: { [name: string]: number } = {};
  const take = ({ name, value }: Metric) => {
    // Milliseconds, but for the layout's shift.
    measured[name.toLowerCase()] = name === "CLS" ? Math.round(value * 1e4) / 1e4 : Math.round(value);
  };
  for (const measure of [onCLS, onFCP, onINP, onLCP, onTTFB]) measure(take);
  let reported = false;
  const report = () => {
    if (reported || document.visibilityState !== "hidden") return;
    reported = true;
    rapport.track("Web Vitals", measured);
  };
  // Behind the measures' own listeners, which settle when the page is hidden.
  document.addEventListener("visibilitychange", report);
}
