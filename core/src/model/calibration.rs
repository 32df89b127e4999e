//! From margin to probability, and from probability to score.

use super::{Margin, Probability, bounded};

/// Margin to probability, strictly increasing (except [`Calibration::Share`] at its ends).
#[derive(Debug, Clone, PartialEq)]
pub enum Calibration {
    /// Log-odds are `slope · margin + intercept`, `slope > 0`. Platt, "Probabilistic Outputs for
    /// Support Vector Machines", 1999.
    Platt { slope: f64, intercept: f64 },
    /// Log-odds are `a · ln s − b · ln(1 − s) + c` with `s` the logistic of the margin, `a` and
    /// `b` not negative and not both 0. Kull and others, "Beta calibration", 2017.
    Beta { a: f64, b: f64, c: f64 },
    /// Log-odds are piecewise linear in the margin through at least two knots that strictly
    /// increase in both; the outer pieces go on beyond the ends.
    Knots(Vec<Knot>),
    /// The probability itself is linear in the margin: 0 up to `zero`, 1 from `one` on. For
    /// hand-made points whose total is the score.
    Share { zero: f64, one: f64 },
}

/// A point of a piecewise linear curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Knot {
    pub x: f64,
    pub y: f64,
}

/// Probability to score: `g`, piecewise linear through knots that strictly increase from (0, 0)
/// to (1, 1). The shown score is `round(100 · g(p))`.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale(Vec<Knot>);

/// Why a curve cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CurveError {
    #[error("a calibration must be finite and increase with the margin: check its coefficients")]
    Calibration,
    #[error("a score scale must increase strictly from (0, 0) to (1, 1): check its knots")]
    Scale,
}

impl Calibration {
    /// Margins are log-odds already.
    pub const NONE: Calibration = Calibration::Platt { slope: 1.0, intercept: 0.0 };

    /// Whether the curve is finite and increases.
    pub fn check(&self) -> Result<(), CurveError> {
        let fine = match *self {
            Calibration::Platt { slope, intercept } => {
                slope > 0.0 && bounded(slope) && bounded(intercept)
            }
            Calibration::Beta { a, b, c } => {
                a >= 0.0 && b >= 0.0 && a + b > 0.0 && bounded(a + b) && bounded(c)
            }
            Calibration::Knots(ref knots) => knots.len() >= 2 && rises(knots),
            Calibration::Share { zero, one } => one > zero && bounded(one) && bounded(zero),
        };
        if fine { Ok(()) } else { Err(CurveError::Calibration) }
    }

    /// The probability at a margin, in `0..=1`.
    pub fn probability(&self, margin: Margin) -> Probability {
        let m = margin.0;
        Probability(match *self {
            Calibration::Platt { slope, intercept } => logistic(slope * m + intercept),
            Calibration::Beta { a, b, c } => logistic(b * softplus(m) - a * softplus(-m) + c),
            Calibration::Knots(ref knots) => logistic(interpolate(knots, m)),
            Calibration::Share { zero, one } => ((m - zero) / (one - zero)).clamp(0.0, 1.0),
        })
    }
}

impl Scale {
    /// The score is the probability in per cent.
    pub const PERCENT: Scale = Scale(Vec::new());

    /// A scale through `knots`, which start at (0, 0), end at (1, 1) and strictly increase.
    pub fn through(knots: Vec<Knot>) -> Result<Scale, CurveError> {
        let ends = (knots.first().copied(), knots.last().copied());
        match ends {
            _ if knots.is_empty() => Ok(Scale::PERCENT),
            (Some(Knot { x: 0.0, y: 0.0 }), Some(Knot { x: 1.0, y: 1.0 })) if rises(&knots) => {
                Ok(Scale(knots))
            }
            _ => Err(CurveError::Scale),
        }
    }

    /// The knots; none where the scale is [`Scale::PERCENT`].
    pub fn knots(&self) -> &[Knot] {
        &self.0
    }

    /// The score before rounding, in `0..=100`.
    pub fn score(&self, probability: Probability) -> f64 {
        let share =
            if self.0.is_empty() { probability.0 } else { interpolate(&self.0, probability.0) };
        100.0 * share.clamp(0.0, 1.0)
    }
}

/// `1 / (1 + e^−x)`, equal on every host.
fn logistic(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + libm::exp(-x))
    } else {
        let e = libm::exp(x);
        e / (1.0 + e)
    }
}

/// `ln(1 + e^x)`
fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

fn rises(knots: &[Knot]) -> bool {
    knots.iter().all(|knot| bounded(knot.x) && bounded(knot.y))
        && knots.windows(2).all(|pair| pair[0].x < pair[1].x && pair[0].y < pair[1].y)
}

/// The curve through at least two rising knots, its outer pieces prolonged.
fn interpolate(knots: &[Knot], x: f64) -> f64 {
    let right = knots.partition_point(|knot| knot.x <= x).clamp(1, knots.len() - 1);
    let (a, b) = (knots[right - 1], knots[right]);
    a.y + (b.y - a.y) * ((x - a.x) / (b.x - a.x))
}
