//! Exact contributions: Shapley values of a prediction, one number a signal.
//!
//! Trees: let `f(t)` be the expected margin where each signal is known with chance `t`. The
//! contribution of a signal is the integral over `t` of what knowing it changes. One sweep down the
//! trees carries the weight with which each split is reached at four values of `t` at once, one
//! sweep up carries the value below it; what a split adds to its signal is weight × (value of the
//! side taken − average of both). A signal that is read again below is known there with the chance
//! `t / (t + (1 − t)·share)` if the path agrees so far, otherwise not at all. After Yu and others,
//! "Linear TreeShap", 2022, and the quadrature form of 2026.

use super::lanes::Lanes;
use crate::model::trees::{Entry, Forest, Group, Repeat, RepeatPair, Sweep};
use crate::model::{AdditiveModel, Engine, Margin, Model, Row, addend, held, usual};

/// What each signal contributed: `base + Σ contributions = margin` (to rounding).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Explanation {
    pub margin: Margin,
    /// The margin where nothing is known.
    pub base: Margin,
    /// In the order of [`Model::signals`], in units of the margin.
    pub contributions: Vec<f64>,
}

/// Why a prediction has no explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this model file was packed without covers, so it cannot explain: pack it again with them")]
pub struct Unexplained;

/// Explains a row. [`Explainer`] does so again and again without allocating.
pub fn explain(model: &Model, row: &Row) -> Result<Explanation, Unexplained> {
    let mut explainer = Explainer::new(model);
    explainer.explain(model, row)?;
    Ok(explainer.explanation)
}

/// Working memory for explanations of one model; without any it makes room at the first.
#[derive(Default)]
pub struct Explainer {
    explanation: Explanation,
    sums: Vec<Lanes>,
    /// Of each slot: the weight on the way down, the value on the way up.
    slots: Vec<Lanes>,
    /// Of each slot: the answer of its split, or [`CLOSED`].
    taken: Vec<u8>,
    /// Of each slot whose split repeats a signal: its share, or [`UNKNOWN`].
    shares: Vec<f32>,
    /// For one four, two fours and so on, one behind the other: see [`rule`].
    rules: Vec<Four>,
}

/// Four quadrature points: what `t`, `1 − t` and the weights are.
#[derive(Clone, Copy)]
struct Four {
    t: Lanes,
    u: Lanes,
    weight: Lanes,
}

/// The path left the side that the visitor takes of an earlier split on the same signal.
const CLOSED: u8 = 2;
/// Stands for a share so large that the chance of being known vanishes.
const UNKNOWN: f32 = 1e30;

impl Explainer {
    pub fn new(model: &Model) -> Explainer {
        let mut explainer = Explainer::default();
        explainer.fit(model);
        explainer
    }

    /// Explains a row, of whichever model.
    pub fn explain(&mut self, model: &Model, row: &Row) -> Result<&Explanation, Unexplained> {
        self.fit(model);
        match &model.engine {
            Engine::Trees(Forest { sweep: Some(sweep), .. }) => self.sweep(sweep, &row.answers),
            Engine::Trees(_) => return Err(Unexplained),
            Engine::Sum(additive) => {
                share_out(additive, &row.values, &mut self.explanation.contributions);
            }
        }
        self.explanation.margin = model.predict(row);
        self.explanation.base = model.base_margin();
        Ok(&self.explanation)
    }

    /// Makes room for a model, where there is not as much already.
    fn fit(&mut self, model: &Model) {
        let count = model.signals().len();
        if self.sums.len() != count {
            self.sums.resize(count, Lanes::splat(0.0));
            self.explanation.contributions.resize(count, 0.0);
        }
        let Engine::Trees(Forest { sweep: Some(sweep), .. }) = &model.engine else { return };
        if self.slots.len() < sweep.slots {
            self.slots.resize(sweep.slots, Lanes::splat(0.0));
            self.taken.resize(sweep.slots, 0);
            self.shares.resize(sweep.slots, 0.0);
        }
        let most = sweep.groups.last().map_or(0, |group| group.fours);
        for fours in 1..=most {
            if self.rules.len() < rule(fours + 1) {
                (0..fours).for_each(|at| self.rules.push(four(at, fours)));
            }
        }
    }

    fn sweep(&mut self, sweep: &Sweep, answers: &[bool]) {
        self.sums.fill(Lanes::splat(0.0));
        // A row of another model may have too few answers; it means nothing anyhow.
        let answers = answers.get(..sweep.answers);
        for group in &sweep.groups {
            for at in 0..group.fours {
                let (Some(answers), four) = (answers, self.rules[rule(group.fours) + at]) else {
                    break;
                };
                // SAFETY: `Explainer::fit` made room for the sweep's slots and signals, there are as
                // many answers as it reads, and its groups name no others.
                unsafe {
                    self.down(group, answers, four);
                    self.pairs(group, answers, four);
                    self.up(group, four);
                }
            }
        }
        for (sum, contribution) in self.sums.iter().zip(&mut self.explanation.contributions) {
            let [a, b, c, d] = sum.get().map(f64::from);
            *contribution = (a + b) + (c + d);
        }
    }

