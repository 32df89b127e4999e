#![no_main]
//! The JSON door for events: what it lets in, the binary door lets in.

use libfuzzer_sys::fuzz_target;
use rapport_core::event::{Event, EventWire, Millis};

fuzz_target!(|bytes: &[u8]| {
    let Ok(wire) = serde_json::from_slice::<EventWire>(bytes) else { return };
    let Ok(time) = wire.event_time(Millis(1_800_000_000_000)) else { return };
    if let Ok(encoded) = wire.encode(time) {
        Event::decode(&encoded).unwrap();
    }
});
