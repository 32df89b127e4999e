//! Invented visitors of the demo's website, folded by core into rows to train on.
//!
//! What a visitor does follows from who they are and how much they want to buy; whether they buy
//! follows from the same two, so that a model finds out from behaviour what it is not told.

use rapport_core::binary::level_hash;
use rapport_core::event::{Event, EventKind, EventWriter, FieldValue, Millis};
use rapport_core::profile::{Profile, SignalWire, Signals, compile_signals};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Writes one row a visitor: each signal under its name, and `became_customer` as yes or no.
/// The same seed writes the same bytes. Signals that do not compile are left out.
///
/// # Errors
/// What the writer reports.
pub fn simulate(
    signals: &[SignalWire],
    visitors: u32,
    seed: u64,
    out: impl Write,
) -> io::Result<()> {
    let (part, _) = compile_signals(signals);
    let compiled = Signals::open(&part).map_err(io::Error::other)?;
    let columns: Vec<&SignalWire> = compiled
        .iter()
        .filter_map(|signal| signals.iter().find(|wire| wire.id == signal.id))
        .collect();
    let levels = columns
        .iter()
        .flat_map(|wire| &wire.levels)
        .map(|level| (level_hash(level), level.as_str()));
    let levels: BTreeMap<u32, &str> = levels.collect();
    let mut table = csv::Writer::from_writer(out);
    table.write_record(columns.iter().map(|wire| wire.name.as_str()).chain(["became_customer"]))?;
    for number in 0..visitors {
        let mut visitor =
            Visitor::draw(Dice(seed ^ u64::from(number).wrapping_mul(0x2545_f491_4f6c_dd1d)));
        visitor.live();
        let (profile, now) = visitor.seen(&compiled);
        let mut row: Vec<String> = (0..compiled.len())
            .map(|index| match profile.level(index) {
                Some(hash) => levels
                    .get(&hash)
                    .map_or_else(|| format!("#{hash:08x}"), |level| (*level).to_owned()),
                None => Some(profile.value(&compiled, index, now))
                    .filter(|value| !value.is_nan())
                    .map_or_else(String::new, |value| value.to_string()),
            })
            .collect();
        row.push(if visitor.buys() { "yes" } else { "no" }.to_owned());
        table.write_record(&row)?;
    }
    table.flush()
}

/// Who comes: a share of all visitors, and what follows from who they are.
struct Persona {
    share: f64,
    occupation: &'static str,
    fields: &'static [&'static str],
    sizes: &'static [&'static str],
    /// Shares of [`Intent::ALL`].
    intents: [f64; 4],
    /// Shares of [`WAYS`].
    ways: [f64; 6],
    /// Log-odds that such a person can buy.
    fit: f64,
}

const MADE: &[&str] = &["Operations Management", "Supply Chain Management"];
const PERSONAS: [Persona; 6] = [
    Persona {
        share: 0.26,
        occupation: "Working Professional",
        fields: MADE,
        sizes: &["120", "350", "350", "800"],
        intents: [0.25, 0.3, 0.28, 0.17],
        ways: [0.25, 0.3, 0.2, 0.1, 0.05, 0.1],
        fit: 0.8,
    },
    Persona {
        share: 0.14,
        occupation: "Businessman",
        fields: &["Operations Management", "Business Administration", "Finance Management"],
        sizes: &["20", "20", "120", "350"],
        intents: [0.3, 0.3, 0.22, 0.18],
        ways: [0.35, 0.2, 0.15, 0.05, 0.05, 0.2],
        fit: 0.5,
    },
    Persona {
        share: 0.2,
        occupation: "Working Professional",
        fields: &["IT Projects Management", "Finance Management"],
        sizes: &["120", "350", "800"],
        intents: [0.35, 0.35, 0.22, 0.08],
        ways: [0.2, 0.45, 0.1, 0.05, 0.1, 0.1],
        fit: 0.1,
    },
    Persona {
        share: 0.18,
        occupation: "Student",
        fields: &["Operations Management", "Business Administration", "Marketing Management"],
        sizes: &["20"],
        intents: [0.6, 0.36, 0.04, 0.0],
        ways: [0.15, 0.5, 0.05, 0.0, 0.25, 0.05],
        fit: -2.5,
    },
    Persona {
        share: 0.12,
        occupation: "Unemployed",
        fields: &["Human Resource Management", "Marketing Management", "Operations Management"],
        sizes: &["20"],
        intents: [0.7, 0.27, 0.03, 0.0],
        ways: [0.3, 0.3, 0.05, 0.05, 0.25, 0.05],
        fit: -2.8,
    },
    Persona {
        share: 0.1,
        occupation: "Other",
        fields: &["Marketing Management", "Business Administration"],
        sizes: &["20", "120", "800"],
        intents: [0.45, 0.35, 0.15, 0.05],
        ways: [0.3, 0.25, 0.1, 0.05, 0.15, 0.15],
        fit: -0.8,
    },
];

