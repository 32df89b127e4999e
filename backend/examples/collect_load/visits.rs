//! A day of visits to the demo's website, event by event as the tracker sends them: what is random in
//! life is random here (ids, addresses, click ids, moments, measures), what repeats repeats.

use crate::traffic::{Dice, iso, uuid};
use serde_json::{Map, Value, json};

/// Events that leave a page together.
pub struct Sent {
    pub at: i64,
    /// From the page's clock to ours.
    pub skew: i64,
    pub latency: i64,
    pub ip: String,
    pub user_agent: String,
    pub batch: Vec<Value>,
}

const SITE: &str = "https://www.tidewright.example";
const PAGES: [(&str, &str); 12] = [
    ("/", "Tidewright: delivery dates that hold"),
    ("/product", "Product · Tidewright"),
    ("/pricing", "Pricing · Tidewright"),
    ("/case-studies", "Case studies · Tidewright"),
    ("/case-studies/brenner-praezision", "Brenner Präzision · Tidewright"),
    ("/case-studies/solheim-stalverk", "Solheim Stålverk · Tidewright"),
    ("/docs/quickstart", "Quickstart · Tidewright"),
    ("/docs/connect-erp", "Connect your ERP · Tidewright"),
    ("/blog/quoting-dates", "Quoting dates you can keep · Tidewright"),
    ("/blog/routing-times", "Routing times that lie · Tidewright"),
    ("/contact", "Contact · Tidewright"),
    ("/demo", "Ask for a demo · Tidewright"),
];
const LINKS: [&str; 8] = [
    "See how it works",
    "Pricing",
    "Book a demo",
    "Read the case study",
    "Documentation",
    "Start in ten minutes",
    "Compare plans",
    "Talk to us",
];
const SYSTEMS: [&str; 5] = [
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
    "Linux; Android 10; K",
    "iPhone; CPU iPhone OS 26_1 like Mac OS X",
];
const LOCALES: [&str; 7] = ["en-GB", "de-DE", "en-US", "sv-SE", "nb-NO", "de-AT", "nl-NL"];
const CAMPAIGNS: [[&str; 4]; 5] = [
    ["google", "cpc", "autumn-dach-brand", "tidewright"],
    ["google", "cpc", "competitors-2026q4", "production+scheduling+software"],
    ["newsletter", "email", "november", ""],
    ["linkedin", "paid-social", "ops-leaders-video", ""],
    ["machine-weekly", "display", "leaderboard", ""],
];
const REFERRERS: [&str; 6] = [
    "https://www.google.com/",
    "https://www.google.de/",
    "https://www.linkedin.com/",
    "https://www.bing.com/",
    "https://www.machine-weekly.example/articles/why-dates-slip",
    "https://duckduckgo.com/",
];
const DAY: i64 = 86_400_000;

/// What is sent on the day that begins at `start`, about `events` events, in the order of arrival.
pub fn day(start: i64, events: usize) -> Vec<Sent> {
    let (mut sent, mut count, mut number) = (Vec::new(), 0, 0);
    while count < events {
        number += 1;
        let mut visitor = Visitor::draw(Dice::new(number ^ start as u64), start);
        visitor.visit();
        // Some come back on the same day.
        if visitor.dice.below(6) == 0 {
            visitor.now += 3_600_000 + visitor.dice.below(6 * 3_600_000) as i64;
            visitor.visit();
        }
        visitor.leave();
        count += visitor.sent.iter().map(|sent| sent.batch.len()).sum::<usize>();
        sent.append(&mut visitor.sent);
    }
    sent.retain(|sent| sent.at + sent.latency < start + DAY);
    sent.sort_by_key(|sent| sent.at + sent.latency);
    sent
}

struct Visitor {
    dice: Dice,
    anonymous: String,
    user: Option<String>,
    ip: String,
    user_agent: String,
    locale: &'static str,
    skew: i64,
    latency: i64,
    now: i64,
    session: i64,
    sequence: u64,
    page: Value,
    campaign: Option<Value>,
    clicks: Option<Value>,
    waiting: Vec<Value>,
    sent: Vec<Sent>,
}

