//! How far memory grows between 100,000 and 1,000,000 decisions about visitors nobody saw before;
//! `cargo xtask bench decide` runs it.
//!
//! `decide_growth SIGNALS.json MODEL.rpm` prints the figure as JSON. Events, scores, features and exposures
//! are in it.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used)]

use rapport_core::bundle::{PartKind, compile};
use rapport_core::decide::{Engine, Want};
use rapport_core::event::{Event, EventKind, EventWriter, FieldValue, Millis};
use rapport_core::experiment::{Flags, Known, Visitor};
use rapport_core::targeting::Value;
use serde_json::json;
use std::fs;
use std::hint::black_box;

const NOW: Millis = Millis(1_800_000_000_000);

fn main() {
    let mut given = std::env::args().skip(1);
    let mut read = || fs::read(given.next().expect("usage: decide_growth SIGNALS.json MODEL.rpm"));
    let (signals, model) = (read().unwrap(), read().unwrap());
    let signals: serde_json::Value = serde_json::from_slice(&signals).unwrap();
    let rule = json!({"key": "hero", "hashVersion": 2, "variations": ["plain", "warm"]});
    let hot = json!({"force": true, "condition": {"$score": {"$gte": 50}}});
    let features = json!({
        "hero": {"defaultValue": "plain", "rules": [rule]},
        "hot": {"defaultValue": false, "rules": [hot]},
    });
    let bundle = json!({
        "workspace": "bench", "environment": "test", "signals": signals,
        "models": [{"name": "leads"}], "flags": {"features": features},
    });
    let compiled = compile(&serde_json::from_value(bundle).unwrap(), &[("leads", &model)]);
    let part = |kind| &*compiled.part(kind).unwrap().bytes;
    let (signals, model) = (part(PartKind::Signals), part(PartKind::Model));
    let mut engine = Engine::open(signals, model, part(PartKind::Words)).unwrap();
    let flags = Flags::open(part(PartKind::Flags)).unwrap();

    (0..100_000).for_each(|number| decide(&mut engine, &flags, number));
    let before = resident();
    (100_000..1_000_000).for_each(|number| decide(&mut engine, &flags, number));
    let value = resident() - before;
    println!("{}", json!({"name": "rss_growth_bytes_native", "value": value, "unit": "bytes"}));
}

/// A visitor who comes to a page: the event, the score, and both features with their exposures.
fn decide(engine: &mut Engine, flags: &Flags, number: u32) {
    let mut event = EventWriter::new(EventKind::Page, "", &format!("m{number}"), NOW);
    event.field("context.page.path", FieldValue::Text("/pricing"));
    let event = event.finish();
    let mut profile = engine.new_profile();
    engine.fold(&mut profile, &Event::decode(&event).unwrap(), NOW);
    let want = Want { reasons: 5, next_change: false };
    let decision = engine.decide(&profile, NOW, want);
    let id = format!("visitor-{number}");
    let attribute = |name: &String| match name.as_str() {
        "id" => Value::Text((&*id).into()),
        _ => Value::Null,
    };
    let attributes = flags.attributes.iter().map(attribute).collect();
    let mut visitor = Visitor { attributes, ..Visitor::default() };
    let (score, band) = (Some(decision.score), Some(decision.band));
    flags.tell(&mut visitor, &Known { now: Some(NOW), score, band, ..Known::default() });
    for number in 0..flags.features.len() {
        black_box(flags.feature_numbered(number, &visitor));
    }
}

fn resident() -> i64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<i64>().ok()).unwrap() * 4_096
}