    /// # Safety
    /// The group's slots, signals and answers are within this explainer's memory and `answers`.
    unsafe fn down(&mut self, group: &Group, answers: &[bool], four: Four) {
        for &root in &group.roots {
            self.slots[root as usize] = four.weight;
        }
        for level in &group.levels {
            for entry in &level.firsts {
                unsafe {
                    let answer = get(answers, entry.answer);
                    put(&mut self.taken, entry.slot, u8::from(answer));
                    self.part(entry, answer, four.u);
                }
            }
            for Repeat { entry, above } in &level.repeats {
                unsafe {
                    let open = u32::from(get(&self.taken, above.slot)) == above.side;
                    let answer = get(answers, entry.answer);
                    put(&mut self.taken, entry.slot, if open { u8::from(answer) } else { CLOSED });
                    let share = if open { above.share } else { UNKNOWN };
                    put(&mut self.shares, entry.slot, share);
                    self.part(entry, answer & open, four.unknown(share).0);
                }
            }
        }
    }

    /// Hands a split's weight on to its children, given the chance that its signal is unknown.
    ///
    /// # Safety
    /// As for [`Explainer::down`].
    #[inline(always)]
    unsafe fn part(&mut self, entry: &Entry, answer: bool, unknown: Lanes) {
        unsafe {
            let weight = get(&self.slots, entry.slot);
            let other = Lanes::splat(entry.other[usize::from(answer)]);
            let cold = weight.times(unknown.times(other));
            put(&mut self.slots, entry.child + u32::from(answer), weight.minus(cold));
            put(&mut self.slots, entry.child + u32::from(!answer), cold);
        }
    }

    /// # Safety
    /// As for [`Explainer::down`].
    unsafe fn pairs(&mut self, group: &Group, answers: &[bool], four: Four) {
        for pair in &group.first_pairs {
            unsafe {
                let answer = usize::from(get(answers, pair.answer));
                let weight = get(&self.slots, pair.slot);
                let gain = Lanes::splat(pair.gain[answer]);
                self.add(pair.signal, weight.times(gain));
                let value = Lanes::splat(pair.leaf[answer]).minus(four.u.times(gain));
                put(&mut self.slots, pair.slot, value);
            }
        }
        for RepeatPair { pair, above } in &group.repeat_pairs {
            unsafe {
                let open = u32::from(get(&self.taken, above.slot)) == above.side;
                let answer = usize::from(get(answers, pair.answer));
                let (unknown, slope) = four.unknown(if open { above.share } else { UNKNOWN });
                let weight = get(&self.slots, pair.slot);
                let gain = Lanes::splat(pair.gain[answer]);
                self.add(pair.signal, weight.times(slope).times(gain));
                let value = Lanes::splat(pair.leaf[answer]).minus(unknown.times(gain));
                put(&mut self.slots, pair.slot, value);
            }
        }
        for &(slot, value) in &group.leaves {
            unsafe { put(&mut self.slots, slot, Lanes::splat(value)) };
        }
    }

    /// # Safety
    /// As for [`Explainer::down`].
    unsafe fn up(&mut self, group: &Group, four: Four) {
        for level in group.levels.iter().rev() {
            for entry in &level.firsts {
                unsafe {
                    let (gain, value) = self.gain(entry);
                    let weight = get(&self.slots, entry.slot);
                    self.add(entry.signal, weight.times(gain));
                    put(&mut self.slots, entry.slot, value.minus(four.u.times(gain)));
                }
            }
            for Repeat { entry, .. } in &level.repeats {
                unsafe {
                    let (unknown, slope) = four.unknown(get(&self.shares, entry.slot));
                    let (gain, value) = self.gain(entry);
                    let weight = get(&self.slots, entry.slot);
                    self.add(entry.signal, weight.times(slope).times(gain));
                    put(&mut self.slots, entry.slot, value.minus(unknown.times(gain)));
                }
            }
        }
    }

    /// What the side taken of a split is above the average of both, and its value.
    ///
    /// # Safety
    /// As for [`Explainer::down`].
    #[inline(always)]
    unsafe fn gain(&self, entry: &Entry) -> (Lanes, Lanes) {
        unsafe {
            let answer = u32::from(get(&self.taken, entry.slot) & 1);
            let taken = get(&self.slots, entry.child + answer);
            let other = get(&self.slots, entry.child + (1 - answer));
            (taken.minus(other).times(Lanes::splat(entry.other[answer as usize])), taken)
        }
    }

    /// # Safety
    /// As for [`Explainer::down`].
    #[inline(always)]
    unsafe fn add(&mut self, signal: u32, contribution: Lanes) {
        unsafe {
            let sum = get(&self.sums, signal);
            put(&mut self.sums, signal, sum.plus(contribution));
        }
    }
}