impl Visitor {
    fn draw(mut dice: Dice, start: i64) -> Self {
        let now = start + dice.below(DAY as u64 - 3_600_000) as i64;
        let system = SYSTEMS[[0, 0, 0, 1, 1, 2, 3, 3, 4][dice.below(9) as usize]];
        let version = 140 + dice.below(12);
        let user_agent = match system {
            phone if phone.starts_with("iPhone") => format!(
                "Mozilla/5.0 ({phone}) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.{} Mobile/15E148 Safari/604.1",
                dice.below(3)
            ),
            phone if phone.contains("Android") => format!(
                "Mozilla/5.0 ({phone}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Mobile Safari/537.36"
            ),
            desk if dice.below(6) == 0 => {
                format!("Mozilla/5.0 ({desk}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0")
            }
            desk if dice.below(7) == 0 => format!(
                "Mozilla/5.0 ({desk}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36 Edg/{version}.0.0.0"
            ),
            desk => format!(
                "Mozilla/5.0 ({desk}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{version}.0.0.0 Safari/537.36"
            ),
        };
        let ip = if dice.below(3) == 0 {
            let mut part = || dice.below(65_536);
            format!(
                "2a02:{:x}:{:x}:{:x}:{:x}:{:x}:{:x}:{:x}",
                part(),
                part(),
                part(),
                part(),
                part(),
                part(),
                part()
            )
        } else {
            format!(
                "{}.{}.{}.{}",
                1 + dice.below(223),
                dice.below(256),
                dice.below(256),
                dice.below(256)
            )
        };
        Self {
            anonymous: uuid(dice.next(), dice.next()),
            user: None,
            ip,
            user_agent,
            locale: LOCALES[dice.below(7) as usize],
            // Most clocks are right to a second, some are off by minutes.
            skew: if dice.below(20) == 0 {
                dice.below(600_000) as i64 - 300_000
            } else {
                dice.below(2_000) as i64 - 1_000
            },
            latency: 15 + dice.below(90) as i64,
            now,
            session: 0,
            sequence: dice.below(200),
            page: Value::Null,
            campaign: None,
            clicks: None,
            waiting: Vec::new(),
            sent: Vec::new(),
            dice,
        }
    }

    fn visit(&mut self) {
        self.session = self.now;
        let (mut search, mut referrer) = (String::new(), String::new());
        match self.dice.below(10) {
            0..=3 => referrer = REFERRERS[self.dice.below(6) as usize].to_owned(),
            4..=6 => {
                let [source, medium, name, term] = CAMPAIGNS[self.dice.below(5) as usize];
                search = format!("?utm_source={source}&utm_medium={medium}&utm_campaign={name}");
                let mut campaign = json!({ "source": source, "medium": medium, "name": name });
                if !term.is_empty() {
                    search += &format!("&utm_term={term}");
                    campaign["term"] = json!(term.replace('+', " "));
                }
                self.campaign = Some(campaign);
                if source == "google" {
                    let id: String =
                        (0..76).map(|_| LETTERS[self.dice.below(64) as usize] as char).collect();
                    search += &format!("&gclid={id}");
                    self.clicks = Some(json!({ "gclid": id }));
                    referrer = "https://www.google.com/".to_owned();
                }
            }
            _ => {}
        }
        let mut first = true;
        let mut place = [0, 0, 0, 1, 2, 8, 9, 11][self.dice.below(8) as usize];
        loop {
            let (path, title) = PAGES[place];
            self.page = json!({ "url": format!("{SITE}{path}{search}"), "path": path, "search": search, "title": title, "referrer": referrer });
            self.send("page", None, json!({}));
            if first {
                let touch = json!({ "channel": "Paid Search", "source": "google", "medium": "cpc", "landing": path, "at": self.session });
                let mut properties = touch.clone();
                properties["first"] = touch.clone();
                properties["last"] = touch;
                self.send("track", Some("Visit Started"), properties);
            }
            self.stay();
            if path == "/demo" && self.dice.below(2) == 0 {
                self.form();
            }
            if self.dice.below(100) >= 62 {
                break;
            }
            referrer = format!("{SITE}{path}{search}");
            search.clear();
            (self.campaign, self.clicks, first) = (None, None, false);
            let next = self.dice.below(12) as usize;
            let link = LINKS[self.dice.below(8) as usize];
            let href = format!("{SITE}{}", PAGES[next].0);
            self.send(
                "track",
                Some("Clicked"),
                json!({ "text": link, "href": href, "outbound": false }),
            );
            place = next;
            self.left();
        }
        self.left();
        (self.campaign, self.clicks) = (None, None);
    }

