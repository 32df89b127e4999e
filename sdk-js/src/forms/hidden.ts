import { campaignOf, clickIdsOf } from "../campaign";
import type { Storage } from "../storage";
import type { Touch } from "../types";

/** Hidden fields such as `utm_source` or `gclid` that are empty get what brought the visitor. */
export function fillHidden(form: HTMLFormElement, storage: Storage): void {
  const known = origin(storage);
  for (const field of form.querySelectorAll<HTMLInputElement>("input[type=hidden]")) {
    const value = known.get(field.name.toLowerCase().replace(/^.*(?=utm_)/, ""));
    if (!value || field.value !== "") continue;
    field.value = value;
    // Builders that keep their own state hear of it like of typing.
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }
}

/** What the address says, or else the visit's last touch. */
function origin(storage: Storage): Map<string, string> {
  const parameters = new URLSearchParams(location.search);
  const { last } = storage.read("touch") as { last?: Touch };
  const { name: campaign, ...told } = campaignOf(parameters) ?? {};
  const clickIds = clickIdsOf(parameters) ?? last?.clickIds ?? {};
  const from: Partial<Touch> = Object.keys(told).length > 0 || campaign ? { ...told, ...(campaign ? { campaign } : {}) } : (last ?? {});
  const { source, medium, term, content, id } = from;
  const utm = Object.entries({ source, medium, campaign: from.campaign, term, content, id });
  const known = [...utm.map(([field, value]) => [`utm_${field}`, value] as const), ...Object.entries(clickIds)];
  return new Map(known.flatMap(([name, value]) => (value ? [[name, value] as const] : [])));
}
