//! What holds for every profile, tried on many invented lives.
#![cfg(feature = "wire")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use rapport_core::event::{Event, EventKind, EventWriter, FieldValue, Millis};
use rapport_core::profile::{MergeRule, Profile, SignalWire, Signals, compile_signals};
use serde_json::{Value, json};

const T0: i64 = 1_750_000_000_000;
const DAY: i64 = Millis::DAY;

/// How many lives are invented.
fn lives() -> u64 {
    if std::env::var_os("RAPPORT_SOAK").is_some() { 100_000 } else { 300 }
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

fn every_kind() -> Vec<Value> {
    let page = json!({"type": "page"});
    let kinds = json!([
        {"kind": "count"}, {"kind": "count", "when": page},
        {"kind": "distinct", "field": "context.page.path"}, {"kind": "sum", "field": "properties.amount"},
        {"kind": "max", "field": "properties.amount"}, {"kind": "last", "field": "properties.amount"},
        {"kind": "first_level", "field": "channel"}, {"kind": "last_level", "field": "channel"},
        {"kind": "since_first", "when": page}, {"kind": "since_last", "when": page},
        {"kind": "engaged", "field": "properties.amount"},
        {"kind": "decayed", "half_life_days": 3, "field": null}, {"kind": "session", "when": page},
        {"kind": "visits", "when": page}, {"kind": "window", "days": 7}, {"kind": "window", "days": 0.5},
        {"kind": "ratio", "of": ["s1", "s2"]}, {"kind": "ratio", "of": ["s1", "s14"]},
    ]);
    let mut wires = kinds.as_array().unwrap().clone();
    for (index, wire) in wires.iter_mut().enumerate() {
        wire["id"] = json!(100 - index);
        wire["name"] = json!(format!("s{}", index + 1));
        wire["label"] = json!("");
    }
    wires
}

fn open(wires: &[Value]) -> Signals {
    let wires: Vec<SignalWire> =
        wires.iter().map(|wire| serde_json::from_value(wire.clone()).unwrap()).collect();
    let (part, problems) = compile_signals(&wires);
    assert_eq!(problems, []);
    Signals::open(&part).unwrap()
}

/// Events in order of time, at different milliseconds.
fn life(dice: &mut Dice, most: u64) -> Vec<(i64, Vec<u8>)> {
    let mut time = T0 + dice.below(1000) as i64;
    let events = 1 + dice.below(most);
    let happen = (0..events).map(|_| {
        let spans = [1000, 60_000, Millis::HOUR as u64, 4 * DAY as u64];
        time += 1 + dice.pick(&spans).min(1 + dice.next() % spans[3]) as i64;
        let kind = dice.pick(&[EventKind::Page, EventKind::Page, EventKind::Track]);
        let path = format!("/p{}", dice.below(40));
        let referrer =
            dice.pick(&["", "https://www.google.com/", "https://t.co/x", "https://acme.test/"]);
        let mut writer = EventWriter::new(
            kind,
            if kind == EventKind::Page { "" } else { "Paid" },
            &path,
            Millis(time),
        );
        writer.field("context.page.path", FieldValue::Text(&path));
        writer.field("context.page.url", FieldValue::Text("https://acme.test/x"));
        writer.field("context.page.referrer", FieldValue::Text(referrer));
        if dice.below(8) == 0 {
            writer.field("context.campaign.source", FieldValue::Text(dice.pick(&["a", "b"])));
        }
        writer.field(
            "properties.amount",
            FieldValue::Number(dice.below(100_000) as f64 / 100.0 - 200.0),
        );
        (time, writer.finish())
    });
    happen.collect()
}

fn fold_all(profile: &mut Profile, signals: &Signals, events: &[(i64, Vec<u8>)]) {
    for (time, bytes) in events {
        profile.fold(signals, &Event::decode(bytes).unwrap(), Millis(*time));
    }
}

fn values(profile: &Profile, signals: &Signals, now: i64) -> Vec<(u64, Option<u32>)> {
    (0..signals.len())
        .map(|index| (profile.value(signals, index, Millis(now)).to_bits(), profile.level(index)))
        .collect()
}

#[test]
fn folding_in_chunks_with_storage_between_is_folding_at_once() {
    let signals = open(&every_kind());
    for seed in 0..lives() {
        let mut dice = Dice(seed);
        let events = life(&mut dice, 60);
        let mut at_once = Profile::new(&signals);
        fold_all(&mut at_once, &signals, &events);
        let mut chunked = Profile::new(&signals);
        let mut rest = events.as_slice();
        while !rest.is_empty() {
            let (chunk, tail) = rest.split_at(1 + dice.below(rest.len() as u64) as usize);
            fold_all(&mut chunked, &signals, chunk);
            chunked = Profile::open(&chunked.encode(&signals), &signals).unwrap();
            rest = tail;
        }
        assert_eq!(chunked.encode(&signals), at_once.encode(&signals), "seed {seed}");
    }
}

#[test]
fn a_slim_profile_is_the_same_profile_in_two_thirds_of_the_bytes() {
    let signals = open(&every_kind());
    for seed in 0..lives() {
        let mut dice = Dice(seed);
        let mut profile = Profile::new(&signals);
        let empty = Profile::open_slim(&profile.slim(&signals, 999), &signals).unwrap();
        assert_eq!(empty.encode(&signals), profile.encode(&signals));
        fold_all(&mut profile, &signals, &life(&mut dice, 60));
        let (slim, stored) = (profile.slim(&signals, 999), profile.encode(&signals));
        assert!(slim.len() * 3 < stored.len() * 2, "{} of {} bytes", slim.len(), stored.len());
        assert_eq!(Profile::open_slim(&slim, &signals).unwrap().encode(&signals), stored);
        // Where there is less room some signals are missing, and nothing else is.
        let most = 30 + dice.below(150) as usize;
        let less = profile.slim(&signals, most);
        assert!(less.len() <= most);
        if let Ok(opened) = Profile::open_slim(&less, &signals) {
            for index in (0..signals.len()).filter(|index| opened.is_known(&signals, *index)) {
                let [ours, whole] = [&opened, &profile]
                    .map(|one| one.value(&signals, index, Millis(T0 + 900 * DAY)).to_bits());
                assert_eq!(ours, whole, "seed {seed}: {}", signals.name(index));
            }
        }
    }
}

#[test]
fn damaged_slim_profiles_never_panic() {
    let signals = open(&every_kind());
    let mut dice = Dice(5);
    let mut profile = Profile::new(&signals);
    fold_all(&mut profile, &signals, &life(&mut dice, 60));
    let slim = profile.slim(&signals, 999);
    for length in 0..slim.len() {
        let _ = Profile::open_slim(&slim[..length], &signals);
    }
    for _ in 0..20_000 {
        let mut damaged = slim.clone();
        for _ in 0..=dice.below(3) {
            let at = dice.below(damaged.len() as u64) as usize;
            damaged[at] ^= 1 << dice.below(8);
        }
        if let Ok(mut opened) = Profile::open_slim(&damaged, &signals) {
            fold_all(&mut opened, &signals, &life(&mut dice, 3));
            opened.encode(&signals);
        }
    }
}

#[test]
fn merging_keeps_what_each_rule_promises() {
    let signals = open(&every_kind());
    for seed in 0..lives() {
        let mut dice = Dice(seed);
        let (first, second) = (life(&mut dice, 40), life(&mut dice, 40));
        let mut whole = [first.clone(), second.clone()].concat();
        whole.sort_by_key(|(time, _)| *time);
        let [mut merged, mut other, mut folded] = [0; 3].map(|_| Profile::new(&signals));
        fold_all(&mut merged, &signals, &first);
        fold_all(&mut other, &signals, &second);
        fold_all(&mut folded, &signals, &whole);
        merged.merge(&signals, &other);
        let now = whole.last().unwrap().0 + dice.below(9 * DAY as u64) as i64;
        let (ours, theirs) = (values(&merged, &signals, now), values(&folded, &signals, now));
        for index in 0..signals.len() {
            let [(a, b), (wanted_a, wanted_b)] = [ours[index], theirs[index]];
            let name = signals.name(index);
            match signals.merge_rule(index) {
                MergeRule::Exact => assert_eq!((a, b), (wanted_a, wanted_b), "seed {seed}: {name}"),
                MergeRule::Approximate => {
                    let (a, wanted) = (f64::from_bits(a), f64::from_bits(wanted_a));
                    let near =
                        (a - wanted).abs() <= 1e-6 * wanted.abs() || a.is_nan() && wanted.is_nan();
                    // Visits of two devices may overlap, and campaigns may alternate.
                    let visits =
                        ["s14", "s18"].contains(&name) && a > 0.3 * wanted && a < 3.0 * wanted;
                    assert!(near || visits, "seed {seed}: {name}: {a} for {wanted}");
                }
                MergeRule::RefoldOnly => assert!(f64::from_bits(a).is_nan(), "seed {seed}: {name}"),
            }
        }
    }
}

#[test]
fn sixty_signals_of_the_largest_kinds_fit_into_two_kilobytes() {
    let wires: Vec<Value> = (1..=60)
        .map(|id| match id % 2 {
            0 => json!({"kind": "window", "days": id, "id": id, "name": format!("w{id}"), "label": ""}),
            _ => json!({"kind": "distinct", "field": "context.page.path", "id": id, "name": format!("d{id}"), "label": ""}),
        })
        .collect();
    let signals = open(&wires);
    let mut profile = Profile::new(&signals);
    fold_all(&mut profile, &signals, &life(&mut Dice(7), 400));
    let stored = profile.encode(&signals);
    assert!((1900..=2048).contains(&stored.len()), "{} bytes", stored.len());
}

#[test]
fn damaged_profiles_are_refused_and_never_panic() {
    let signals = open(&every_kind());
    let mut dice = Dice(3);
    let mut profile = Profile::new(&signals);
    fold_all(&mut profile, &signals, &life(&mut dice, 60));
    let stored = profile.encode(&signals);
    for _ in 0..20_000 {
        let mut damaged = stored.clone();
        for _ in 0..=dice.below(3) {
            let at = dice.below(damaged.len() as u64) as usize;
            damaged[at] ^= 1 << dice.below(8);
        }
        damaged.truncate(damaged.len().saturating_sub((dice.below(4) * dice.below(200)) as usize));
        assert!(damaged == stored || Profile::open(&damaged, &signals).is_err());
        // Behind a right checksum, what opens must also fold and store.
        let sum = rapport_core::binary::crc32(&damaged[8.min(damaged.len())..]).to_le_bytes();
        if let Some(slot) = damaged.get_mut(4..8) {
            slot.copy_from_slice(&sum);
        }
        if let Ok(mut profile) = Profile::open(&damaged, &signals) {
            fold_all(&mut profile, &signals, &life(&mut dice, 2));
            values(&profile, &signals, T0);
            Profile::open(&profile.encode(&signals), &signals).unwrap();
        }
    }
}

#[test]
fn random_bytes_are_no_events_no_signals_and_no_profiles() {
    let mut dice = Dice(11);
    let signals = open(&every_kind());
    for _ in 0..20_000 {
        let mut bytes: Vec<u8> = (0..dice.below(300)).map(|_| dice.next() as u8).collect();
        let _ = Event::decode(&bytes);
        assert!(Signals::open(&bytes).is_err());
        assert!(Profile::open(&bytes, &signals).is_err());
        // A right head lets more of them in.
        let head = [1, dice.below(5) as u8, dice.below(4) as u8, 0];
        bytes.splice(0..head.len().min(bytes.len()), head);
        if let Ok(event) = Event::decode(&bytes) {
            Profile::new(&signals).fold(&signals, &event, event.time);
        }
    }
}

#[test]
fn times_at_the_ends_of_the_clock_never_overflow() {
    let signals = open(&every_kind());
    for first in [i64::MIN, -1, 0, T0, i64::MAX] {
        for second in [i64::MIN, 0, T0, i64::MAX] {
            let mut profile = Profile::new(&signals);
            for time in [first, second] {
                let bytes = EventWriter::new(EventKind::Page, "", "", Millis(time)).finish();
                profile.fold(&signals, &Event::decode(&bytes).unwrap(), Millis(time));
            }
            for now in [i64::MIN, 0, i64::MAX] {
                values(&profile, &signals, now);
                for index in 0..signals.len() {
                    profile.next_change(&signals, index, Millis(now), &[0.0, 1.0, f64::MAX]);
                }
            }
            Profile::open(&profile.encode(&signals), &signals).unwrap();
        }
    }
}
