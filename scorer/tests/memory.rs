//! Nothing that a scorer was told about one visitor is there when it is asked about the next.

mod guest;

use guest::{guest, sandbox};
use rapport_core::scoring::Scorer;

/// Where a scorer could keep the row that it was asked last, as an expression that keeps this one and
/// answers the last.
const HIDEOUTS: [(&str, &str, &str); 6] = [
    (
        "its memory",
        "(f64.load (i32.const 8)) (f64.store (i32.const 8) (f64.load (local.get $row)))",
        "",
    ),
    (
        "its memory's last page",
        "(f64.load (i32.const 0xfff8)) (f64.store (i32.const 0xfff8) (f64.load (local.get $row)))",
        "",
    ),
    (
        "memory that it grew by",
        "(drop (memory.grow (i32.const 200))) (f64.load (i32.const 0xc00000))
         (f64.store (i32.const 0xc00000) (f64.load (local.get $row)))",
        "",
    ),
    (
        "the room for the row, behind it",
        "(f64.load offset=8 (local.get $row)) (f64.store offset=8 (local.get $row) (f64.load (local.get $row)))",
        "",
    ),
    (
        "a global",
        "(global.get $last) (global.set $last (f64.load (local.get $row)))",
        "(global $last (mut f64) (f64.const 0))",
    ),
    (
        "a table",
        "(select (f64.const 0) (f64.const 1) (ref.is_null (table.get (i32.const 0))))
         (table.set (i32.const 0) (ref.func $a))",
        "(table 1 funcref) (elem declare func $a) (func $a)",
    ),
];

#[test]
fn a_scorer_remembers_no_visitor() {
    let sandbox = sandbox();
    let scorers =
        HIDEOUTS.map(|(name, keep, more)| (name, sandbox.open(&guest(keep, more), 1).unwrap()));
    // Alone, again and again in the same place.
    for (name, scorer) in &scorers {
        for _ in 0..100 {
            assert_eq!(scorer.probability(&[1.0]), Ok(0.0), "{name}");
        }
    }
    // In turn, and from several threads, so that places change hands.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    for (name, scorer) in &scorers {
                        assert_eq!(scorer.probability(&[1.0]), Ok(0.0), "{name}");
                    }
                }
            });
        }
    });
}

#[test]
fn a_trap_leaves_nothing_behind() {
    let sandbox = sandbox();
    let keep = "(f64.load (i32.const 8)) (f64.store (i32.const 8) (f64.const 1))
        (if (f64.gt (f64.load (local.get $row)) (f64.const 1)) (then (unreachable)))";
    let scorer = sandbox.open(&guest(keep, ""), 1).unwrap();
    for _ in 0..50 {
        assert_eq!(scorer.probability(&[2.0]).unwrap_err().code(), "trap");
        assert_eq!(scorer.probability(&[1.0]), Ok(0.0));
    }
}

#[test]
fn all_missing_values_look_the_same_to_a_scorer() {
    let bits = "(f64.div (f64.convert_i64_u (i64.shr_u (i64.load offset=8 (local.get $row)) (i64.const 40)))
        (f64.const 16777216))";
    let scorer = sandbox().open(&guest(bits, ""), 2).unwrap();
    let ask = |missing: f64| scorer.probability(&[1.0, missing]).unwrap();
    let strange = f64::from_bits(0xfff8_1234_5678_9abc);
    assert_eq!(ask(strange), ask(f64::NAN));
}
