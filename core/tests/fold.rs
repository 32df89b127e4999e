//! What a profile remembers, told event by event.
#![cfg(feature = "wire")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use rapport_core::event::{Event, EventWire, Millis};
use rapport_core::profile::{Profile, SignalWire, Signals, compile_signals};
use serde_json::{Value, json};

const DAY: i64 = Millis::DAY;

fn signals(wires: Value) -> Signals {
    let wires: Vec<SignalWire> = serde_json::from_value(wires).unwrap();
    let (part, problems) = compile_signals(&wires);
    assert_eq!(problems, []);
    Signals::open(&part).unwrap()
}

fn signal(id: u32, kind: Value) -> Value {
    let mut wire = json!({"id": id, "name": format!("s{id}"), "label": format!("Signal {id}")});
    wire.as_object_mut().unwrap().extend(kind.as_object().unwrap().clone());
    wire
}

fn fold(profile: &mut Profile, signals: &Signals, time: i64, event: Value) {
    let wire: EventWire = serde_json::from_value(event).unwrap();
    let bytes = wire.encode(Millis(time)).unwrap();
    profile.fold(signals, &Event::decode(&bytes).unwrap(), Millis(time));
}

fn page(path: &str) -> Value {
    json!({"type": "page", "context": {"page": {"path": path, "url": format!("https://acme.test{path}")}}})
}

#[test]
fn a_count_counts_what_matches() {
    let signals = signals(json!([
        signal(1, json!({"kind": "count"})),
        signal(
            2,
            json!({"kind": "count", "when": {"type": "page", "where": [{"field": "context.page.path", "prefix": "/pricing"}]}})
        ),
    ]));
    let mut profile = Profile::new(&signals);
    for (time, path) in [(0, "/"), (1, "/pricing"), (2, "/pricing/teams"), (3, "/blog")] {
        fold(&mut profile, &signals, time, page(path));
    }
    assert_eq!(profile.value(&signals, 0, Millis(4)), 4.0);
    assert_eq!(profile.value(&signals, 1, Millis(4)), 2.0);
    let stored = profile.encode(&signals);
    assert_eq!(Profile::open(&stored, &signals).unwrap(), profile);
}

#[test]
fn a_decayed_count_halves_every_half_life() {
    let signals = signals(json!([signal(1, json!({"kind": "decayed", "half_life_days": 7}))]));
    let mut profile = Profile::new(&signals);
    fold(&mut profile, &signals, 0, page("/"));
    assert_eq!(profile.value(&signals, 0, Millis(7 * DAY)), 0.5);
    assert_eq!(profile.next_change(&signals, 0, Millis(0), &[0.25, 0.75]).unwrap().0 / DAY, 2);
}

#[test]
fn what_the_server_sets_is_missing_until_then_moved_by_no_event_and_kept() {
    let signals = signals(json!([
        signal(1, json!({"kind": "server"})),
        signal(2, json!({"kind": "server_level"})),
        signal(3, json!({"kind": "count"})),
    ]));
    let mut profile = Profile::new(&signals);
    fold(&mut profile, &signals, 0, page("/"));
    let seen = |profile: &Profile| (profile.value(&signals, 0, Millis(1)), profile.level(1));
    assert!(seen(&profile).0.is_nan() && seen(&profile).1.is_none());
    assert!(profile.is_known(&signals, 0), "nothing is left to fold for it");
    assert!(profile.give(&signals, 0, 250.0, Millis(5)));
    assert!(profile.give(&signals, 1, f64::from(7), Millis(5)));
    assert!(!profile.give(&signals, 2, 9.0, Millis(5)), "a count is the events' own");
    assert!(!profile.give(&signals, 99, 9.0, Millis(5)));
    fold(
        &mut profile,
        &signals,
        6,
        json!({"type": "track", "event": "x", "properties": {"s1": 3}}),
    );
    assert_eq!(seen(&profile), (250.0, Some(7)));
    let stored = profile.encode(&signals);
    assert_eq!(Profile::open(&stored, &signals).unwrap(), profile);
    for value in [f64::NAN, f64::INFINITY, 1e301] {
        profile.give(&signals, 0, value, Millis(8));
        assert!(seen(&profile).0.is_nan());
    }
    profile.give(&signals, 1, f64::NAN, Millis(8));
    assert_eq!(seen(&profile).1, None);
    let mut untouched = Profile::open(&stored, &signals).unwrap();
    untouched.give(&signals, 0, f64::NAN, Millis(8));
    untouched.give(&signals, 1, f64::NAN, Millis(8));
    assert_eq!(untouched.encode(&signals), profile.encode(&signals));
}

#[test]
fn of_two_devices_the_servers_later_word_counts() {
    let signals = signals(json!([
        signal(1, json!({"kind": "server"})),
        signal(2, json!({"kind": "server_level"}))
    ]));
    let of = |at: i64, value: f64| {
        let mut profile = Profile::new(&signals);
        profile.give(&signals, 0, value, Millis(at));
        profile.give(&signals, 1, value, Millis(at));
        profile
    };
    for (mut one, other) in [(of(1, 10.0), of(2, 20.0)), (of(2, 20.0), of(1, 10.0))] {
        one.merge(&signals, &other);
        assert_eq!((one.value(&signals, 0, Millis(3)), one.level(1)), (20.0, Some(20)));
    }
}

#[test]
fn what_the_server_sets_counts_no_events() {
    let wire = signal(1, json!({"kind": "server", "when": {"type": "page"}}));
    let wires: Vec<SignalWire> = serde_json::from_value(json!([wire])).unwrap();
    let (_, problems) = compile_signals(&wires);
    assert!(problems[0].reason.contains("set by the server"), "{problems:?}");
}
