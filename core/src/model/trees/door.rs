//! Where values enter a tree model: each becomes the answers to all that the trees ask about it,
//! so that missing values, categories and exact cuts cost the walk nothing.

use core::ops::Range;

use crate::model::file::packed::{Questions, set_bytes};
use crate::model::{Signal, SignalKind};

/// Questions about one signal are asked in blocks of this many, so that they fill whole vectors.
const BLOCK: usize = 16;
/// Signals of a model whose rows can be filled at once.
pub(crate) const STAGED: usize = 256;
/// LightGBM's `kZeroThreshold`.
const ZERO: f64 = 1e-35f32 as f64;

/// The questions of a model. Answer 0 is always "no"; then come the cuts kept as `f32`, the cuts
/// kept as `f64`, and the categories.
pub(crate) struct Door {
    gates: Vec<Gate>,
    cuts32: Cuts<f32>,
    cuts64: Cuts<f64>,
    categories: Vec<Category>,
    /// Signals whose 0 means missing.
    non_zero: Vec<usize>,
    answers: usize,
}

/// Where the questions about one signal are.
#[derive(Clone)]
enum Gate {
    Above32(Asks),
    Above64(Asks),
    Outside(usize),
}

/// Blocks of questions about one signal, and the number of the first answer of each.
#[derive(Clone, Default)]
struct Asks {
    /// How many cuts a missing value answers with "no".
    missing_no: usize,
    /// How many it answers with "yes".
    missing_yes: usize,
    no: Range<usize>,
    yes: Range<usize>,
}

/// Blocks of cuts: first those that a missing value answers with "no". They need no test for it:
/// NaN is not above a cut, and neither is it at most one.
#[derive(Default)]
struct Cuts<T> {
    first: usize,
    blocks: Vec<[T; BLOCK]>,
    signals: Vec<u16>,
    /// Blocks from here on are answered with "yes" by a missing value.
    yes_from: usize,
}

/// A category: the answers to all of its questions, level by level, then those of a level never
/// seen and of a missing value; each in the same number of blocks.
struct Category {
    signal: usize,
    first: usize,
    blocks: usize,
    levels: usize,
    table: Vec<[bool; BLOCK]>,
}

impl Door {
    pub fn new(questions: &[Questions], signals: &[Signal]) -> Door {
        let mut gates = vec![Gate::Above32(Asks::default()); signals.len()];
        let (mut cuts32, mut cuts64) = (Cuts::default(), Cuts::default());
        for missing_yes in [false, true] {
            cuts32.yes_from = cuts32.blocks.len();
            cuts64.yes_from = cuts64.blocks.len();
            for (signal, questions) in questions.iter().enumerate() {
                let Questions::Above(cuts) = questions else { continue };
                if cuts.wide && !missing_yes {
                    gates[signal] = Gate::Above64(Asks::default());
                }
                let values = side(&cuts.values, cuts.missing_no, missing_yes);
                let blocks = if cuts.wide {
                    cuts64.add(signal, values, |cut| cut)
                } else {
                    cuts32.add(signal, values, |cut| cut as f32)
                };
                gates[signal].asks(missing_yes, blocks);
            }
        }
        cuts32.first = BLOCK;
        cuts64.first = cuts32.first + cuts32.blocks.len() * BLOCK;
        let mut answers = cuts64.first + cuts64.blocks.len() * BLOCK;
        let mut categories = Vec::new();
        for (signal, questions) in questions.iter().enumerate() {
            match (questions, &mut gates[signal], &signals[signal].kind) {
                (Questions::Above(cuts), Gate::Above32(asks) | Gate::Above64(asks), _) => {
                    asks.missing_no = cuts.missing_no;
                    asks.missing_yes = cuts.values.len() - cuts.missing_no;
                }
                (Questions::Outside { count, bits }, gate, SignalKind::Category { levels }) => {
                    *gate = Gate::Outside(categories.len());
                    categories.push(Category::new(signal, answers, *count, levels.len(), bits));
                    answers += count.div_ceil(BLOCK) * BLOCK;
                }
                _ => {}
            }
        }
        let non_zero = (0..signals.len())
            .filter(|&signal| signals[signal].kind == SignalKind::NonZero)
            .collect();
        Door { gates, cuts32, cuts64, categories, non_zero, answers }
    }

