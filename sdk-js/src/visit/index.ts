/** Says how each visit came; mounted where one begins. */
import type { Begun, Rapport } from "../rapport";
import type { Storage } from "../storage";
import type { Touch } from "../types";
import { touchOf } from "./touch";

/** Reports the visit that has begun, be it on an earlier page. */
export function mount(rapport: Rapport): void {
  const { url, referrer, at } = rapport.storage.take("begun") as Partial<Begun>;
  if (!url || !at) return;
  const touch = touchOf(new URL(url), referrer ?? "", at);
  const { first = touch, last = touch } = touches(rapport.storage);
  // The last touch that was not direct is what brought a visitor who comes back by heart.
  const kept = { first, last: touch.channel === "Direct" ? last : touch };
  rapport.storage.write("touch", kept);
  rapport.track("Visit Started", { ...touch, ...kept });
}

function touches(storage: Storage): { first?: Touch; last?: Touch } {
  const { first, last } = storage.read("touch") as { first?: Touch; last?: Touch };
  return first?.channel && last?.channel ? { first, last } : {};
}
