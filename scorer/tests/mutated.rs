//! Bytes that no toolchain made: refused, or run within limits.
#![allow(clippy::unwrap_used)]

mod guest;

use guest::{guest, honest};
use rapport_core::scoring::Scorer;
use rapport_scorer::{Limits, Sandbox};
use std::time::{Duration, Instant};

/// Pseudorandom numbers (Vigna's SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// What modules are made of: instructions and types lie as thick among these as among all bytes, and
/// small numbers thicker.
const TELLING: [u8; 20] = [
    0x00, 0x01, 0x02, 0x03, 0x0b, 0x0c, 0x0d, 0x10, 0x20, 0x21, 0x40, 0x41, 0x44, 0x6a, 0x7c, 0x7d,
    0x7f, 0x80, 0xfc, 0xff,
];

fn mutate(module: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        // Not the first eight: without them nothing is a module.
        let at = 8 + random.below(module.len() - 8);
        match random.below(8) {
            0 => module[at] = random.next() as u8,
            1 => module[at] ^= 1 << random.below(8),
            2 => drop(module.remove(at)),
            3 => module.insert(at, TELLING[random.below(TELLING.len())]),
            4 => {
                let end = (at + random.below(8)).min(module.len());
                let piece = module[at..end].to_vec();
                let to = 8 + random.below(module.len() - 8);
                module.splice(to..to, piece);
            }
            _ => module[at] = TELLING[random.below(TELLING.len())],
        }
    }
}

#[test]
fn modules_of_random_and_mutated_bytes_stay_within_their_limits() {
    let long = std::env::var_os("RAPPORT_SOAK").is_some();
    let sandbox = Sandbox::new(Limits::default()).unwrap();
    let seeds = [
        honest(),
        guest(
            "(loop (drop (memory.grow (i32.const 9))) (memory.fill (i32.const 0) (i32.const 1) (i32.const 4096))
                (br_if 0 (i32.lt_u (local.tee $length (i32.add (local.get $length) (i32.const 1))) (i32.const 50))))
             (f64.load (local.get $row))",
            "",
        ),
        guest(
            "(call_indirect (param f64) (result f64) (f64.load (local.get $row)) (i32.and (local.get $length) (i32.const 1)))",
            "(table funcref (elem $a $b)) (global $g (mut f64) (f64.const 0.5))
             (func $a (param f64) (result f64) (global.set $g (local.get 0)) (global.get $g))
             (func $b (param f64) (result f64) (if (f64.gt (local.get 0) (f64.const 1)) (then (return (f64.const 0))))
                (call $b (f64.add (local.get 0) (f64.const 0.1))))
             (data (i32.const 16) \"\\01\\02\\03\")",
        ),
    ];
    let mut random = Random(5);
    let (mut taken, mut answered) = (0, 0);
    for round in 0..if long { 200_000 } else { 400 } {
        let mut module = seeds[round % seeds.len()].clone();
        if round % 16 == 0 {
            module.truncate(8);
            module.extend((0..random.below(200)).map(|_| random.next() as u8));
        } else {
            mutate(&mut module, &mut random);
        }
        let start = Instant::now();
        if let Ok(scorer) = sandbox.open(&module, 1) {
            taken += 1;
            for value in [f64::NAN, 0.0, 0.5, 1.0, 1e300] {
                answered += usize::from(scorer.probability(&[value]).is_ok());
            }
        }
        // Seven calls of 220 ms, and compiling; the rest is for a machine with much else to do.
        assert!(start.elapsed() < Duration::from_secs(30), "{module:?}");
    }
    assert!(taken > 0 && answered > taken, "{taken} were taken, {answered} rows answered");
    println!("{taken} modules were taken, {answered} rows answered");
}
