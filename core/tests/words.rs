//! Values in words.
#![cfg(feature = "wire")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use rapport_core::binary::level_hash;
use rapport_core::bundle::{BundleWire, PartKind, Said, Words, compile};
use serde_json::{Value, json};

fn words(signals: Value, locale: Value) -> Vec<u8> {
    let wire: BundleWire = serde_json::from_value(
        json!({"workspace": "w", "environment": "live", "signals": signals, "words": [locale]}),
    )
    .unwrap();
    let compiled = compile(&wire, &[]);
    assert_eq!(compiled.problems, []);
    compiled.part(PartKind::Words).unwrap().bytes.clone()
}

fn said(part: &[u8], value: f64) -> String {
    let mut out = String::new();
    let other = |_| Said { id: 2, value: 86_400.0 * 3.0, level: None };
    Words::open(part).unwrap().say(Said { id: 1, value, level: None }, &other, &mut out);
    out
}

fn signal(id: u32, more: Value) -> Value {
    let mut wire = json!({"id": id, "name": format!("s{id}"), "label": format!("Signal {id}"), "kind": "count"});
    wire.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    wire
}

#[test]
fn forms_follow_the_value() {
    let part = words(
        json!([
            signal(
                1,
                json!({"words": {"zero": "never", "one": "once", "other": "{n} times in {s2}", "missing": "who knows"}})
            ),
            signal(2, json!({"unit": "seconds"})),
        ]),
        json!({"locale": "en"}),
    );
    assert_eq!(said(&part, 0.0), "never");
    assert_eq!(said(&part, 1.0), "once");
    assert_eq!(said(&part, 1.02), "once");
    assert_eq!(said(&part, 3.0), "3 times in 3 days");
    assert_eq!(said(&part, 2.54), "2.5 times in 3 days");
    assert_eq!(said(&part, 12.4), "12 times in 3 days");
    assert_eq!(said(&part, -3.25), "-3.3 times in 3 days");
    assert_eq!(said(&part, 1e15), "1000000000000000 times in 3 days");
    assert_eq!(said(&part, f64::NAN), "who knows");
}

#[test]
fn a_signal_without_words_is_said_by_its_label() {
    let part = words(json!([signal(1, json!({}))]), json!({"locale": "en"}));
    assert_eq!(said(&part, 4.0), "Signal 1: 4");
    assert_eq!(said(&part, 0.0), "Signal 1: 0");
    assert_eq!(said(&part, f64::NAN), "Signal 1: unknown");
}

#[test]
fn durations_are_said_in_the_largest_unit_that_fits() {
    let part = words(
        json!([signal(1, json!({"unit": "days", "words": {"other": "{n}"}}))]),
        json!({"locale": "en"}),
    );
    let days = [
        (0.4 / 86_400.0, "a moment"),
        (1.0 / 86_400.0, "1 second"),
        (59.4 / 86_400.0, "59 seconds"),
        (59.6 / 86_400.0, "1 minute"),
        (89.0 / 1440.0, "89 minutes"),
        (90.0 / 1440.0, "2 hours"),
        (35.0 / 24.0, "35 hours"),
        (1.5, "2 days"),
        (400.0, "400 days"),
    ];
    for (value, text) in days {
        assert_eq!(said(&part, value), text);
    }
}

#[test]
fn languages_count_by_their_own_rule() {
    let forms = json!([signal(
        1,
        json!({"words": {"one": "one {n}", "few": "few {n}", "other": "other {n}"}})
    )]);
    let form = |rule: &str, value| {
        said(&words(forms.clone(), json!({"locale": "x", "plural": rule})), value)
    };
    for (rule, value, text) in [
        ("one_other", 0.0, "other 0"),
        ("one_other", 1.0, "one 1"),
        ("zero_one_other", 0.0, "one 0"),
        ("zero_one_other", 1.5, "one 1.5"),
        ("zero_one_other", 2.0, "other 2"),
        ("one_few_other", 1.0, "one 1"),
        ("one_few_other", 3.0, "few 3"),
        ("one_few_other", 5.0, "other 5"),
        ("one_few_other", 12.0, "other 12"),
        ("one_few_other", 22.0, "few 22"),
        ("one_few_other", 2.5, "other 2.5"),
        ("other", 1.0, "other 1"),
    ] {
        assert_eq!(form(rule, value), text, "{rule}");
    }
}

#[test]
fn levels_are_named_where_they_are_public_and_hidden_where_not() {
    let wire = signal(
        1,
        json!({"kind": "last_level", "field": "traits.size", "levels": ["big", " small "],
               "shown": {"big": "a big company"}, "words": {"other": "from {level}"}}),
    );
    let part = words(
        json!([wire]),
        json!({"locale": "de", "phrases": {"private_level": "etwas anderem"}}),
    );
    let words = Words::open(&part).unwrap();
    let say = |level: &str| {
        let mut out = String::new();
        let said = Said { id: 1, value: f64::NAN, level: Some(level_hash(level)) };
        words.say(said, &|_| said, &mut out);
        out
    };
    assert_eq!(say("big"), "from a big company");
    assert_eq!(say("small"), "from small");
    assert_eq!(say("secret"), "from etwas anderem");
}

#[test]
fn each_locale_may_speak_of_signals_in_its_own_words() {
    let wire = signal(1, json!({"words": {"one": "once", "other": "{n} times"}}));
    let german = json!({"locale": "de", "signals": {"s1": {"label": "Besuche", "words": {"one": "einmal", "other": "{n}-mal"}}}});
    let part = words(json!([wire]), german);
    assert_eq!((said(&part, 1.0), said(&part, 3.0)), ("einmal".to_owned(), "3-mal".to_owned()));
    assert_eq!(Words::open(&part).unwrap().label(1), "Besuche");
}

/// `docs/bundle-format.md`, part `words`: a changed form needs a new version.
#[test]
fn the_form_of_the_part_has_not_changed() {
    let phrases = json!({"second_one": "a", "second_few": "b", "second_other": "c", "minute_one": "d",
        "minute_few": "e", "minute_other": "f", "hour_one": "g", "hour_few": "h", "hour_other": "i",
        "day_one": "j", "day_few": "k", "day_other": "{n}l", "moment": "m", "unknown": "n",
        "private_signal": "o", "private_level": "p"});
    let signals = json!([
        signal(
            1,
            json!({"words": {"zero": "z", "one": "{n}", "few": "f", "other": "{s258}", "missing": "?"}})
        ),
        signal(
            258,
            json!({"unit": "days", "kind": "last_level", "field": "event", "levels": ["page"]})
        ),
    ]);
    let part =
        words(signals, json!({"locale": "x", "plural": "one_few_other", "phrases": phrases}));
    let strings = |texts: &[&str]| -> Vec<u8> {
        texts.iter().flat_map(|text| [&[text.len() as u8], text.as_bytes()].concat()).collect()
    };
    let body = [
        vec![2],
        strings(&[
            "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "\u{1}l", "m", "n", "o", "p",
        ]),
        vec![2, 0],
        vec![1, 0, 0, 0, 0],
        strings(&["Signal 1", "z", "\u{1}", "f", "\u{3}\u{101}", "?"]),
        vec![2, 1, 0, 0, 2],
        strings(&["Signal 258", "", "", "", "", ""]),
        vec![1, 0],
        level_hash("page").to_le_bytes().to_vec(),
        strings(&["page"]),
    ]
    .concat();
    let sum = rapport_core::binary::crc32(&body).to_le_bytes().to_vec();
    assert_eq!(part, [b"RPW1".to_vec(), sum, body].concat());
}