    /// How many answers a row has.
    pub fn answers(&self) -> usize {
        self.answers
    }

    /// The cuts of one signal, in no order; none where it is a category.
    pub fn cuts(&self, signal: usize) -> Vec<f64> {
        match self.gates.get(signal) {
            Some(Gate::Above32(asks)) => self.cuts32.of(asks).map(f64::from).collect(),
            Some(Gate::Above64(asks)) => self.cuts64.of(asks).collect(),
            _ => Vec::new(),
        }
    }

    /// The number of the answer to question `index` about `signal`.
    pub fn answer(&self, signal: u16, index: u16) -> u32 {
        let index = usize::from(index);
        let number = match self.gates.get(usize::from(signal)) {
            Some(Gate::Above32(asks)) => self.cuts32.first + asks.place(index),
            Some(Gate::Above64(asks)) => self.cuts64.first + asks.place(index),
            Some(Gate::Outside(category)) => {
                self.categories.get(*category).map_or(0, |category| category.first + index)
            }
            None => 0,
        };
        number as u32
    }

    /// Answers all questions about one signal. NaN is missing; a category's value is the index of
    /// its level, anything beyond is a level never seen.
    pub fn set(&self, answers: &mut [bool], signal: usize, value: f64) {
        let value = if self.non_zero.contains(&signal) { unless_zero(value) } else { value };
        match self.gates.get(signal) {
            Some(Gate::Above32(asks)) => self.cuts32.answer(answers, asks, f32_at_least(value)),
            Some(Gate::Above64(asks)) => self.cuts64.answer(answers, asks, value),
            Some(Gate::Outside(category)) => {
                if let Some(category) = self.categories.get(*category) {
                    category.answer(answers, value);
                }
            }
            None => {}
        }
    }

    /// Answers all questions about all signals: [`Door::set`] for a whole row of at
    /// most [`STAGED`] signals. `staged` is working memory.
    #[inline]
    pub fn fill(&self, answers: &mut [bool], staged: &mut [f32; STAGED], values: &[f64]) {
        for (staged, &value) in staged.iter_mut().zip(values) {
            *staged = f32_at_least(value);
        }
        for &signal in &self.non_zero {
            if let (Some(staged), Some(&value)) = (staged.get_mut(signal), values.get(signal)) {
                *staged = f32_at_least(unless_zero(value));
            }
        }
        self.cuts32.answer_all(answers, |signal| staged[usize::from(signal as u8)]);
        if !self.cuts64.blocks.is_empty() {
            let value = |signal: u16| {
                let signal = usize::from(signal);
                let value = values.get(signal).copied().unwrap_or(f64::NAN);
                if self.non_zero.contains(&signal) { unless_zero(value) } else { value }
            };
            self.cuts64.answer_all(answers, value);
        }
        for category in &self.categories {
            category.answer(answers, values.get(category.signal).copied().unwrap_or(f64::NAN));
        }
    }
}

/// The cuts that a missing value answers with "no", or those that it answers with "yes".
fn side(cuts: &[f64], missing_no: usize, missing_yes: bool) -> &[f64] {
    let (no, yes) = cuts.split_at(missing_no);
    if missing_yes { yes } else { no }
}

fn unless_zero(value: f64) -> f64 {
    if value.abs() <= ZERO { f64::NAN } else { value }
}

/// The least `f32` from a value on: it is above an `f32` cut exactly where the value is.
#[inline(always)]
fn f32_at_least(value: f64) -> f32 {
    let near = value as f32;
    let bits = near.to_bits() as i32;
    // One step up: away from 0 above it, towards 0 below.
    let step = (bits >> 31 | 1) * i32::from(f64::from(near) < value);
    f32::from_bits(bits.wrapping_add(step) as u32)
}

impl Gate {
    fn asks(&mut self, missing_yes: bool, blocks: Range<usize>) {
        if let Gate::Above32(asks) | Gate::Above64(asks) = self {
            *(if missing_yes { &mut asks.yes } else { &mut asks.no }) = blocks;
        }
    }
}