/// # Safety
/// `at` is within `slice`.
#[inline(always)]
unsafe fn get<T: Copy>(slice: &[T], at: u32) -> T {
    debug_assert!((at as usize) < slice.len());
    unsafe { *slice.get_unchecked(at as usize) }
}

/// # Safety
/// `at` is within `slice`.
#[inline(always)]
unsafe fn put<T>(slice: &mut [T], at: u32, value: T) {
    debug_assert!((at as usize) < slice.len());
    unsafe { *slice.get_unchecked_mut(at as usize) = value };
}

impl Four {
    /// For a signal whose edges above have this share: the chance that it is unknown at a split
    /// that the path reached, and how fast the chance that it is known rises with `t`.
    #[inline(always)]
    fn unknown(self, share: f32) -> (Lanes, Lanes) {
        let share = Lanes::splat(share);
        let inverse = Lanes::splat(1.0).over(self.t.plus(self.u.times(share)));
        let odds = share.times(inverse);
        (self.u.times(odds), odds.times(inverse))
    }
}

/// Where the rule of so many fours starts.
fn rule(fours: usize) -> usize {
    fours * fours.saturating_sub(1) / 2
}

/// Four of the `4 · fours` Gauss-Legendre points for the interval from 0 to 1, and their weights.
fn four(at: usize, fours: usize) -> Four {
    let (mut t, mut u, mut weight) = ([0.0; 4], [0.0; 4], [0.0; 4]);
    for lane in 0..4 {
        let [point, its_weight] = point(4 * at + lane, 4 * fours);
        (t[lane], u[lane], weight[lane]) = (point as f32, (1.0 - point) as f32, its_weight as f32);
    }
    Four { t: Lanes::new(t), u: Lanes::new(u), weight: Lanes::new(weight) }
}

/// The zero of the Legendre polynomial of degree `count` by Newton's method, and its weight.
fn point(index: usize, count: usize) -> [f64; 2] {
    let n = count as f64;
    // Newton starts from cos(π·turn), as near as Bhaskara's fraction gives it: the library's cosine
    // would bring four kilobytes into the page and end at the same points.
    let turn = (index as f64 + 0.75) / (n + 0.5) - 0.5;
    let bow = turn.abs() * (1.0 - turn.abs());
    let mut x = (-16.0 * bow / (5.0 - 4.0 * bow)).copysign(-turn);
    let mut slope = 1.0;
    for _ in 0..8 {
        let (mut before, mut value) = (1.0, x);
        for degree in 2..=count {
            let d = degree as f64;
            (before, value) = (value, ((2.0 * d - 1.0) * x * value - (d - 1.0) * before) / d);
        }
        slope = n * (x * value - before) / (x * x - 1.0);
        x -= value / slope;
    }
    [(1.0 + x) / 2.0, 1.0 / ((1.0 - x * x) * slope * slope)]
}

/// The contributions of an additive model. Terms without a cap simply add up; those under a cap
/// are shared over all orders in which their signals could become known.
fn share_out(model: &AdditiveModel, values: &[f64], contributions: &mut [f64]) {
    contributions.fill(0.0);
    for group in &model.groups {
        if !group.is_capped() {
            for term in &group.terms {
                if let Some(contribution) = contributions.get_mut(usize::from(term.signal)) {
                    *contribution += addend(term, values) - usual(term);
                }
            }
            continue;
        }
        let players = group.players();
        let unknown: f64 = group.terms.iter().map(usual).sum();
        let gains: Vec<f64> = players
            .iter()
            .map(|&player| {
                let terms = group.terms.iter().filter(|term| term.signal == player);
                terms.map(|term| addend(term, values) - usual(term)).sum()
            })
            .collect();
        let worth = |known: usize| {
            let gain: f64 = gains
                .iter()
                .enumerate()
                .filter(|(at, _)| known >> at & 1 == 1)
                .map(|(_, gain)| gain)
                .sum();
            held(group, unknown + gain)
        };
        let worths: Vec<f64> = (0..1usize << players.len()).map(worth).collect();
        for (at, &player) in players.iter().enumerate() {
            let Some(contribution) = contributions.get_mut(usize::from(player)) else { continue };
            for known in (0..worths.len()).filter(|known| known >> at & 1 == 0) {
                let weight = order_weight(known.count_ones() as usize, players.len());
                *contribution += weight * (worths[known | 1 << at] - worths[known]);
            }
        }
    }
}

/// The share of orders of `players` in which exactly a given set of `known` stands before one more.
fn order_weight(known: usize, players: usize) -> f64 {
    #[inline(never)]
    fn factorial(n: usize) -> f64 {
        (1..=n).map(|k| k as f64).product()
    }
    factorial(known) * factorial(players - known - 1) / factorial(players)
}
