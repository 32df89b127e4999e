//! What is wrong with a bundle is said beside what is right.
#![cfg(feature = "wire")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use rapport_core::bundle::{BundleWire, PartKind, Words, compile, public_report};
use rapport_core::experiment::Flags;
use rapport_core::profile::Signals;
use serde_json::{Value, json};

fn bundle(signals: Value) -> BundleWire {
    serde_json::from_value(json!({"workspace": "w", "environment": "live", "signals": signals}))
        .unwrap()
}

fn problems(signals: Value) -> Vec<String> {
    compile(&bundle(signals), &[]).problems.iter().map(ToString::to_string).collect()
}

fn count(id: u32, name: &str) -> Value {
    json!({"id": id, "name": name, "label": name, "kind": "count"})
}

fn with(mut signal: Value, members: Value) -> Value {
    signal.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    signal
}

#[test]
fn each_fault_of_a_signal_is_one_sentence() {
    let when = |condition: Value| with(count(1, "a"), json!({"when": {"where": [condition]}}));
    let faults = [
        (count(0, "a"), "the id must not be 0"),
        (count(1, ""), "the name must hold 1 to 64 bytes and no braces"),
        (with(count(1, "a"), json!({"publik": false})), "`publik` is no member of such a signal"),
        (with(count(1, "a"), json!({"days": 3})), "`days` is no member of such a signal"),
        (
            with(count(1, "a"), json!({"kind": "sum", "field": "amount"})),
            "`amount` is not a field; write `event`, `channel`, or a path that starts with properties., traits. or context.",
        ),
        (
            with(count(1, "a"), json!({"kind": "window", "days": 0})),
            "its half-life or window must lie between a minute and ten years",
        ),
        (
            with(count(1, "a"), json!({"kind": "ratio", "of": ["a", "b"]})),
            "divides `a`, which is no signal of this bundle with a number of its own",
        ),
        (with(count(1, "a"), json!({"when": {"type": "click"}})), "`click` is not a type of event"),
        (
            when(json!({"field": "event"})),
            "the condition on `event` needs exactly one of equals, one_of, prefix, contains, exists, at_least, at_most",
        ),
        (
            when(json!({"field": "event", "equals": []})),
            "`event` can only be compared with text, numbers and truth values",
        ),
        (
            when(json!({"field": "event", "contains": ""})),
            "what `event` contains must hold 1 to 255 bytes",
        ),
    ];
    for (signal, reason) in faults {
        let (id, name) = (signal["id"].clone(), signal["name"].as_str().unwrap().to_owned());
        let good = count(9, "good");
        assert_eq!(problems(json!([signal, good])), [format!("signal `{name}`: {reason}")], "{id}");
    }
}

#[test]
fn ids_and_names_are_told_apart() {
    assert_eq!(
        problems(json!([count(1, "a"), count(1, "b")])),
        ["signal `b`: shares its id or name with `a`"]
    );
    assert_eq!(
        problems(json!([count(1, "a"), count(2, "a")])),
        ["signal `a`: shares its id or name with `a`"]
    );
}

#[test]
fn words_that_cannot_be_said_are_reported_and_the_rest_is_published() {
    let wire = with(
        count(1, "a"),
        json!({"words": {"one": "{hidden} times", "other": "{n} of {b", "many": "x", "zero": "none"}}),
    );
    let hidden = with(count(2, "hidden"), json!({"public": false}));
    assert_eq!(
        problems(json!([wire, hidden])),
        [
            "words `a`: `many` is not a form; forms are zero, one, few, other, missing",
            "words `a`: the words for `one`: `{hidden}` is not a public signal of this bundle",
            "words `a`: the words for `other`: a `{` is not closed",
        ]
    );
}

