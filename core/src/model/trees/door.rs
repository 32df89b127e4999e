//! Where values enter a tree model: each becomes the answers to all that the trees ask about it,
//! so that missing values, categories and exact cuts cost the walk nothing.

use crate::model::file::packed::{CutValues, Questions, set_bytes};
use crate::model::{Signal, SignalKind};

/// Answers are laid out in blocks of this many, so that comparing fills whole vectors.
const BLOCK: usize = 16;
/// LightGBM's `kZeroThreshold`.
const ZERO: f64 = 1e-35f32 as f64;

/// The questions of a model, signal by signal. Answer 0 is always "no".
pub(crate) struct Door {
    gates: Vec<Gate>,
    cuts32: Vec<f32>,
    cuts64: Vec<f64>,
    /// Of each category: the answers to all of its questions, level by level, then those of a level
    /// never seen and of a missing value.
    levels: Vec<bool>,
    answers: usize,
}

/// The questions about one signal: `count` answers from `first` on.
struct Gate {
    first: usize,
    count: usize,
    asks: Asks,
}

enum Asks {
    /// `blocks` blocks of cuts from `start`; a missing value answers "no" to the first `missing_no`.
    Above32 {
        start: usize,
        blocks: usize,
        missing_no: usize,
        zero_is_missing: bool,
    },
    Above64 {
        start: usize,
        blocks: usize,
        missing_no: usize,
        zero_is_missing: bool,
    },
    Outside {
        start: usize,
        levels: usize,
    },
}

impl Door {
    pub fn new(questions: &[Questions], signals: &[Signal]) -> Door {
        let mut door = Door {
            gates: Vec::new(),
            cuts32: vec![],
            cuts64: vec![],
            levels: vec![],
            answers: BLOCK,
        };
        for (questions, signal) in questions.iter().zip(signals) {
            let count = questions.count();
            let first = door.answers;
            let blocks = count.div_ceil(BLOCK);
            door.answers += blocks * BLOCK;
            let asks = match questions {
                Questions::Above(cuts) => {
                    let (missing_no, zero_is_missing) =
                        (cuts.missing_no, signal.kind == SignalKind::NonZero);
                    match &cuts.values {
                        CutValues::F32(values) => {
                            let start = door.cuts32.len();
                            door.cuts32.extend_from_slice(values);
                            door.cuts32.resize(start + blocks * BLOCK, f32::INFINITY);
                            Asks::Above32 { start, blocks, missing_no, zero_is_missing }
                        }
                        CutValues::F64(values) => {
                            let start = door.cuts64.len();
                            door.cuts64.extend_from_slice(values);
                            door.cuts64.resize(start + blocks * BLOCK, f64::INFINITY);
                            Asks::Above64 { start, blocks, missing_no, zero_is_missing }
                        }
                    }
                }
                Questions::Outside { bits, .. } => {
                    let levels = match &signal.kind {
                        SignalKind::Category { levels } => levels.len(),
                        _ => 0,
                    };
                    let (start, size) = (door.levels.len(), set_bytes(levels));
                    for level in 0..levels + 2 {
                        let (byte, bit) = (level / 8, level % 8);
                        door.levels.extend(
                            (0..count).map(|question| bits[question * size + byte] >> bit & 1 == 1),
                        );
                    }
                    Asks::Outside { start, levels }
                }
            };
            door.gates.push(Gate { first, count, asks });
        }
        door
    }

    /// How many answers a row has.
    pub fn answers(&self) -> usize {
        self.answers
    }

    /// The cuts of one signal, in no order; none where it is a category.
    pub fn cuts(&self, signal: usize) -> Vec<f64> {
        match self.gates.get(signal) {
            Some(Gate { count, asks: Asks::Above32 { start, .. }, .. }) => {
                self.cuts32.iter().skip(*start).take(*count).map(|cut| f64::from(*cut)).collect()
            }
            Some(Gate { count, asks: Asks::Above64 { start, .. }, .. }) => {
                self.cuts64.iter().skip(*start).take(*count).copied().collect()
            }
            _ => Vec::new(),
        }
    }

    /// The number of the answer to question `index` about `signal`.
    pub fn answer(&self, signal: u16, index: u16) -> u32 {
        self.gates.get(usize::from(signal)).map_or(0, |gate| gate.first as u32 + u32::from(index))
    }

    /// Answers all questions about one signal. NaN is missing; a category's value is the index of
    /// its level, anything beyond is a level never seen.
    #[inline]
    pub fn set(&self, answers: &mut [bool], signal: usize, value: f64) {
        let Some(gate) = self.gates.get(signal) else { return };
        match gate.asks {
            Asks::Above32 { start, blocks, missing_no, zero_is_missing } => {
                let Some(answers) = answers.get_mut(gate.first..gate.first + blocks * BLOCK) else {
                    return;
                };
                if value.is_nan() || (zero_is_missing && value.abs() <= ZERO) {
                    return answer_missing(answers, gate.count, missing_no);
                }
                // x <= cut holds for a value and an f32 cut exactly where it holds for the least f32
                // from x on.
                let near = value as f32;
                let least = if f64::from(near) < value { near.next_up() } else { near };
                let Some(cuts) = self.cuts32.get(start..start + blocks * BLOCK) else { return };
                compare(answers, cuts, least);
            }
            Asks::Above64 { start, blocks, missing_no, zero_is_missing } => {
                let Some(answers) = answers.get_mut(gate.first..gate.first + blocks * BLOCK) else {
                    return;
                };
                if value.is_nan() || (zero_is_missing && value.abs() <= ZERO) {
                    return answer_missing(answers, gate.count, missing_no);
                }
                let Some(cuts) = self.cuts64.get(start..start + blocks * BLOCK) else { return };
                compare(answers, cuts, value);
            }
            Asks::Outside { start, levels } => {
                let level = if value.is_nan() {
                    levels + 1
                } else if value > -1.0 && value < levels as f64 {
                    value as usize
                } else {
                    levels
                };
                let from = start + level * gate.count;
                let Some(row) = self.levels.get(from..from + gate.count) else { return };
                let Some(answers) = answers.get_mut(gate.first..gate.first + gate.count) else {
                    return;
                };
                answers.copy_from_slice(row);
            }
        }
    }
}

fn answer_missing(answers: &mut [bool], count: usize, missing_no: usize) {
    let Some((no, yes)) =
        answers.get_mut(..count).and_then(|answers| answers.split_at_mut_checked(missing_no))
    else {
        return;
    };
    no.fill(false);
    yes.fill(true);
}

#[inline]
fn compare<T: PartialOrd + Copy>(answers: &mut [bool], cuts: &[T], value: T) {
    for (answers, cuts) in
        answers.as_chunks_mut::<BLOCK>().0.iter_mut().zip(cuts.as_chunks::<BLOCK>().0)
    {
        for (answer, &cut) in answers.iter_mut().zip(cuts) {
            *answer = value > cut;
        }
    }
}
