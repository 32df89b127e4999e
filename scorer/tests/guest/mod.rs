//! Scorers written by hand.
#![allow(clippy::unwrap_used, dead_code, reason = "a test's; each program uses its share")]

use rapport_scorer::{Limits, Sandbox};
use std::time::Duration;

/// One with time enough that none is over on a machine with much else to do.
pub fn sandbox() -> Sandbox {
    let limits = Limits { time: Duration::from_secs(60), ..Limits::default() };
    Sandbox::new(limits).unwrap()
}

/// A scorer that does `mischief` where the row's first value is more than zero, and then answers what that
/// left; else it answers one half. `more` stands beside its functions.
pub fn guest(mischief: &str, more: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
            (func (export "score") (param $row i32) (param $length i32) (result f64)
                (if (result f64) (f64.gt (f64.load (local.get $row)) (f64.const 0))
                    (then {mischief})
                    (else (f64.const 0.5))))
            {more})"#
    );
    wat::parse_str(text).unwrap()
}

/// What behaves: its score is its first value.
pub fn honest() -> Vec<u8> {
    guest("(f64.load (local.get $row))", "")
}