#[test]
fn private_signals_leave_no_word_in_any_part() {
    let secret = json!({
        "id": 7, "name": "margin_secret", "label": "Secret label", "public": false, "kind": "last_level",
        "field": "traits.segment", "levels": ["Secret level"], "words": {"other": "secret words {level}"},
        "when": {"event": "Secret Event", "where": [
            {"field": "traits.segment", "one_of": ["secret value"]}, {"field": "event", "prefix": "Secret"}]},
    });
    let wire = bundle(json!([secret, count(1, "open")]));
    let compiled = compile(&wire, &[]);
    assert_eq!(compiled.problems, []);
    for part in &compiled.parts {
        let text = String::from_utf8_lossy(&part.bytes).to_lowercase();
        assert!(!text.contains("secret"), "{:?}", part.kind);
    }
    let words = Words::open(&compiled.part(PartKind::Words).unwrap().bytes).unwrap();
    assert_eq!((words.label(7), words.label(1)), ("other activity", "open"));
    let facts = public_report(&wire);
    let of_secret: Vec<_> = facts
        .iter()
        .filter(|fact| fact.of == "#7")
        .map(|fact| (fact.what, fact.text.as_str(), fact.hashed))
        .collect();
    assert_eq!(
        of_secret,
        [
            ("field", "traits.segment", false),
            ("event name", "Secret Event", true),
            ("field", "traits.segment", false),
            ("condition", "\"secret value\"", true),
            ("field", "event", false),
            ("condition", "Secret", true),
        ]
    );
}

#[test]
fn damaged_parts_are_refused_with_the_reason() {
    let path = "../examples/demo/signals.json";
    let compiled = compile(
        &bundle(serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()),
        &[],
    );
    let part = |kind| compiled.part(kind).unwrap().bytes.clone();
    let (signals, words) = (part(PartKind::Signals), part(PartKind::Words));
    let open = |bytes: &[u8]| Signals::open(bytes).unwrap_err().to_string();
    assert_eq!(
        open(b""),
        "these bytes are not a signals part of version 1: they do not start with RPS1"
    );
    assert_eq!(
        open(&words),
        "these bytes are not a signals part of version 1: they do not start with RPS1"
    );
    for end in 0..signals.len() {
        assert!(Signals::open(&signals[..end]).is_err());
    }
    for end in 0..words.len() {
        assert!(Words::open(&words[..end]).is_err());
    }
    let mut damaged = signals.clone();
    damaged[40] ^= 1;
    assert_eq!(open(&damaged), "the signals part is damaged: its checksum does not match");
    for at in 8..signals.len() {
        // Behind a right checksum the structure itself must hold.
        let mut damaged = signals.clone();
        damaged[at] ^= 0xff;
        let sum = rapport_core::binary::crc32(&damaged[8..]).to_le_bytes();
        damaged[4..8].copy_from_slice(&sum);
        let _ = Signals::open(&damaged);
    }
}

#[test]
fn flags_become_a_part_and_what_is_wrong_with_them_is_said_beside_it() {
    let mut wire = bundle(json!([]));
    wire.flags = serde_json::from_value(json!({
        "features": {
            "broken": {"defaultValue": 1, "rules": [{"force": 2, "condition": {"n": {"$like": "x"}}}]},
            "hero": {"defaultValue": "plain", "rules": [{"force": "warm", "condition": {"country": "DE"}}]}
        }
    }))
    .unwrap();
    let compiled = compile(&wire, &[]);
    let part = compiled.part(PartKind::Flags).unwrap();
    assert!(part.public);
    let flags = Flags::open(&part.bytes).unwrap();
    assert_eq!(flags.features.len(), 2);
    let problems: Vec<_> = compiled.problems.iter().map(ToString::to_string).collect();
    let where_it_is = "features.broken.rules.0.condition.n.$like";
    assert_eq!(
        problems,
        [format!("flags `{where_it_is}`: nobody knows this operator; it holds of nobody")]
    );
    let manifest: Value =
        serde_json::from_slice(&compiled.manifest(|_| "h".into()).to_json()).unwrap();
    assert_eq!(manifest["parts"][2]["kind"], "flags");
    let facts = public_report(&wire);
    assert!(
        facts
            .iter()
            .any(|fact| fact.what == "feature" && fact.of == "hero" && fact.text.contains("warm"))
    );
}