/// How much somebody wants to buy, and how it shows.
struct Intent {
    /// Log-odds of a purchase.
    wish: f64,
    /// Chance of one more page, of one more visit.
    stays: f64,
    returns: f64,
    /// Days between visits, about.
    pause: f64,
    /// Seconds a page holds attention, about.
    attention: f64,
    /// Shares of [`PAGES`].
    pages: [f64; 7],
    /// Chance to finish the form on the demo page.
    asks: f64,
}

impl Intent {
    const ALL: [Intent; 4] = [
        Intent {
            wish: -3.6,
            stays: 0.52,
            returns: 0.15,
            pause: 20.0,
            attention: 24.0,
            pages: [0.2, 0.12, 0.05, 0.03, 0.15, 0.43, 0.02],
            asks: 0.03,
        },
        Intent {
            wish: -2.2,
            stays: 0.68,
            returns: 0.35,
            pause: 11.0,
            attention: 28.0,
            pages: [0.15, 0.22, 0.12, 0.1, 0.2, 0.16, 0.05],
            asks: 0.1,
        },
        Intent {
            wish: 0.0,
            stays: 0.77,
            returns: 0.55,
            pause: 4.0,
            attention: 33.0,
            pages: [0.08, 0.19, 0.2, 0.16, 0.17, 0.06, 0.14],
            asks: 0.4,
        },
        Intent {
            wish: 1.7,
            stays: 0.8,
            returns: 0.6,
            pause: 2.0,
            attention: 36.0,
            pages: [0.06, 0.16, 0.22, 0.15, 0.13, 0.03, 0.25],
            asks: 0.75,
        },
    ];
}

const PAGES: [&[&str]; 7] = [
    &["/"],
    &["/product"],
    &["/pricing"],
    &["/case-studies", "/case-studies/brenner-praezision", "/case-studies/solheim-stalverk"],
    &["/docs", "/docs/quickstart", "/docs/connect-erp", "/docs/api"],
    &["/blog", "/blog/quoting-dates", "/blog/routing-times", "/blog/the-queue-not-the-machine"],
    &["/demo"],
];

/// Referrer, campaign source and medium.
const WAYS: [[&str; 3]; 6] = [
    ["", "", ""],
    ["https://www.google.com/", "", ""],
    ["https://www.google.com/", "google", "cpc"],
    ["", "newsletter", "email"],
    ["https://www.linkedin.com/feed/", "", ""],
    ["https://www.machine-weekly.example/", "", ""],
];

struct Visitor {
    dice: Dice,
    persona: &'static Persona,
    intent: &'static Intent,
    known: bool,
    now: Millis,
    events: Vec<Vec<u8>>,
}

impl Visitor {
    fn draw(mut dice: Dice) -> Self {
        let persona = &PERSONAS[dice.pick(&PERSONAS.map(|persona| persona.share))];
        let intent = &Intent::ALL[dice.pick(&persona.intents)];
        // Monday, 5 January 2026, and the three months behind it.
        let now = Millis(1_767_571_200_000).plus((dice.share() * 90.0 * Millis::DAY as f64) as i64);
        Self { dice, persona, intent, known: false, now, events: Vec::new() }
    }

    fn live(&mut self) {
        for visit in 0..12 {
            self.visit(visit == 0);
            if self.dice.share() > self.intent.returns {
                return;
            }
            self.wait(self.intent.pause * 86_400.0);
            if self.known && self.dice.share() < 0.6 {
                let name =
                    if self.dice.share() < 0.3 { "Email Link Clicked" } else { "Email Opened" };
                self.happens(EventKind::Track, name, &[]);
                self.wait(7_200.0);
            }
        }
    }

    fn visit(&mut self, first: bool) {
        let way =
            if first || self.dice.share() < 0.35 { self.dice.pick(&self.persona.ways) } else { 0 };
        let mut arrival = WAYS[way];
        loop {
            let folder = PAGES[self.dice.pick(&self.intent.pages)];
            let path = folder[self.dice.below(folder.len())];
            self.page(path, arrival);
            arrival = ["https://www.tidewright.example/", arrival[1], arrival[2]];
            if path == "/pricing" && self.dice.share() < 0.3 {
                self.on(
                    path,
                    EventKind::Track,
                    "Pricing Compared",
                    &[("properties.billing", FieldValue::Text("yearly"))],
                );
            }
            if path == "/demo" {
                self.form("demo", self.intent.asks);
            } else if self.dice.share() < 0.015 {
                self.form("contact", 0.7);
            }
            if self.dice.share() > self.intent.stays {
                return;
            }
        }
    }

