import { campaignOf, clickIdsOf, some } from "../campaign";
import { clip } from "../capture/page";
import type { Touch } from "../types";
import { channelOf, searches } from "./channel";

/** Whose link a click id tells, where nothing else does. */
const CLICKED: readonly (readonly [ids: RegExp, source: string, medium: string])[] = [
  [/^(gclid|gclsrc|dclid|gbraid|wbraid|gad_source)$/, "google", "cpc"],
  [/^msclkid$/, "bing", "cpc"],
  [/^fbclid$/, "facebook", "referral"],
  [/^igshid$/, "instagram", "referral"],
  [/^twclid$/, "twitter", "referral"],
  [/^li_fat_id$/, "linkedin", "referral"],
  [/^ttclid$/, "tiktok", "referral"],
  [/^rdt_cid$/, "reddit", "referral"],
  [/^epik$/, "pinterest", "referral"],
  [/^qclid$/, "quora", "referral"],
  [/^sccid$/, "snapchat", "referral"],
  [/^irclid$/, "impact", "affiliate"],
  [/^(mc_cid|_kx)$/, "newsletter", "email"],
];

/** How the visit that begins on this page came. */
export function touchOf(page: URL, referrer: string, at: number): Touch {
  const campaign = campaignOf(page.searchParams);
  const clickIds = clickIdsOf(page.searchParams);
  const from = outside(referrer, page.hostname);
  const clicked = clickIds && CLICKED.find(([ids]) => Object.keys(clickIds).some((name) => ids.test(name)));
  const [source, medium] = campaign
    ? [campaign.source ?? "(not set)", campaign.medium ?? "(not set)"]
    : clicked
      ? [clicked[1], clicked[2]]
      : from
        ? [from, searches(from) ? "organic" : "referral"]
        : ["(direct)", "(none)"];
  const { name, term, content, id } = campaign ?? {};
  const told = { source, medium, ...some(Object.entries({ campaign: name, term, content, id })) };
  return {
    channel: channelOf(told),
    ...told,
    ...(clickIds ? { clickIds } : {}),
    ...(from ? { referrer: from } : {}),
    landing: clip(page.pathname, 250),
    at,
  };
}

/** Host of a page of somebody else's that linked here. */
function outside(referrer: string, own: string): string | undefined {
  if (!referrer) return undefined;
  try {
    const host = bare(new URL(referrer).hostname);
    const here = bare(own);
    return host === here || host.endsWith(`.${here}`) || here.endsWith(`.${host}`) ? undefined : host;
  } catch {
    return undefined;
  }
}

function bare(host: string): string {
  return host.replace(/^www\./, "");
}
