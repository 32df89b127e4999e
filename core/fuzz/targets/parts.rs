#![no_main]
//! Parts of a bundle: what opens must take an event.

use libfuzzer_sys::fuzz_target;
use rapport_core::binary::crc32;
use rapport_core::bundle::Words;
use rapport_core::event::{Event, EventKind, EventWriter, Millis};
use rapport_core::profile::{Profile, Signals, compile_signals};

fuzz_target!(|bytes: &[u8]| {
    let mut sealed = compile_signals(&[]).0[..4].to_vec();
    sealed.extend(crc32(bytes).to_le_bytes());
    sealed.extend(bytes);
    if let Ok(signals) = Signals::open(&sealed) {
        let mut profile = Profile::new(&signals);
        let page = EventWriter::new(EventKind::Page, "Pricing", "m", Millis(0)).finish();
        profile.fold(&signals, &Event::decode(&page).unwrap(), Millis(0));
        Profile::open(&profile.encode(&signals), &signals).unwrap();
    }
    sealed[..4].copy_from_slice(b"RPW1");
    let _ = Words::open(&sealed);
});
