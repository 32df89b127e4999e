//! Events as the SDK sends them from the demo's website: who reads, clicks, stays and asks for a demo.

use std::fmt::Write;

/// What a batch holds.
pub const BATCH: usize = 20;

const PATHS: [(&str, &str); 8] = [
    ("/", "Harbour logistics software"),
    ("/pricing", "Pricing"),
    ("/product/berth-planning", "Berth planning"),
    ("/customers/port-of-aalborg", "How Aalborg plans berths"),
    ("/blog/what-delays-cost", "What delays cost"),
    ("/docs/start", "Start here"),
    ("/demo", "Ask for a demo"),
    ("/about", "About us"),
];
const CAMPAIGNS: [&str; 4] = [
    "",
    r#","campaign":{"source":"google","medium":"cpc","name":"autumn-ports"}"#,
    "",
    r#","campaign":{"source":"newsletter","medium":"email","name":"november"}"#,
];

/// One visitor's batches, each continuing where the last one ended.
pub struct Traffic {
    dice: Dice,
}

impl Traffic {
    pub const fn new(seed: u64) -> Self {
        Self { dice: Dice(seed) }
    }

    pub fn visitor(&mut self, visitors: u64) -> u64 {
        self.dice.next() % visitors
    }

    /// Writes the body of a request: a batch of one visitor, sent at `now`. `path` replaces the
    /// path of the last event.
    pub fn body(
        &mut self,
        out: &mut String,
        key: &str,
        visitor: u64,
        now: i64,
        path: Option<&str>,
    ) {
        out.clear();
        write!(out, r#"{{"key":"{key}","sentAt":"{}","batch":["#, iso(now)).unwrap();
        for index in 0..BATCH {
            let last = index + 1 == BATCH;
            if index > 0 {
                out.push(',');
            }
            self.event(out, visitor, now - (BATCH - index) as i64 * 700, path.filter(|_| last));
        }
        out.push_str("]}");
    }

    /// Writes one event of a visitor.
    pub fn event(&mut self, out: &mut String, visitor: u64, time: i64, path: Option<&str>) {
        let dice = self.dice.next();
        let (usual, title) = PATHS[(dice % 8) as usize];
        let path = path.unwrap_or(usual);
        let (kind, rest) = match dice >> 8 & 15 {
            _ if path != usual => ("page", String::new()),
            0..=4 => ("page", String::new()),
            5..=11 => {
                let seconds = (dice >> 16 & 127) as f64 / 10.0;
                ("track", format!(r#","event":"Engaged","properties":{{"seconds":{seconds}}}"#))
            }
            12 | 13 => (
                "track",
                r#","event":"Clicked","properties":{"text":"See how it works","href":"/product/berth-planning","kind":"link"}"#.to_owned(),
            ),
            14 => ("track", r#","event":"Form Started","properties":{"form":"demo"}"#.to_owned()),
            _ => (
                "identify",
                r#","traits":{"occupation":"Operations","employees":"200-1000","timeline":"quarter"}"#.to_owned(),
            ),
        };
        let campaign = CAMPAIGNS[(visitor % 4) as usize];
        write!(
            out,
            r#"{{"type":"{kind}"{rest},"messageId":"{}","anonymousId":"{}","timestamp":"{}","sequence":{},"context":{{"page":{{"path":"{path}","url":"https://www.tidewright.example{path}","title":"{title}","referrer":"https://www.google.com/","search":""}}{campaign},"locale":"en-GB"}}}}"#,
            self.uuid(),
            uuid(mix(visitor), mix(!visitor)),
            iso(time),
            dice >> 32 & 0xfff,
        )
        .unwrap();
    }

    fn uuid(&mut self) -> String {
        uuid(self.dice.next(), self.dice.next())
    }
}

pub fn uuid(high: u64, low: u64) -> String {
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0xfff,
        low & 0xffff_ffff_ffff
    )
}

/// ISO 8601 of milliseconds since 1970 (days to civil: Hinnant).
pub fn iso(time: i64) -> String {
    let (days, rest) = (time.div_euclid(86_400_000), time.rem_euclid(86_400_000));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march = (5 * day_of_year + 2) / 153;
    let (day, month) =
        (day_of_year - (153 * march + 2) / 5 + 1, if march < 10 { march + 3 } else { march - 9 });
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hours, minutes) = (rest / 3_600_000, rest / 60_000 % 60);
    format!(
        "{year}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{:02}.{:03}Z",
        rest / 1000 % 60,
        rest % 1000
    )
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A number from 0 to 1.
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }
}

const fn mix(seed: u64) -> u64 {
    let mixed = (seed ^ seed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