impl Asks {
    fn place(&self, index: usize) -> usize {
        match index.checked_sub(self.missing_no) {
            None => self.no.start * BLOCK + index,
            Some(index) => self.yes.start * BLOCK + index,
        }
    }
}

impl<T: Cut> Cuts<T> {
    /// Blocks of the cuts, which `of` makes; nothing is above what fills the last one up.
    fn add(&mut self, signal: usize, cuts: &[f64], of: fn(f64) -> T) -> Range<usize> {
        let start = self.blocks.len();
        for cuts in cuts.chunks(BLOCK) {
            let mut block = [of(f64::INFINITY); BLOCK];
            for (at, &cut) in cuts.iter().enumerate() {
                block[place(at)] = of(cut);
            }
            self.blocks.push(block);
            self.signals.push(signal as u16);
        }
        start..self.blocks.len()
    }

    /// The cuts of one signal, without those that only fill up blocks.
    fn of(&self, asks: &Asks) -> impl Iterator<Item = T> {
        let side = |blocks: &Range<usize>, count: usize| {
            let blocks = self.blocks.get(blocks.clone()).unwrap_or_default();
            (0..count).filter_map(|at| Some(blocks.get(at / BLOCK)?[place(at % BLOCK)]))
        };
        side(&asks.no, asks.missing_no).chain(side(&asks.yes, asks.missing_yes))
    }

    fn answer(&self, answers: &mut [bool], asks: &Asks, value: T) {
        let blocks =
            answers.get_mut(self.first..).map(|answers| answers.as_chunks_mut::<BLOCK>().0);
        let Some(blocks) = blocks else { return };
        for (range, missing_yes) in [(asks.no.clone(), false), (asks.yes.clone(), true)] {
            let (Some(answers), Some(cuts)) =
                (blocks.get_mut(range.clone()), self.blocks.get(range))
            else {
                return;
            };
            for (answers, cuts) in answers.iter_mut().zip(cuts) {
                value.compare(answers, cuts, missing_yes);
            }
        }
    }

    #[inline(always)]
    fn answer_all(&self, answers: &mut [bool], value: impl Fn(u16) -> T) {
        let Some(answers) = answers.get_mut(self.first..) else { return };
        let (answers, _) = answers.as_chunks_mut::<BLOCK>();
        let Some((answers_no, answers_yes)) = answers.split_at_mut_checked(self.yes_from) else {
            return;
        };
        let (cuts_no, cuts_yes) = self.blocks.split_at(self.yes_from);
        let (signals_no, signals_yes) = self.signals.split_at(self.yes_from);
        for ((answers, cuts), &signal) in answers_no.iter_mut().zip(cuts_no).zip(signals_no) {
            value(signal).compare(answers, cuts, false);
        }
        for ((answers, cuts), &signal) in answers_yes.iter_mut().zip(cuts_yes).zip(signals_yes) {
            value(signal).compare(answers, cuts, true);
        }
    }
}

/// Where in a block the cut of an answer stands: answer `4 · lane + vector` is given by that lane of
/// that vector of cuts, so that masks of four vectors fall into place as bytes without a shuffle.
/// Twice, it leads back.
fn place(answer: usize) -> usize {
    4 * (answer % 4) + answer / 4
}

