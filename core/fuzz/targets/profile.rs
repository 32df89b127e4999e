#![no_main]
//! Stored profiles: what opens must fold, read and store again.

use libfuzzer_sys::fuzz_target;
use rapport_core::binary::crc32;
use rapport_core::event::{Event, EventKind, EventWriter, Millis};
use rapport_core::profile::Profile;
use rapport_fuzz::SIGNALS;

fuzz_target!(|bytes: &[u8]| {
    let mut stored = Profile::new(&SIGNALS).encode(&SIGNALS)[..4].to_vec();
    stored.extend(crc32(bytes).to_le_bytes());
    stored.extend(bytes);
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