    fn page(&mut self, path: &str, [referrer, source, medium]: [&str; 3]) {
        let text = FieldValue::Text;
        let url = format!("https://www.tidewright.example{path}");
        let mut fields =
            vec![("context.page.url", text(&url)), ("context.page.referrer", text(referrer))];
        if !source.is_empty() {
            fields.extend([
                ("context.campaign.source", text(source)),
                ("context.campaign.medium", text(medium)),
            ]);
        }
        self.on(path, EventKind::Page, "", &fields);
        let mut seconds = self.dice.about(self.intent.attention).min(600.0);
        while seconds > 1.0 {
            let chunk = seconds.min(10.0);
            self.now = self.now.plus((chunk * 1000.0) as i64);
            let value = FieldValue::Number((chunk * 10.0).round() / 10.0);
            self.on(path, EventKind::Track, "Engaged", &[("properties.seconds", value)]);
            seconds -= chunk;
        }
        self.wait(12.0);
    }

    fn form(&mut self, form: &str, finishes: f64) {
        if self.dice.share() > finishes + 0.25 {
            return;
        }
        let path = format!("/{form}");
        let named = [("properties.form", FieldValue::Text(form))];
        self.on(&path, EventKind::Track, "Form Started", &named);
        self.wait(40.0);
        if self.dice.share() > finishes {
            return;
        }
        self.on(&path, EventKind::Track, "Form Submitted", &named);
        self.known = true;
        let persona = self.persona;
        let timeline = ["quarter", "year", "later"]
            [self.dice.pick(&[0.1 + self.intent.wish.max(0.0), 0.6, 0.5])];
        let field = persona.fields[self.dice.below(persona.fields.len())];
        let size = persona.sizes[self.dice.below(persona.sizes.len())];
        let all = [
            ("occupation", persona.occupation),
            ("specialization", field),
            ("employees", size),
            ("timeline", timeline),
        ];
        let mut traits = Vec::new();
        for (name, value) in all {
            if form == "demo" && self.dice.share() < 0.85 {
                traits.push((format!("traits.{name}"), FieldValue::Text(value)));
            }
        }
        let traits: Vec<_> = traits.iter().map(|(path, value)| (path.as_str(), *value)).collect();
        self.on(&path, EventKind::Identify, "", &traits);
    }

    /// Something that happens on a page of the site.
    fn on(&mut self, path: &str, kind: EventKind, name: &str, fields: &[(&str, FieldValue<'_>)]) {
        let mut all = vec![("context.page.path", FieldValue::Text(path))];
        all.extend_from_slice(fields);
        self.happens(kind, name, &all);
    }

    fn happens(&mut self, kind: EventKind, name: &str, fields: &[(&str, FieldValue<'_>)]) {
        let mut writer = EventWriter::new(kind, name, "", self.now);
        for (path, value) in fields {
            writer.field(path, *value);
        }
        self.events.push(writer.finish());
    }

    /// Lets about so many seconds pass.
    fn wait(&mut self, seconds: f64) {
        let millis = self.dice.about(seconds) * 1000.0;
        self.now = self.now.plus(millis as i64);
    }

    /// The profile at a moment at which somebody might ask: half of the visitors are caught in the
    /// middle of what they do, because live visitors are.
    fn seen(&mut self, signals: &Signals) -> (Profile, Millis) {
        let caught = self.dice.share() < 0.5;
        let until = if caught { 1 + self.dice.below(self.events.len()) } else { self.events.len() };
        let mut profile = Profile::new(signals);
        let mut now = self.now;
        for bytes in self.events.iter().take(until) {
            // The writer above keeps every limit.
            let Ok(event) = Event::decode(bytes) else { continue };
            now = event.time;
            profile.fold(signals, &event, now);
        }
        let lag = if caught { 5.0 } else { 3.0 * 86_400.0 };
        (profile, now.plus((self.dice.about(lag) * 1000.0) as i64))
    }

    fn buys(&mut self) -> bool {
        let odds = self.persona.fit + self.intent.wish;
        self.dice.share() < 1.0 / (1.0 + (-odds).exp())
    }
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// From 0 up to 1.
    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, count: usize) -> usize {
        (self.share() * count as f64) as usize
    }

    /// Exponential around a mean.
    fn about(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.share()).ln()
    }

    /// An index, by shares that need not add up to 1.
    fn pick(&mut self, shares: &[f64]) -> usize {
        let mut left = self.share() * shares.iter().sum::<f64>();
        shares
            .iter()
            .position(|share| {
                left -= share;
                left < 0.0
            })
            .unwrap_or_default()
    }
}
