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
