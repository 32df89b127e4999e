// GA4's default channel groups ("Default channel group" in the help of Google Analytics), a row each.
import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./site/source.mjs";

const { channelOf } = await source("visit/channel.ts");
const { touchOf } = await source("visit/touch.ts");

const RULES = `
(direct)        (none)              -                   Direct
(direct)        (not set)           -                   Direct
google          cpc                 cross-network-1     Cross-network
google          cpc                 summer              Paid Search
bing            PPC                 -                   Paid Search
duckduckgo.com  paidsearch          -                   Paid Search
amazon          cpc                 -                   Paid Shopping
google          cpc                 shopping-de         Paid Shopping
google          cpc                 workshop-de         Paid Search
google          cpc                 eshop               Paid Shopping
linkedin        cpc                 -                   Paid Social
facebook.com    paid_social         -                   Paid Social
youtube         cpv                 -                   Paid Video
youtube         cpc                 -                   Paid Video
trade-magazine  banner              -                   Display
trade-magazine  cpm                 -                   Display
trade-magazine  display             -                   Display
trade-magazine  retargeting         -                   Paid Other
trade-magazine  cpc                 -                   Paid Other
ebay            referral            -                   Organic Shopping
partner         email               shop                Organic Shopping
linkedin        post                -                   Organic Social
somewhere       social-network      -                   Organic Social
somewhere       sm                  -                   Organic Social
vimeo.com       referral            -                   Organic Video
somewhere       webvideo            -                   Organic Video
google          organic             -                   Organic Search
www.bing.com    referral            -                   Organic Search
somewhere       organic             -                   Organic Search
blog.example    referral            -                   Referral
blog.example    link                -                   Referral
june            email               -                   Email
june            e-mail              -                   Email
e_mail          blast               -                   Email
hub             affiliate           -                   Affiliates
podcast         audio               -                   Audio
sms             x                   -                   SMS
x               sms                 -                   SMS
app             web-push            -                   Mobile Push Notifications
app             mobile              -                   Mobile Push Notifications
firebase        x                   -                   Mobile Push Notifications
booth           event               -                   Unassigned
`;

for (const line of RULES.trim().split("\n")) {
  const [source, medium, campaign, channel] = line.split(/\s{2,}/);
  test(`${source}, ${medium}, ${campaign} is ${channel}`, () => {
    assert.equal(channelOf({ source, medium, campaign: campaign === "-" ? undefined : campaign }), channel);
  });
}

const ARRIVALS = [
  ["https://acme.test/", "", "Direct"],
  ["https://acme.test/", "https://www.google.co.uk/", "Organic Search"],
  ["https://acme.test/", "https://www.linkedin.com/feed", "Organic Social"],
  ["https://acme.test/", "https://out.reddit.com/", "Organic Social"],
  ["https://acme.test/", "https://blog.acme.test/post", "Direct"],
  ["https://shop.acme.test/", "https://www.acme.test/", "Direct"],
  ["https://acme.test/", "https://notion.so/page", "Referral"],
  ["https://acme.test/?gclid=1", "https://www.google.com/", "Paid Search"],
  ["https://acme.test/?msclkid=1", "", "Paid Search"],
  ["https://acme.test/?fbclid=1", "", "Organic Social"],
  ["https://acme.test/?mc_cid=1", "", "Email"],
  ["https://acme.test/?gclid=1&utm_source=june&utm_medium=email", "", "Email"],
  ["https://acme.test/?utm_campaign=x", "https://www.google.com/", "Unassigned"],
];

for (const [page, referrer, channel] of ARRIVALS) {
  test(`${page} from ${referrer || "nowhere"} came by ${channel}`, () => {
    assert.equal(touchOf(new URL(page), referrer, 0).channel, channel);
  });
}
