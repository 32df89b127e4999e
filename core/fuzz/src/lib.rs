//! What several fuzzers share.

use rapport_core::profile::{SignalWire, Signals, compile_signals};
use std::sync::LazyLock;

/// The signals of `examples/demo/signals.json`, compiled.
pub static SIGNALS: LazyLock<Signals> = LazyLock::new(|| {
    let wires: Vec<SignalWire> =
        serde_json::from_str(include_str!("../../../examples/demo/signals.json")).unwrap();
    Signals::open(&compile_signals(&wires).0).unwrap()
});

/// Bytes with so many changes, each two bytes that say where and one that says what; and what of the
/// input is left.
pub fn changed<'i>(bytes: &[u8], changes: u8, input: &'i [u8]) -> (Vec<u8>, &'i [u8]) {
    let mut bytes = bytes.to_vec();
    let (changes, rest) = input.split_at(input.len().min(3 * usize::from(changes)));
    for change in changes.as_chunks::<3>().0 {
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
        bytes[at] = change[2];
    }
    (bytes, rest)
}
