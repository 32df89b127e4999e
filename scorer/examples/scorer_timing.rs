//! Microseconds of a score: `scorer_timing GUEST`, of three signals. With `--worst` behind it, also the seconds
//! that opening the worst modules takes.
#![allow(clippy::unwrap_used)]

use rapport_core::scoring::Scorer;
use rapport_scorer::{Limits, Sandbox};
use std::time::Instant;

const SLICES: usize = 100;
const CALLS: usize = 200;
const ROUNDS: usize = 20;

fn main() {
    let Some(guest) = std::env::args().nth(1) else {
        return println!("scorer_timing: give a module of three signals");
    };
    let sandbox = Sandbox::new(Limits::default()).unwrap();
    let scorer = sandbox.open(&std::fs::read(guest).unwrap(), 3).unwrap();
    let rows: Vec<[f64; 3]> = (0..SLICES * CALLS)
        .map(|row| [(row % 13) as f64, (20_400 + row % 101) as f64, (row % 4) as f64])
        .collect();
    // Slices are short enough to pass undisturbed on a busy machine.
    let mut fastest = [f64::MAX; SLICES];
    for _ in 0..ROUNDS {
        for (slice, fastest) in rows.chunks(CALLS).zip(&mut fastest) {
            let start = Instant::now();
            for row in slice {
                let _ = std::hint::black_box(scorer.probability(std::hint::black_box(row)));
            }
            *fastest = fastest.min(start.elapsed().as_secs_f64() / CALLS as f64);
        }
    }
    println!("{}", fastest.iter().sum::<f64>() / SLICES as f64 * 1e6);
    let worst =
        if std::env::args().any(|word| word == "--worst") { worst().to_vec() } else { Vec::new() };
    for (name, module) in worst {
        let start = Instant::now();
        let opened = sandbox.open(&module, 1);
        let result = opened.err().map_or("opened".to_owned(), |refusal| refusal.to_string());
        println!(
            "{name}: {} bytes, {:.2} s, {result}",
            module.len(),
            start.elapsed().as_secs_f64()
        );
    }
}

/// Modules that take long to compile, as large as they may be.
fn worst() -> [(&'static str, Vec<u8>); 5] {
    let module = |functions: String| {
        let text = format!(
            r#"(module (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
            (func (export "score") (param i32 i32) (result f64) f64.const 0.5)
            (global $g (mut f64) (f64.const 1)) {functions})"#
        );
        wat::parse_str(text).unwrap()
    };
    let small =
        "(func (param f64) (result f64) local.get 0 local.get 0 f64.mul global.get $g f64.add)";
    let sums = "global.get $g global.get $g f64.sqrt f64.add global.set $g ".repeat(7_700);
    // Every variable lives through every branch.
    let swaps: String = (0..4_000)
        .map(|at| {
            let (a, b) = (at % 4_999, (at * 7 + 1) % 4_999);
            format!("local.get 0 (if (then local.get {} local.set {})) ", a + 1, b + 1)
        })
        .collect();
    let variables = "i32 ".repeat(4_999);
    let swaps = format!("(param i32) (local {variables}) (loop {swaps} local.get 0 br_if 0)");
    let nested = format!(
        "(param i32) {} local.get 0 (br_table {}) {}",
        "(block ".repeat(7_000),
        (0..7_000).map(|depth| format!("{depth} ")).collect::<String>(),
        "local.get 0 drop)".repeat(7_000)
    );
    let loads = (0..7_500).map(|at| format!("(f64.load offset={} (i32.const 0)) ", at * 8));
    let loads: String = loads.collect();
    let loads = format!("(result f64) {loads} {}", "f64.add ".repeat(7_499));
    [
        ("many functions", module(small.repeat(9_998))),
        ("a long function", module(format!("(func {sums})"))),
        ("many variables and branches", module(format!("(func {swaps})"))),
        ("deep blocks and tables", module(format!("(func {nested})"))),
        ("much on the stack", module(format!("(func {loads})"))),
    ]
}
