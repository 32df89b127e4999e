//! Points that add up: shown base + Σ shown points = shown score, always.

use super::score::fine;
use super::{Explanation, Score};
use crate::model::{Margin, Model};
use crate::order::ordered;

/// An explanation in points of the shown score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Points {
    pub score: Score,
    /// The score of a visitor about whom nothing is known.
    pub base: Score,
    /// In the order of [`Model::signals`]; whole, and `base` plus their sum is `score`.
    pub points: Vec<i16>,
}

/// Turns contributions into points: `φ · (score − base) / (margin − base margin)` each (the
/// derivative where the margins are equal), made whole by largest remainder; of equal remainders
/// the greater contribution goes first, then the earlier signal.
pub fn points(model: &Model, explanation: &Explanation) -> Points {
    let score = Score::at(model, explanation.margin);
    let mut base = Score::at(model, explanation.base);
    let slope = slope(model, explanation);
    let fine = |contribution: &f64| (contribution * slope).clamp(-1000.0, 1000.0);
    let fine: Vec<f64> = explanation.contributions.iter().map(fine).collect();
    let mut points: Vec<i16> = fine.iter().map(|fine| fine.floor() as i16).collect();
    let moved =
        explanation.contributions.iter().filter(|&&contribution| contribution != 0.0).count();
    if moved == 0 {
        // Nothing is known that matters: the score is the base, whatever rounding says.
        base = score;
        return Points { score, base, points };
    }
    // What did not move has neither remainder nor size, and comes last.
    let order = ordered(points.len(), &|a, b| {
        let size = |signal: usize| explanation.contributions[signal].abs();
        let remainder = |signal: usize| fine[signal] - fine[signal].floor();
        remainder(b).total_cmp(&remainder(a)).then(size(b).total_cmp(&size(a))).is_lt()
    });
    let whole = i32::from(score.0) - i32::from(base.0);
    let missing = whole - points.iter().map(|&points| i32::from(points)).sum::<i32>();
    let count = moved as i32;
    for (rank, &signal) in (0..count).zip(&order) {
        // Usually 0 or 1 each; more, or fewer, where rounding of the two scores demands it.
        let extra = missing.div_euclid(count) + i32::from(rank < missing.rem_euclid(count));
        points[signal] += extra as i16;
    }
    Points { score, base, points }
}

/// Points of the score a unit of margin.
pub(crate) fn slope(model: &Model, explanation: &Explanation) -> f64 {
    let (margin, base) = (explanation.margin.0, explanation.base.0);
    // Nearer than this, the quotient is the derivative to all digits that matter.
    const NEAR: f64 = 1e-6;
    let far = (margin - base).abs() > NEAR;
    let (from, to) = if far { (base, margin) } else { (base - NEAR, base + NEAR) };
    (fine(model, Margin(to)) - fine(model, Margin(from))) / (to - from)
}
