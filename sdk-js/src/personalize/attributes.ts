/** What conditions may ask of a visitor and the page that is open. */
import { campaignOf } from "../campaign";
import type { Rapport } from "../rapport";
import type { Touch } from "../types";

/** By the names that docs/tracking.md lists; of a visitor whom nobody may follow there are no ids. */
export function attributesOf(rapport: Rapport, visit: number): { [name: string]: unknown } {
  const query = new URLSearchParams(location.search);
  const { anonymousId, userId, groupId } = rapport.identity;
  const { last } = rapport.storage.read("touch") as { last?: Touch };
  const campaign = campaignOf(query) ?? {};
  const utm = Object.entries(campaign).map(([name, value]) => [`utm${name[0]!.toUpperCase()}${name.slice(1)}`, value]);
  return {
    ...(rapport.known ? { id: anonymousId, anonymousId } : {}),
    userId,
    groupId,
    url: location.href,
    host: location.host,
    path: location.pathname,
    query: Object.fromEntries(query),
    title: document.title,
    referrer: document.referrer,
    language: navigator.language,
    device: matchMedia("(pointer: coarse)").matches ? (Math.min(screen.width, screen.height) < 600 ? "mobile" : "tablet") : "desktop",
    visit,
    channel: last?.channel,
    source: last?.source,
    medium: last?.medium,
    campaign: last?.campaign,
    ...Object.fromEntries(utm),
  };
}
