#![no_main]
//! Stored profiles: what opens must fold, read and store again. The first byte says how many bytes of a
//! real one change; a profile of the fuzzer's own making follows a 255.

use libfuzzer_sys::fuzz_target;
use rapport_core::binary::crc32;
use rapport_core::event::{Event, EventKind, EventWire, EventWriter, Millis};
use rapport_core::profile::Profile;
use rapport_fuzz::{SIGNALS, changed};
use std::sync::LazyLock;

/// A profile of somebody who did a bit of everything: what stands behind the magic and the checksum.
static BODY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut profile = Profile::new(&SIGNALS);
    let events = serde_json::json!([
        {"type": "page", "context": {"page": {"path": "/pricing", "url": "https://a.test/pricing"},
            "campaign": {"source": "google", "medium": "cpc"}}},
        {"type": "page", "context": {"page": {"path": "/docs/a"}}},
        {"type": "page", "context": {"page": {"path": "/case-studies/b"}}},
        {"type": "page", "context": {"page": {"path": "/blog/c"}}},
        {"type": "track", "event": "Form Started", "properties": {"form": "demo"}},
        {"type": "track", "event": "Form Submitted", "properties": {"form": "demo"}},
        {"type": "track", "event": "Engaged", "properties": {"seconds": 40}},
        {"type": "identify", "traits": {"employees": 50, "occupation": "Student", "timeline": "year"}},
    ]);
    for (number, event) in (0..).zip(events.as_array().unwrap()) {
        let time = Millis(1_780_000_000_000 + number * Millis::DAY / 3);
        let wire: EventWire = serde_json::from_value(event.clone()).unwrap();
        let bytes = wire.encode(time).unwrap();
        profile.fold(&SIGNALS, &Event::decode(&bytes).unwrap(), time);
    }
    profile.encode(&SIGNALS).split_off(8)
});

fuzz_target!(|bytes: &[u8]| {
    let Some((changes, rest)) = bytes.split_first() else { return };
    let body = match changes {
        255 => rest.to_vec(),
        changes => changed(&BODY, *changes, rest).0,
    };
    let mut stored = Profile::new(&SIGNALS).encode(&SIGNALS)[..4].to_vec();
    stored.extend(crc32(&body).to_le_bytes());
    stored.extend(body);
    let Ok(mut profile) = Profile::open(&stored, &SIGNALS) else { return };
    let now = profile.clock().unwrap_or(Millis(0));
    let page = EventWriter::new(EventKind::Page, "Pricing", "m", now).finish();
    profile.fold(&SIGNALS, &Event::decode(&page).unwrap(), now);
    for index in 0..SIGNALS.len() {
        profile.value(&SIGNALS, index, now);
        profile.next_change(&SIGNALS, index, now, &[]);
    }
    Profile::open(&profile.encode(&SIGNALS), &SIGNALS).unwrap();
});
