//! Scorers that loop, trap, hoard and lie: each costs one call.
#![allow(clippy::unwrap_used, clippy::panic)]

mod guest;

use guest::{guest, honest, sandbox};
use rapport_core::scoring::{Scorer, ScorerFault};
use rapport_scorer::{Limits, Sandbox, WasmScorer};
use std::time::{Duration, Instant};

/// What hostile scorers do, with what else they need, and the code of the fault.
const MISCHIEF: [(&str, &str, &str, &str); 22] = [
    ("loops", "(loop (br 0)) (unreachable)", "", "fuel"),
    ("loops without a jump back", "(call $a)", "(func $a (result f64) (return_call $a))", "fuel"),
    (
        "calls itself twice",
        "(call $a (i32.const 60)) (f64.const 0.5)",
        "(func $a (param i32) (if (local.get 0) (then
            (call $a (i32.sub (local.get 0) (i32.const 1)))
            (call $a (i32.sub (local.get 0) (i32.const 1))))))",
        "fuel",
    ),
    (
        "fills its memory over and over",
        "(drop (memory.grow (i32.const 255)))
         (loop (memory.fill (i32.const 0) (i32.const 7) (i32.const 0x1000000)) (br 0)) (unreachable)",
        "",
        "fuel",
    ),
    (
        "copies its memory over and over",
        "(drop (memory.grow (i32.const 255)))
         (loop (memory.copy (i32.const 0) (i32.const 1) (i32.const 0xffffff)) (br 0)) (unreachable)",
        "",
        "fuel",
    ),
    (
        "touches every page it may have, and then loops",
        "(drop (memory.grow (i32.const 255)))
         (loop (i32.store (local.get $row) (i32.const 1))
            (br_if 0 (i32.lt_u (local.tee $row (i32.add (local.get $row) (i32.const 4096))) (i32.const 0xfff000))))
         (loop (br 0)) (unreachable)",
        "",
        "fuel",
    ),
    (
        "grows a table for ever",
        "(loop (drop (table.grow (ref.null func) (i32.const 100))) (br 0)) (unreachable)",
        "(table 1 funcref)",
        "fuel",
    ),
    (
        "wants all memory",
        "(loop (br_if 0 (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0)))) (unreachable)",
        "",
        "memory",
    ),
    ("wants all memory at once", "(if (i32.lt_s (memory.grow (i32.const 0xffff)) (i32.const 0)) (then (unreachable))) (f64.const 0.5)", "", "memory"),
    ("gives up", "(unreachable)", "", "trap"),
    ("recurses for ever", "(f64.add (call $a (local.get $row)) (f64.const 1))", "(func $a (param i32) (result f64) (f64.add (call $a (local.get 0)) (f64.const 1)))", "trap"),
    (
        "recurses with much on its stack",
        "(call $a (f64.const 1))",
        "(func $a (param f64) (result f64) (local f64 f64 f64 f64)
            (local.set 1 (f64.sqrt (local.get 0))) (local.set 2 (f64.sqrt (local.get 1)))
            (f64.add (call $a (f64.add (local.get 2) (local.get 1))) (f64.mul (local.get 1) (local.get 2))))",
        "trap",
    ),
    ("divides by zero", "(f64.convert_i32_s (i32.div_s (i32.const 1) (i32.const 0)))", "", "trap"),
    ("reads beyond its memory", "(f64.load (i32.const 0x10000))", "", "trap"),
    ("reads at the far end of all memory", "(f64.load offset=0xffffffff (i32.const 0xffffffff))", "", "trap"),
    ("writes beyond its memory", "(f64.store (i32.const -8) (f64.const 0)) (f64.const 0.5)", "", "trap"),
    ("calls nothing", "(call_indirect (result f64) (i32.const 0))", "(table 1 funcref)", "trap"),
    ("calls what is something else", "(call_indirect (result f64) (i32.const 0))", "(table funcref (elem $a)) (func $a)", "trap"),
    ("answers NaN", "(f64.div (f64.const 0) (f64.const 0))", "", "nonsense"),
    ("answers infinity", "(f64.const inf)", "", "nonsense"),
    ("answers more than 1", "(f64.const 1.0000000000000002)", "", "nonsense"),
    ("answers less than 0", "(f64.const -5e-324)", "", "nonsense"),
];

#[test]
fn what_a_scorer_does_wrong_costs_that_call_and_says_why() {
    let sandbox = sandbox();
    let honest = sandbox.open(&honest(), 1).unwrap();
    for (name, mischief, more, code) in MISCHIEF {
        let scorer = sandbox.open(&guest(mischief, more), 1);
        let scorer = scorer.unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        for _ in 0..3 {
            let fault = scorer.probability(&[1.0]).unwrap_err();
            assert_eq!(fault.code(), code, "{name}: {fault}");
            assert_eq!(scorer.probability(&[0.0]), Ok(0.5), "{name}");
            assert_eq!(honest.probability(&[0.25]), Ok(0.25), "{name}");
        }
    }
}

#[test]
fn hostile_scorers_on_many_threads_leave_the_others_alone() {
    let sandbox = sandbox();
    let rounds = if std::env::var_os("RAPPORT_SOAK").is_some() { 2_000 } else { 3 };
    let honest = sandbox.open(&honest(), 1).unwrap();
    let hostile: Vec<(WasmScorer, &str)> = MISCHIEF
        .iter()
        .map(|(_, mischief, more, code)| (sandbox.open(&guest(mischief, more), 1).unwrap(), *code))
        .collect();
    // More threads than the sandbox runs at once: some wait.
    std::thread::scope(|scope| {
        for thread in 0..40 {
            let (honest, hostile) = (&honest, &hostile);
            scope.spawn(move || {
                for round in 0..rounds {
                    let (scorer, code) = &hostile[(thread * 7 + round) % hostile.len()];
                    let fault = scorer.probability(&[1.0]).unwrap_err();
                    assert_eq!(fault.code(), *code, "{fault}");
                    let row = f64::from(thread as u32 + 1) / 64.0;
                    assert_eq!(honest.probability(&[row]), Ok(row));
                }
            });
        }
    });
}

#[test]
fn time_ends_what_fuel_does_not() {
    let limits = Limits { fuel: u64::MAX, time: Duration::from_millis(300), ..Limits::default() };
    let sandbox = Sandbox::new(limits).unwrap();
    let scorer = sandbox.open(&guest("(loop (br 0)) (unreachable)", ""), 1).unwrap();
    let start = Instant::now();
    assert_eq!(scorer.probability(&[1.0]), Err(ScorerFault::Time(300)));
    assert!(start.elapsed() >= Duration::from_millis(300));
    // Long after a call, when the clock rests, the next one is ended as well.
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(scorer.probability(&[1.0]), Err(ScorerFault::Time(300)));
}

#[test]
fn a_scorer_that_is_refused_memory_may_live_without_it() {
    let sandbox = sandbox();
    let modest = "(drop (memory.grow (i32.const 0xffff))) (f64.const 0.75)";
    assert_eq!(sandbox.open(&guest(modest, ""), 1).unwrap().probability(&[1.0]), Ok(0.75));
}

#[test]
fn a_row_of_another_length_is_not_asked_for() {
    let scorer = sandbox().open(&honest(), 1).unwrap();
    for row in [&[][..], &[0.5, 0.5]] {
        assert_eq!(scorer.probability(row).unwrap_err().code(), "shape");
    }
}
