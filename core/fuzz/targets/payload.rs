#![no_main]
//! Features and experiments as people author them, and a visitor in the same object: whatever
//! compiles must come back from its bytes, and answer.

use libfuzzer_sys::fuzz_target;
use rapport_core::experiment::{Asker, Flags, compile_flags};
use rapport_core::targeting::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(payload) = serde_json::from_slice::<Value>(bytes) else { return };
    let packed = compile_flags(&payload).0.to_bytes();
    let flags = Flags::open(&packed).unwrap();
    assert_eq!(flags.to_bytes(), packed);
    Asker::new(&payload).all(&flags);
});
