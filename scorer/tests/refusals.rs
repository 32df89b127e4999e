//! What is refused when it is uploaded, with what is said.
#![allow(clippy::unwrap_used, clippy::panic)]

mod guest;

use guest::{guest, honest, sandbox};
use rapport_core::scoring::ScorerFault;
use rapport_scorer::Refusal;

fn refused(wasm: &[u8]) -> Refusal {
    match sandbox().open(wasm, 1) {
        Ok(_) => panic!("it was taken"),
        Err(refusal) => refusal,
    }
}

fn text(fields: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {fields})")).unwrap()
}

const MEMORY: &str = r#"(memory (export "memory") 1)"#;
const REALLOC: &str =
    r#"(func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)"#;
const SCORE: &str = r#"(func (export "score") (param i32 i32) (result f64) f64.const 0.5)"#;

#[test]
fn what_is_no_core_module_is_refused() {
    assert!(matches!(refused(b""), Refusal::Invalid(_)));
    assert!(matches!(refused(b"PK\x03\x04 a zip"), Refusal::Invalid(_)));
    let honest = honest();
    // Behind all that counts are only names.
    let names = honest.windows(5).position(|bytes| bytes == b"\x04name").unwrap() - 2;
    for length in 0..names {
        let refusal = refused(&honest[..length]);
        assert!(
            matches!(refusal, Refusal::Invalid(_) | Refusal::Missing(_)),
            "{length}: {refusal}"
        );
    }
    assert_eq!(refused(b"\0asm\x0d\0\x01\0"), Refusal::Component);
}

#[test]
fn what_imports_is_refused_with_the_import() {
    let refusal = refused(&text(
        r#"(import "wasi_snapshot_preview1" "clock_time_get" (func (param i32 i64 i32) (result i32)))"#,
    ));
    assert_eq!(
        refusal.to_string(),
        "it imports wasi_snapshot_preview1.clock_time_get: a scorer imports nothing; build it without WASI and \
         without a host's functions"
    );
    assert!(matches!(
        refused(&text(r#"(import "env" "memory" (memory 1))"#)),
        Refusal::Import { .. }
    ));
}

#[test]
fn exports_that_are_missing_or_of_another_type_are_named() {
    assert_eq!(refused(&text(&format!("{REALLOC} {SCORE}"))), Refusal::Missing("memory"));
    assert_eq!(refused(&text(&format!("{MEMORY} {SCORE}"))), Refusal::Missing("cabi_realloc"));
    assert_eq!(refused(&text(&format!("{MEMORY} {REALLOC}"))), Refusal::Missing("score"));
    let single = r#"(func (export "score") (param i32 i32) (result f32) f32.const 0.5)"#;
    assert_eq!(
        refused(&text(&format!("{MEMORY} {REALLOC} {single}"))).to_string(),
        "its export score is a function of (i32, i32) -> (f32): it must be a function of (i32, i32) to f64"
    );
    let constant = r#"(global (export "score") f64 (f64.const 0.5))"#;
    assert!(matches!(
        refused(&text(&format!("{MEMORY} {REALLOC} {constant}"))),
        Refusal::Type { name: "score", .. }
    ));
}

#[test]
fn what_is_not_the_same_everywhere_is_refused() {
    for feature in [
        "(func (result v128) (f32x4.relaxed_min (v128.const i64x2 0 0) (v128.const i64x2 0 0)))",
        "(memory i64 1)",
        "(memory 1 1 shared)",
        "(memory 1) (memory 1)",
        "(type (struct))",
        "(tag)",
    ] {
        assert!(matches!(refused(&text(feature)), Refusal::Invalid(_)), "{feature}");
    }
}

#[test]
fn what_wants_too_much_is_refused_before_it_is_compiled() {
    let large = |fields: &str| match refused(&text(fields)) {
        Refusal::TooLarge { what, .. } => what,
        other => panic!("{other}"),
    };
    assert_eq!(large("(memory 257)"), "bytes of memory");
    assert_eq!(large("(memory 65536)"), "bytes of memory");
    assert_eq!(large("(table 10001 funcref)"), "elements in a table");
    assert_eq!(
        large(&format!("(memory 256) (data (i32.const 0) \"{}\")", "a".repeat(9 << 20))),
        "bytes"
    );
    assert_eq!(large(&"(func)".repeat(10_001)), "functions");
    let long = |nops: usize| format!("(func {})", "nop ".repeat(nops));
    assert_eq!(large(&long(1_000).repeat(1_100)), "bytes of code");
    assert_eq!(refused(&text(&long(64_000))), Refusal::Tangled);
    assert_eq!(refused(&text(&long(40_000).repeat(3))), Refusal::Tangled);
    let variables = "(local f64)".repeat(20_000);
    let long = format!("(func {variables} {})", "nop ".repeat(25_000));
    assert_eq!(refused(&text(&long)), Refusal::Tangled);
}

#[test]
fn what_fails_the_two_rows_that_it_is_asked_is_refused() {
    let body = |score: &str, more: &str| {
        let score = format!(r#"(func (export "score") (param i32 i32) (result f64) {score})"#);
        text(&format!("{MEMORY} {REALLOC} {score} {more}"))
    };
    let fault = |wasm: &[u8]| match refused(wasm) {
        Refusal::Fault { fault, .. } => fault,
        other => panic!("{other}"),
    };
    let fuel = ScorerFault::Fuel(5_000_000);
    let forever = "(loop (br 0)) (unreachable)";
    assert_eq!(fault(&body(forever, "")), fuel);
    assert_eq!(fault(&body("(f64.const 0.5)", "(start $a) (func $a (loop (br 0)))")), fuel);
    assert_eq!(
        fault(&body("(f64.const 0.5)", r#"(func (export "_initialize") (loop (br 0)))"#)),
        fuel
    );
    let lost = refused(&body("(f64.load (local.get 0))", ""));
    assert!(
        lost.to_string()
            .starts_with("asked for a row of missing values, it failed: the model answered NaN")
    );
    // Rooms that lie outside its memory, in part or as a whole.
    for room in ["65529", "65536", "-1", "-8"] {
        let realloc = REALLOC.replace("i32.const 0", &format!("i32.const {room}"));
        let trap = fault(&text(&format!("{MEMORY} {realloc} {SCORE}")));
        assert_eq!(trap.code(), "trap", "{room}");
    }
    let looping = REALLOC.replace("i32.const 0", forever);
    assert_eq!(fault(&text(&format!("{MEMORY} {looping} {SCORE}"))), fuel);
}

#[test]
fn data_that_does_not_fit_traps_at_the_start() {
    let wasm = guest("(f64.const 0.5)", "(data (i32.const 65530) \"too long\")");
    assert!(matches!(refused(&wasm), Refusal::Fault { fault: ScorerFault::Trap(_), .. }));
}
