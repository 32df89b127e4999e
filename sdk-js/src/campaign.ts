import { clip } from "./capture/page";
import type { Campaign, ClickIds } from "./types";

const UTM = { source: "source", medium: "medium", name: "campaign", term: "term", content: "content", id: "id" };
const CLICK_IDS =
  "gclid gclsrc dclid gbraid wbraid gad_source fbclid msclkid twclid li_fat_id igshid ttclid rdt_cid epik qclid sccid irclid _kx mc_cid";

/** What the address says about the campaign that brought the visitor. */
export function campaignOf(parameters: URLSearchParams): Campaign | undefined {
  return some(Object.entries(UTM).map(([field, name]) => [field, parameters.get(`utm_${name}`)]));
}

export function clickIdsOf(parameters: URLSearchParams): ClickIds | undefined {
  return some(CLICK_IDS.split(" ").map((name) => [name, parameters.get(name)]));
}

/** What has a value; nothing where nothing has. */
export function some(pairs: readonly (readonly [string, string | null | undefined])[]): { [name: string]: string } | undefined {
  const found = pairs.flatMap(([name, value]) => (value ? [[name, clip(value, 250)] as const] : []));
  return found.length > 0 ? Object.fromEntries(found) : undefined;
}
