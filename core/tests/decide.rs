//! From bundle to decision: a hand-made model over the demo's signals.
#![cfg(feature = "wire")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use rapport_core::bundle::{BundleWire, PartKind, compile};
use rapport_core::decide::{Decision, Engine, Want};
use rapport_core::event::{Event, EventWire, Millis};
use rapport_core::model::{
    AdditiveModel, Bands, Effect, Group, LeadModel, Signal, SignalKind, Step, Term, encode,
};
use serde_json::{Value, json};

const NOW: i64 = 1_780_000_000_000;
const ALL: Want = Want { reasons: 9, next_change: true };

fn bundle(signals: Value) -> BundleWire {
    serde_json::from_value(json!({
        "workspace": "acme", "environment": "test", "signals": signals, "models": [{"name": "buyers"}],
    }))
    .unwrap()
}

fn demo_signals() -> Value {
    let path = "../examples/demo/signals.json";
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Reads how often pricing was visited, the interest in it, the channel and the current visit.
fn model() -> Vec<u8> {
    let number = |name: &str| Signal::new(name, SignalKind::Number);
    let channels = ["direct", "paid search"].map(str::to_owned).to_vec();
    let channel = Signal::new("first_channel", SignalKind::Category { levels: channels });
    let term = |signal, effect| Term { signal, effect, missing: 0.0, usual: 0.0 };
    let terms = vec![
        term(
            0,
            Effect::Steps(vec![Step { from: 1.0, points: 0.5 }, Step { from: 3.0, points: 1.0 }]),
        ),
        term(1, Effect::PerUnit { points: 0.5, from: 0.0, to: 4.0 }),
        term(2, Effect::Levels { points: vec![-0.25, 0.5], other: 0.0 }),
        term(3, Effect::PerUnit { points: 0.1, from: 0.0, to: 10.0 }),
    ];
    let model = AdditiveModel {
        signals: vec![
            number("pricing_views"),
            number("pricing_interest"),
            channel,
            number("visit_pages"),
        ],
        bias: -2.0,
        groups: terms.into_iter().map(|term| Group::uncapped(vec![term])).collect(),
    };
    let bands = Bands { not_below: 0.2, qualified_from: 0.6 };
    encode(&LeadModel::of_logistic("buyers", model, bands)).unwrap()
}

fn engine() -> Engine {
    let compiled = compile(&bundle(demo_signals()), &[("buyers", &model())]);
    assert_eq!(compiled.problems, []);
    let part = |kind| compiled.part(kind).unwrap().bytes.as_slice();
    Engine::open(part(PartKind::Signals), part(PartKind::Model), part(PartKind::Words)).unwrap()
}

fn pricing(time: i64) -> Vec<u8> {
    let wire: EventWire = serde_json::from_value(json!({
        "type": "page", "messageId": format!("m{time}"),
        "context": {"page": {"path": "/pricing", "url": "https://acme.test/pricing"},
                    "campaign": {"source": "google", "medium": "cpc"}},
    }))
    .unwrap();
    wire.encode(Millis(time)).unwrap()
}

fn reasons(
    engine: &Engine,
    profile: &rapport_core::profile::Profile,
    decision: &Decision,
) -> Vec<String> {
    let say = |reason| {
        let mut text = String::new();
        engine.say(profile, decision, reason, &mut text);
        text
    };
    decision.reasons.iter().map(say).collect()
}

#[test]
fn a_visitor_who_reads_pricing_is_scored_with_reasons_that_add_up() {
    let mut engine = engine();
    let mut profile = engine.new_profile();
    for time in [0, Millis::DAY, 2 * Millis::DAY] {
        let bytes = pricing(NOW + time);
        engine.fold(&mut profile, &Event::decode(&bytes).unwrap(), Millis(NOW + time));
    }
    let decision = engine.decide(&profile, Millis(NOW + 2 * Millis::DAY), ALL);
    let points: i32 = decision.reasons.iter().map(|reason| reason.points).sum();
    assert_eq!(i32::from(decision.base) + points + decision.rest, i32::from(decision.score));
    assert_eq!(decision.events, 3);
    assert_eq!(
        reasons(&engine, &profile, &decision),
        [
            "has been looking into pricing lately: +28",
            "visited pricing 3 times in 2 days: +20",
            "first came through a search ad: +10",
            "viewed one page in this visit: +2",
        ]
    );
}

#[test]
fn an_unknown_visitor_has_the_base_score() {
    let mut engine = engine();
    let profile = engine.new_profile();
    let decision = engine.decide(&profile, Millis(NOW), ALL);
    assert_eq!((decision.score, decision.base, decision.rest), (12, 12, 0));
    assert_eq!(reasons(&engine, &profile, &decision), [""; 0]);
}

#[test]
fn nothing_changes_before_next_change_at() {
    let mut engine = engine();
    let mut profile = engine.new_profile();
    let bytes = pricing(NOW);
    engine.fold(&mut profile, &Event::decode(&bytes).unwrap(), Millis(NOW));
    let mut now = Millis(NOW);
    for _ in 0..20 {
        let decision = engine.decide(&profile, now, ALL);
        let next = decision.next_change_at.unwrap();
        assert!(next > now);
        for part in 0..50 {
            let between = Millis(now.0 + (next.0 - 1 - now.0) * part / 49);
            assert_eq!(engine.decide(&profile, between, ALL).score, decision.score, "{between:?}");
        }
        now = next;
    }
}

#[test]
fn a_model_that_reads_undeclared_signals_does_not_publish() {
    let mut signals = demo_signals();
    signals.as_array_mut().unwrap().retain(|signal| signal["name"] != "pricing_interest");
    let compiled = compile(&bundle(signals), &[("buyers", &model())]);
    let problems: Vec<String> = compiled.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        ["model `buyers`: it reads signals that the bundle does not declare: pricing_interest"]
    );
    assert!(compiled.part(PartKind::Model).is_none());
    assert!(compiled.part(PartKind::Signals).is_some());
}

#[test]
fn the_manifest_names_each_part_by_its_hash() {
    let compiled = compile(&bundle(demo_signals()), &[("buyers", &model())]);
    let manifest = compiled.manifest(|bytes| format!("h{}", bytes.len()));
    let text = String::from_utf8(manifest.to_json()).unwrap();
    let [signals, model, words] = [0, 1, 2].map(|part| compiled.parts[part].bytes.len());
    assert_eq!(
        text,
        format!(
            "{{\"format\":1,\"workspace\":\"acme\",\"environment\":\"test\",\"parts\":[\
             {{\"kind\":\"signals\",\"public\":true,\"hash\":\"h{signals}\",\"bytes\":{signals}}},\
             {{\"kind\":\"model\",\"name\":\"buyers\",\"default\":true,\"score_in_page\":\"local\",\"public\":true,\"hash\":\"h{model}\",\"bytes\":{model}}},\
             {{\"kind\":\"words\",\"name\":\"en\",\"public\":true,\"hash\":\"h{words}\",\"bytes\":{words}}}]}}"
        )
    );
}
