/** GA4's default channel groups. */
import type { Touch } from "../types";

type Source = Pick<Touch, "source" | "medium" | "campaign">;

/** Made when it is first asked: most visits come by heart. */
const label = (words: string) => {
  let pattern: RegExp | undefined;
  return { test: (text: string) => (pattern ??= new RegExp(`(^|\\.)(${words})(\\.|$)`, "i")).test(text) };
};
const SEARCH = label("google|bing|duckduckgo|yahoo|baidu|yandex|ecosia|qwant|startpage|brave|kagi|ask|aol|naver|daum|seznam|sogou|msn|lycos|onet|rambler");
const SOCIAL = label("facebook|fb|instagram|ig|linkedin|lnkd|twitter|t\\.co|x\\.com|reddit|tiktok|pinterest|xing|threads|mastodon|bsky|quora|tumblr|vk|weibo|whatsapp|telegram|discord|ycombinator|snapchat|messenger|meetup|glassdoor|stackoverflow|stackexchange");
const VIDEO = label("youtube|youtu|vimeo|twitch|dailymotion|netflix|hulu|iqiyi|youku|wistia|ted");
const SHOPPING = label("amazon|ebay|etsy|alibaba|aliexpress|walmart|shopify|shopping|mercadolibre|idealo");
const SHOP = /(^|[^a-df-z])shop|shopping/i;
const PAID = /^(.*cp.*|ppc|retargeting|paid.*)$/i;
const EMAIL = /^e[-_ ]?mail$/i;
const SOCIAL_MEDIUM = /^(social([- ](network|media))?|sm)$/i;
const DISPLAY = /^(display|banner|expandable|interstitial|cpm)$/i;

const is = (word: string, ...words: readonly string[]) => words.includes(word.toLowerCase());

type Rule = readonly [group: string, holds: (visit: Required<Source>) => boolean];

/** The first that holds decides. */
const RULES: readonly Rule[] = [
  ["Direct", ({ source, medium }) => source === "(direct)" && /^\((not set|none)\)$/.test(medium)],
  ["Cross-network", ({ campaign }) => /cross-network/i.test(campaign)],
  ["Paid Shopping", ({ source, medium, campaign }) => (SHOPPING.test(source) || SHOP.test(campaign)) && PAID.test(medium)],
  ["Paid Search", ({ source, medium }) => SEARCH.test(source) && PAID.test(medium)],
  ["Paid Social", ({ source, medium }) => SOCIAL.test(source) && PAID.test(medium)],
  ["Paid Video", ({ source, medium }) => VIDEO.test(source) && PAID.test(medium)],
  ["Display", ({ medium }) => DISPLAY.test(medium)],
  ["Paid Other", ({ medium }) => PAID.test(medium)],
  ["Organic Shopping", ({ source, campaign }) => SHOPPING.test(source) || SHOP.test(campaign)],
  ["Organic Social", ({ source, medium }) => SOCIAL.test(source) || SOCIAL_MEDIUM.test(medium)],
  ["Organic Video", ({ source, medium }) => VIDEO.test(source) || /video/i.test(medium)],
  ["Organic Search", ({ source, medium }) => SEARCH.test(source) || is(medium, "organic")],
  ["Referral", ({ medium }) => is(medium, "referral", "app", "link")],
  ["Email", ({ source, medium }) => EMAIL.test(source) || EMAIL.test(medium)],
  ["Affiliates", ({ medium }) => is(medium, "affiliate")],
  ["Audio", ({ medium }) => is(medium, "audio")],
  ["SMS", ({ source, medium }) => is(source, "sms") || is(medium, "sms")],
  ["Mobile Push Notifications", ({ source, medium }) => /push$|mobile|notification/i.test(medium) || is(source, "firebase")],
];

export function channelOf({ source, medium, campaign = "" }: Source): string {
  return RULES.find(([, holds]) => holds({ source, medium, campaign }))?.[0] ?? "Unassigned";
}

/** Says that a visit came from a search engine. */
export function searches(host: string): boolean {
  return SEARCH.test(host);
}
