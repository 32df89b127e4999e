//! Where a visit came from, by campaign parameters, click ids and the referrer's host.

use super::{Event, Field, FieldValue};
use crate::binary::{FNV32, hash_on};

/// The channels that a visit can come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    Direct,
    OrganicSearch,
    PaidSearch,
    Email,
    Social,
    Referral,
    Other,
}

impl Channel {
    /// The level that the virtual path `channel` yields.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::OrganicSearch => "organic search",
            Self::PaidSearch => "paid search",
            Self::Email => "email",
            Self::Social => "social",
            Self::Referral => "referral",
            Self::Other => "other",
        }
    }
}

/// What tells the channel: Segment's `context.campaign` and `context.page`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Visit<'a> {
    pub source: &'a str,
    pub medium: &'a str,
    pub name: &'a str,
    pub referrer: &'a str,
    /// The page's URL.
    pub url: &'a str,
    /// The page's query string.
    pub search: &'a str,
}

// Words with a space between them: lists of texts would bring their addresses and lengths along.
const SEARCH: &str = "google bing duckduckgo yahoo baidu yandex ecosia qwant startpage brave kagi";
const SOCIAL: &str = "facebook instagram linkedin lnkd twitter t.co x.com youtube reddit tiktok \
                      pinterest xing threads mastodon";
const PAID_CLICK: &str = "gclid msclkid dclid wbraid gbraid";
const SOCIAL_CLICK: &str = "fbclid li_fat_id ttclid twclid";
const MEDIA: [(&str, Channel); 5] = [
    ("email e-mail newsletter mail", Channel::Email),
    ("social paid-social paid_social social-media", Channel::Social),
    ("cpc ppc paid sem paidsearch", Channel::PaidSearch),
    ("organic", Channel::OrganicSearch),
    ("referral partner affiliate", Channel::Referral),
];

impl<'a> Visit<'a> {
    /// Reads what an event says about its visit.
    pub fn of(event: &Event<'a>) -> Self {
        let mut visit = Self::default();
        event.fields().for_each(|field| visit.note(&field));
        visit
    }

    /// Takes in what a field says.
    pub(crate) fn note(&mut self, field: &Field<'a>) {
        let place = match field.path {
            "context.campaign.source" => &mut self.source,
            "context.campaign.medium" => &mut self.medium,
            "context.campaign.name" => &mut self.name,
            "context.page.referrer" => &mut self.referrer,
            "context.page.url" => &mut self.url,
            "context.page.search" => &mut self.search,
            _ => return,
        };
        if let FieldValue::Text(text) = field.value {
            *place = text.trim();
        }
    }

    /// The channel, or `None` where the visitor came from a page of the same site.
    pub fn channel(&self) -> Option<Channel> {
        if self.has_click_id(PAID_CLICK) {
            return Some(Channel::PaidSearch);
        }
        if self.has_campaign() {
            return Some(self.campaign_channel());
        }
        let host = host(self.referrer);
        if !host.is_empty() {
            return match host {
                _ if same_site(host, self::host(self.url)) => None,
                _ if labels_any(host, "mail") => Some(Channel::Email),
                _ if labels_any(host, SEARCH) => Some(Channel::OrganicSearch),
                _ if labels_any(host, SOCIAL) => Some(Channel::Social),
                _ => Some(Channel::Referral),
            };
        }
        if self.has_click_id(SOCIAL_CLICK) {
            return Some(Channel::Social);
        }
        Some(Channel::Direct)
    }

    /// Tells one campaign from another; 0 where the event names none.
    pub fn campaign(&self) -> u32 {
        if !self.has_campaign() {
            return 0;
        }
        let parts = [self.source, self.medium, self.name];
        let hash =
            parts.iter().fold(FNV32, |hash, part| hash_on(hash_on(hash, part.as_bytes()), &[0]));
        hash.max(1)
    }

    fn has_campaign(&self) -> bool {
        !(self.source.is_empty() && self.medium.is_empty() && self.name.is_empty())
    }

    fn campaign_channel(&self) -> Channel {
        let medium = self.medium.as_bytes();
        let named = |(words, _): &&(&str, Channel)| any(words, &|word| alike(medium, word));
        let medium = MEDIA.iter().find(named).map_or(Channel::Other, |(_, channel)| *channel);
        if medium == Channel::Email || alike(self.source.as_bytes(), b"newsletter") {
            return Channel::Email;
        }
        if labels_any(self.source.as_bytes(), SOCIAL) { Channel::Social } else { medium }
    }

    /// Whether the query holds one of the parameters, with a value.
    fn has_click_id(&self, names: &str) -> bool {
        let query = match self.search.as_bytes() {
            [] => behind(self.url.as_bytes(), b'?'),
            [b'?', query @ ..] => query,
            query => query,
        };
        until(query, |byte| byte == b'#').split(|byte| *byte == b'&').any(|pair| {
            let name = until(pair, |byte| byte == b'=');
            pair.len() > name.len() + 1 && any(names, &|known| known == name)
        })
    }
}

