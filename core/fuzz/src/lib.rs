//! What several fuzzers share: the signals of the demo, compiled, by which they fold.

use rapport_core::profile::{SignalWire, Signals, compile_signals};
use std::sync::LazyLock;

/// Those of `examples/demo/signals.json`.
pub static SIGNALS: LazyLock<Signals> = LazyLock::new(|| {
    let wires: Vec<SignalWire> =
        serde_json::from_str(include_str!("../../../examples/demo/signals.json")).unwrap();
    Signals::open(&compile_signals(&wires).0).unwrap()
});
