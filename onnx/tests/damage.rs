//! Damaged files open or are refused; neither they nor what they compute fails in another way.
#![allow(clippy::unwrap_used, clippy::panic)]

mod made;

use made::Export;
use rapport_core::scoring::Scorer;
use rapport_onnx::OnnxModel;

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % most.max(1)
    }
}

/// A few changes of the kinds that break readers: bytes, numbers at their ends, pieces lost or twice.
fn damage(file: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for _ in 0..1 + dice.below(3) {
        let at = dice.below(bytes.len());
        let length = (1 + dice.below(40)).min(bytes.len() - at);
        match dice.below(6) {
            0 => bytes[at] ^= 1 << dice.below(8),
            1 => bytes[at] = [0, 1, 127, 128, 255][dice.below(5)],
            2 => bytes[at] = dice.below(256) as u8,
            3 => drop(bytes.drain(at..at + length)),
            4 => {
                let piece = bytes[at..at + length].to_vec();
                let to = dice.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => bytes[at] = bytes[at].wrapping_add(1),
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

#[test]
fn damaged_files_are_refused_or_run() {
    let rounds = if std::env::var_os("RAPPORT_SOAK").is_some() { 20_000 } else { 1_000 };
    let seed =
        std::env::var("RAPPORT_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_123);
    let mut dice = Dice(seed);
    let (mut opened, mut panicked) = (0, 0);
    for export in Export::all() {
        // tract takes its time to read a graph.
        let in_tract = OnnxModel::open(&export.file, &export.signals).is_ok_and(|m| !m.is_exact());
        for _ in 0..if in_tract { rounds / 20 } else { rounds } {
            let file = damage(&export.file, &mut dice);
            match OnnxModel::open(&file, &export.signals) {
                Ok(model) => {
                    opened += 1;
                    for (row, _) in export.rows.iter().take(3) {
                        if let Ok(probability) = model.probability(row) {
                            assert!((0.0..=1.0).contains(&probability));
                        }
                    }
                }
                Err(error) => {
                    panicked += usize::from(error.to_string().contains("does not hold together"))
                }
            }
        }
    }
    assert!(opened > 0, "no damaged file opens: nothing was tried");
    // tract panics at a few, which is caught where panics unwind: a build that aborts must not open files
    // of strangers that need tract.
    println!("{opened} opened; tract panicked at {panicked}");
}