/// A number that cuts are made of.
trait Cut: PartialOrd + Copy {
    /// Answers a block of questions. A missing value is NaN, which is not above a cut and neither at
    /// most one.
    #[inline(always)]
    #[allow(clippy::neg_cmp_op_on_partial_ord)] // what NaN answers is the point
    fn compare(self, answers: &mut [bool; BLOCK], cuts: &[Self; BLOCK], missing_yes: bool) {
        let yes = |cut: Self| if missing_yes { !(self <= cut) } else { self > cut };
        let byte = |at: usize, vector: usize| u32::from(yes(cuts[at])) << (8 * vector);
        let words: [u32; 4] = core::array::from_fn(|lane| {
            byte(lane, 0) | byte(4 + lane, 1) | byte(8 + lane, 2) | byte(12 + lane, 3)
        });
        // SAFETY: every byte of the words is 0 or 1.
        *answers = unsafe {
            core::mem::transmute::<[[u8; 4]; 4], [bool; BLOCK]>(words.map(u32::to_le_bytes))
        };
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
impl Cut for f32 {}

#[cfg(not(target_arch = "wasm32"))]
impl Cut for f64 {}

/// A loop, once: pages seldom get cuts that need `f64`, and pay for every byte.
#[cfg(target_arch = "wasm32")]
impl Cut for f64 {
    #[inline(never)]
    #[allow(clippy::neg_cmp_op_on_partial_ord)]
    fn compare(self, answers: &mut [bool; BLOCK], cuts: &[f64; BLOCK], missing_yes: bool) {
        for (at, answer) in answers.iter_mut().enumerate() {
            let cut = cuts[place(at)];
            *answer = if missing_yes { !(self <= cut) } else { self > cut };
        }
    }
}

/// By hand, because pages get a build that is small and vectorises nothing by itself.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
impl Cut for f32 {
    #[inline(always)]
    fn compare(self, answers: &mut [bool; BLOCK], cuts: &[f32; BLOCK], missing_yes: bool) {
        use core::arch::wasm32::{
            f32x4_gt, f32x4_le, f32x4_splat, u32x4_splat, v128, v128_and, v128_andnot, v128_load,
            v128_or, v128_store,
        };
        let value = f32x4_splat(self);
        let cuts = cuts.as_ptr().cast::<v128>();
        let byte = |vector: usize| {
            // SAFETY: a block holds four vectors, and any address may be loaded from.
            let cuts = unsafe { v128_load(cuts.add(vector)) };
            let one = u32x4_splat(1 << (8 * vector));
            if missing_yes {
                v128_andnot(one, f32x4_le(value, cuts))
            } else {
                v128_and(one, f32x4_gt(value, cuts))
            }
        };
        let bits = v128_or(v128_or(byte(0), byte(1)), v128_or(byte(2), byte(3)));
        // SAFETY: a block of answers is one vector, and each byte is 0 or 1.
        unsafe { v128_store(answers.as_mut_ptr().cast(), bits) };
    }
}

impl Category {
    fn new(signal: usize, first: usize, count: usize, levels: usize, bits: &[u8]) -> Category {
        let (size, blocks) = (set_bytes(levels), count.div_ceil(BLOCK));
        let mut table = Vec::with_capacity(blocks * (levels + 2));
        for level in 0..levels + 2 {
            let yes = |question: usize| {
                let byte = bits.get(question * size + level / 8).copied().unwrap_or_default();
                byte >> (level % 8) & 1 == 1
            };
            // Loops, not `array::from_fn`, which is compiled unrolled: nobody waits for this.
            for block in 0..blocks {
                let mut answers = [false; BLOCK];
                for (at, answer) in answers.iter_mut().enumerate() {
                    *answer = yes(block * BLOCK + at);
                }
                table.push(answers);
            }
        }
        Category { signal, first, blocks, levels, table }
    }

    fn answer(&self, answers: &mut [bool], value: f64) {
        let level = if value.is_nan() {
            self.levels + 1
        } else if value > -1.0 && value < self.levels as f64 {
            value as usize
        } else {
            self.levels
        };
        let from = level * self.blocks;
        let Some(row) = self.table.get(from..from + self.blocks) else { return };
        let Some(answers) = answers.get_mut(self.first..) else { return };
        for (answers, row) in answers.as_chunks_mut::<BLOCK>().0.iter_mut().zip(row) {
            copy(answers, row);
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
fn copy(to: &mut [bool; BLOCK], from: &[bool; BLOCK]) {
    *to = *from;
}

/// Not a plain copy, which would become a call of `memory.copy` at many times the cost.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn copy(to: &mut [bool; BLOCK], from: &[bool; BLOCK]) {
    use core::arch::wasm32::{i8x16_splat, v128_and, v128_load, v128_store};
    // SAFETY: both are one vector, and each byte stays 0 or 1.
    unsafe {
        let bits = v128_and(v128_load(from.as_ptr().cast()), i8x16_splat(1));
        v128_store(to.as_mut_ptr().cast(), bits);
    }
}