// Bytes, not characters: searching in strings would cost the page two kilobytes.

/// What stands before the first byte that ends it.
fn until(text: &[u8], ends: impl Fn(u8) -> bool) -> &[u8] {
    let end = text.iter().position(|byte| ends(*byte)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// What stands behind the first such byte.
fn behind(text: &[u8], mark: u8) -> &[u8] {
    let head = until(text, |byte| byte == mark);
    text.get(head.len() + 1..).unwrap_or_default()
}

/// The host of a URL without user and port, or nothing.
fn host(url: &str) -> &[u8] {
    let url = url.as_bytes();
    let start = url.windows(3).position(|mark| mark == b"://").map_or(url.len(), |at| at + 3);
    let authority =
        until(url.get(start..).unwrap_or_default(), |byte| matches!(byte, b'/' | b'?' | b'#'));
    let user = authority.iter().rposition(|byte| *byte == b'@').map_or(0, |at| at + 1);
    until(authority.get(user..).unwrap_or_default(), |byte| byte == b':')
}

/// Whether two hosts are one, or one is a subdomain of the other, `www.` aside.
fn same_site(one: &[u8], other: &[u8]) -> bool {
    let (one, other) = (without_www(one), without_www(other));
    let (short, long) = if one.len() < other.len() { (one, other) } else { (other, one) };
    let Some((head, tail)) = long.split_at_checked(long.len() - short.len()) else { return false };
    !short.is_empty() && alike(tail, short) && matches!(head, [] | [.., b'.'])
}

fn without_www(host: &[u8]) -> &[u8] {
    match host.split_at_checked(4) {
        Some((www, rest)) if alike(www, b"www.") => rest,
        _ => host,
    }
}

/// Whether a word is one of the host's labels, or the host itself.
#[inline(never)] // else anew for each list
fn labels_any(host: &[u8], words: &str) -> bool {
    any(words, &|word| {
        alike(without_www(host), word)
            || host.split(|byte| *byte == b'.').any(|label| alike(label, word))
    })
}

#[inline(never)] // in half a dozen places
fn alike(one: &[u8], other: &[u8]) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// Whether one of the words is such a one.
fn any(words: &str, is: &dyn Fn(&[u8]) -> bool) -> bool {
    words.as_bytes().split(|byte| *byte == b' ').any(is)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(visit: Visit<'_>) -> Option<Channel> {
        visit.channel()
    }

    #[test]
    fn the_channel_follows_campaign_then_referrer() {
        let from = |referrer| Visit {
            referrer,
            url: "https://www.acme.test/pricing?x=1",
            ..Visit::default()
        };
        assert_eq!(channel(from("")), Some(Channel::Direct));
        assert_eq!(channel(from("https://www.google.co.uk/")), Some(Channel::OrganicSearch));
        assert_eq!(channel(from("https://t.co/abc")), Some(Channel::Social));
        assert_eq!(channel(from("https://www.x.com/abc")), Some(Channel::Social));
        assert_eq!(channel(from("https://microsoft.com/")), Some(Channel::Referral));
        assert_eq!(channel(from("https://mail.google.com/")), Some(Channel::Email));
        assert_eq!(channel(from("https://www.acme.test:443/home")), None);
        assert_eq!(channel(from("https://blog.acme.test/post")), None);
        assert_eq!(channel(from("https://notacme.test/post")), Some(Channel::Referral));
        let campaign = |source, medium| Visit { source, medium, ..from("https://www.google.com/") };
        assert_eq!(channel(campaign("google", "cpc")), Some(Channel::PaidSearch));
        assert_eq!(channel(campaign("june", "Email")), Some(Channel::Email));
        assert_eq!(channel(campaign("linkedin", "cpc")), Some(Channel::Social));
        assert_eq!(channel(campaign("booth", "event")), Some(Channel::Other));
        assert_eq!(channel(campaign("bing", "organic")), Some(Channel::OrganicSearch));
        assert_eq!(channel(campaign("hub", "partner")), Some(Channel::Referral));
    }

    #[test]
    fn click_ids_tell_paid_from_organic() {
        let visit =
            |search| Visit { search, referrer: "https://www.google.com/", ..Visit::default() };
        assert_eq!(channel(visit("?a=1&gclid=x")), Some(Channel::PaidSearch));
        assert_eq!(channel(visit("?gclid=")), Some(Channel::OrganicSearch));
        let social = Visit { url: "https://acme.test/?fbclid=1#top", ..Visit::default() };
        assert_eq!(channel(social), Some(Channel::Social));
    }

    #[test]
    fn a_campaign_is_told_by_source_medium_and_name() {
        let visit = Visit { source: "a", medium: "b", ..Visit::default() };
        assert_ne!(visit.campaign(), 0);
        assert_ne!(visit.campaign(), Visit { source: "ab", ..Visit::default() }.campaign());
        assert_eq!(Visit::default().campaign(), 0);
    }
}
