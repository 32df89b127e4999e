//! Who is no visitor: crawlers, previews and automated browsers, by what they say of themselves.

use rapport_core::event::{FieldValue, FlatEvent};

/// What sends where a person's browser should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Reads pages for a search engine, a preview, an archive.
    Crawler,
    /// A browser that a program drives: a test of the website's own, or a scraper.
    Automated,
}

/// Parts of user agents, in lower case, that no browser of a person has. Programs that send for
/// people, such as Segment's libraries, are not among them.
const CRAWLERS: &[&str] = &[
    "analyzer",
    "archive",
    "chatgpt",
    "checker",
    "checklink",
    "claude-",
    "cloudflare-",
    "crawl",
    "embedly",
    "facebookexternalhit",
    "fetcher",
    "google-",
    "googleother",
    "gtmetrix",
    "heritrix",
    "imageproxy",
    "imgproxy",
    "indexer",
    "lighthouse",
    "linkcheck",
    "mediapartners",
    "monitor",
    "nikto",
    "nmap",
    "pagespeed",
    "perplexity",
    "pingdom",
    "preview",
    "ptst/",
    "rss/",
    "scanner",
    "scrap",
    "slurp",
    "spider",
    "synthetics",
    "uptime",
    "validator",
    "whatsapp",
    "zgrab",
];
const AUTOMATED: &[&str] = &["headless", "phantomjs", "puppeteer", "playwright", "selenium"];

/// A telephone's maker has this in its name.
const NOT: &str = "cubot";

/// Which program a user agent says that it is; `None` for a person's browser.
pub fn program(user_agent: &str) -> Option<Program> {
    let text = user_agent.to_ascii_lowercase().replace(NOT, "");
    let says = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    if says(CRAWLERS) || has_word_ending_in_bot(&text) || introduces_itself(&text) {
        return Some(Program::Crawler);
    }
    says(AUTOMATED).then_some(Program::Automated)
}

/// Whether a user agent says that it is a program.
pub fn is_program(user_agent: &str) -> bool {
    program(user_agent).is_some()
}

/// Which program the page itself says that drives its browser.
pub fn confessed(flat: &FlatEvent<'_>) -> Option<Program> {
    match flat.field("context.bot") {
        Some(FieldValue::Text("crawler")) => Some(Program::Crawler),
        Some(FieldValue::Text(_)) => Some(Program::Automated),
        _ => flat.flag("context.webdriver")?.then_some(Program::Automated),
    }
}

/// A browser names itself among browsers; a program that pretends to be one says besides where to
/// read about it, or no more than that it is compatible.
fn introduces_itself(text: &str) -> bool {
    let address = ["http:", "https:", "www."].iter().any(|part| text.contains(part));
    let compatible = text.contains("compatible;") && !text.contains("msie");
    text.starts_with("mozilla/") && (address || compatible)
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
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
            "Baiduspider+(+http://www.baidu.com/search/spider.htm)",
            "GPTBot",
            "Mozilla/5.0 (compatible; coccoc/1.0; +http://help.coccoc.com/)",
            "Mozilla/5.0 (compatible; Known Agent/1.0)",
        ] {
            assert_eq!(program(bot), Some(Program::Crawler), "{bot}");
        }
        let headless = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0 Safari/537.36";
        assert_eq!(program(headless), Some(Program::Automated));
        for person in [
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
            "Mozilla/5.0 (Linux; Android 12; CUBOT P80) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0 Bothell",
            "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)",
            "WordPress/6.8; https://acme.example",
            "analytics-python/2.4.0",
            "analytics-node-next/latest",
            "",
        ] {
            assert_eq!(program(person), None, "{person}");
        }
    }
}
