//! Who is no visitor: crawlers, previews and automated browsers, by what they say of themselves.

use serde_json::{Map, Value};

/// Parts of user agents, in lower case, that no browser of a person has. Programs that send for
/// people, such as Segment's libraries, are not among them.
const PARTS: &[&str] = &[
    "crawl",
    "spider",
    "slurp",
    "headless",
    "phantomjs",
    "puppeteer",
    "playwright",
    "selenium",
    "lighthouse",
    "pagespeed",
    "gtmetrix",
    "pingdom",
    "uptime",
    "facebookexternalhit",
    "mediapartners",
    "feedfetcher",
    "scrapy",
    "archive.org",
    "preview",
    "validator",
    "monitoring",
    "google-",
    "chatgpt",
    "ia_archiver",
];

/// A telephone's maker has this in its name.
const NOT: &str = "cubot";

/// Whether a user agent says that it is no person's browser.
pub fn is_bot(user_agent: &str) -> bool {
    let text = user_agent.to_ascii_lowercase().replace(NOT, "");
    PARTS.iter().any(|part| text.contains(part)) || has_word_ending_in_bot(&text)
}

/// Whether the page itself says that a program drives its browser.
pub fn is_driven(context: &Map<String, Value>) -> bool {
    context.get("webdriver").and_then(Value::as_bool) == Some(true)
}

/// `Googlebot/2.1`, `bingbot;`, `AhrefsBot`, but no word that only begins so.
fn has_word_ending_in_bot(text: &str) -> bool {
    text.match_indices("bot").any(|(at, _)| {
        text.get(at + 3..)
            .and_then(|rest| rest.bytes().next())
            .is_none_or(|next| !next.is_ascii_alphabetic())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crawlers_are_told_from_people_and_from_libraries() {
        for bot in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0) Chrome/116.0 Safari/537.36",
            "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0 Safari/537.36",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
            "Baiduspider+(+http://www.baidu.com/search/spider.htm)",
            "GPTBot",
        ] {
            assert!(is_bot(bot), "{bot}");
        }
        for person in [
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
            "Mozilla/5.0 (Linux; Android 12; CUBOT P80) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0 Bothell",
            "analytics-python/2.4.0",
            "analytics-node-next/latest",
            "",
        ] {
            assert!(!is_bot(person), "{person}");
        }
    }
}
