#![no_main]
//! The binary door for events: whatever decodes must fold.

use libfuzzer_sys::fuzz_target;
use rapport_core::event::{Event, Millis};
use rapport_core::profile::Profile;
use rapport_fuzz::SIGNALS;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(event) = Event::decode(bytes) {
        let mut profile = Profile::new(&SIGNALS);
        profile.fold(&SIGNALS, &event, Millis(i64::MAX / 4));
        let stored = profile.encode(&SIGNALS);
        assert_eq!(Profile::open(&stored, &SIGNALS).unwrap().encode(&SIGNALS), stored);
    }
});