    fn stay(&mut self) {
        let mut seconds = 2.0 + self.dice.share().powi(3) * 180.0;
        let mut depth = 20 + self.dice.below(40);
        while seconds > 1.0 {
            let chunk = (10.0 + self.dice.share() * 5.0).min(seconds);
            self.now += (chunk * 1000.0) as i64 + self.dice.below(900) as i64;
            depth = (depth + self.dice.below(25)).min(100);
            let shown = (chunk * 10.0).round() / 10.0;
            self.send("track", Some("Engaged"), json!({ "seconds": shown, "depth": depth }));
            seconds -= chunk;
        }
    }

    fn left(&mut self) {
        let mut about = |middle: u64| middle / 2 + self.dice.below(middle);
        let mut vitals =
            json!({ "fcp": about(700), "lcp": about(1100), "ttfb": about(220), "inp": about(60) });
        vitals["cls"] = json!(self.dice.below(900) as f64 / 1e4);
        self.send("track", Some("Web Vitals"), vitals);
        self.now += 300 + self.dice.below(2500) as i64;
    }

    fn form(&mut self) {
        self.send("track", Some("Form Viewed"), json!({ "form": "demo" }));
        self.now += 2_000 + self.dice.below(9_000) as i64;
        self.send("track", Some("Form Started"), json!({ "form": "demo" }));
        self.now += 15_000 + self.dice.below(60_000) as i64;
        if self.dice.below(3) == 0 {
            self.send(
                "track",
                Some("Form Abandoned"),
                json!({ "form": "demo", "field": "employees" }),
            );
            return;
        }
        let mut word = || {
            let length = 4 + self.dice.below(6);
            (0..length).map(|_| (b'a' + self.dice.below(26) as u8) as char).collect::<String>()
        };
        let (first, last, company) = (word(), word(), word());
        let email = format!("{first}.{last}@{company}.example");
        self.send("track", Some("Form Submitted"), json!({ "form": "demo" }));
        self.user = Some(email.clone());
        self.send("identify", None, json!({ "email": email, "name": format!("{first} {last}"), "company": company, "employees": "120", "occupation": "Working Professional", "timeline": "quarter" }));
    }

    fn send(&mut self, kind: &str, name: Option<&str>, properties: Value) {
        self.now += 1 + self.dice.below(12) as i64;
        if self.waiting.last().is_some_and(|last| self.now - last["at"].as_i64().unwrap() > 200) {
            self.leave();
        }
        self.sequence += 1;
        let mut context = Map::new();
        context.insert("page".to_owned(), self.page.clone());
        let optional = [("campaign", &self.campaign), ("clickIds", &self.clicks)];
        for (name, value) in optional {
            context.extend(value.clone().map(|value| (name.to_owned(), value)));
        }
        context.insert("locale".to_owned(), json!(self.locale));
        context.insert("sessionId".to_owned(), json!(self.session));
        let mut event = json!({ "at": self.now, "type": kind, "messageId": uuid(self.dice.next(), self.dice.next()),
            "anonymousId": self.anonymous, "timestamp": iso(self.now + self.skew), "sequence": self.sequence, "context": context });
        if let Some(name) = name {
            event["event"] = json!(name);
        }
        if properties != json!({}) {
            event[if kind == "identify" { "traits" } else { "properties" }] = properties;
        }
        if let Some(user) = &self.user {
            event["userId"] = json!(user);
        }
        self.waiting.push(event);
    }

    /// Sends what waits, a fifth of a second after it happened.
    fn leave(&mut self) {
        let Some(last) = self.waiting.last() else { return };
        let at = last["at"].as_i64().unwrap() + 200 + self.dice.below(6) as i64;
        let mut batch = std::mem::take(&mut self.waiting);
        batch.iter_mut().for_each(|event| _ = event.as_object_mut().unwrap().remove("at"));
        let latency = self.latency + self.dice.below(30) as i64;
        let (ip, user_agent) = (self.ip.clone(), self.user_agent.clone());
        self.sent.push(Sent { at, skew: self.skew, latency, ip, user_agent, batch });
    }
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
