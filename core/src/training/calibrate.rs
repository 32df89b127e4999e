//! Curves and thresholds learnt from margins that the model gave to rows it had not seen.

use crate::model::{Bands, Calibration};

/// The curve that turns margins into probabilities: the margins themselves, as boosting meant them;
/// Platt's curve, or beta calibration, only where its parameters earn their place.
#[must_use]
pub fn curve(labels: &[bool], margins: &[f64]) -> Calibration {
    let line = |m| [m, 0.0, 1.0];
    let plain = summed_loss(labels, margins, &line, [1.0, 0.0, 0.0]);
    let straight = fit(labels, margins, line, [true, false, true]);
    let bent = fit(labels, margins, |m| [-softplus(-m), softplus(m), 1.0], [true; 3]);
    // What chance alone would gain, several times over: a curve that is not needed only adds noise.
    let earned = |loss: f64, parameters: f64, from: f64| loss + 2.0 * parameters < from;
    let straight = straight.filter(|&([slope, ..], loss)| slope > 0.0 && earned(loss, 2.0, plain));
    let simpler = straight.map_or(plain, |straight| straight.1);
    match (straight, bent) {
        (_, Some(([a, b, c], loss)))
            if a >= 0.0 && b >= 0.0 && a + b > 0.0 && earned(loss, 2.0, simpler) =>
        {
            Calibration::Beta { a, b, c }
        }
        (Some(([slope, _, intercept], _)), _) => Calibration::Platt { slope, intercept },
        _ => Calibration::NONE,
    }
}

/// How rows are parted into bands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BandSettings {
    /// Share of negatives that may be called qualified.
    pub fpr: f64,
    /// Share of rows, those next below the qualified, that stays undecided.
    pub undecided: f64,
}

/// The lowest threshold that keeps the wanted false-positive rate, and the one that leaves the
/// wanted share undecided.
#[must_use]
pub fn bands(labels: &[bool], probabilities: &[f64], settings: BandSettings) -> Bands {
    let mut falling: Vec<(f64, bool)> =
        probabilities.iter().copied().zip(labels.iter().copied()).collect();
    falling.sort_by(|a, b| b.0.total_cmp(&a.0));
    let negatives = labels.iter().filter(|label| !**label).count() as f64;
    let allowed = (negatives * settings.fpr).floor();
    let mut wrong = 0.0;
    let mut qualified = 0;
    let mut at = 0;
    while at < falling.len() {
        let run = falling[at..].iter().take_while(|next| next.0 == falling[at].0).count();
        wrong += falling[at..at + run].iter().filter(|next| !next.1).count() as f64;
        if wrong > allowed {
            break;
        }
        at += run;
        qualified = at;
    }
    let between = |place: usize| match (
        place.checked_sub(1).and_then(|above| falling.get(above)),
        falling.get(place),
    ) {
        (Some(above), Some(below)) => (above.0 + below.0) / 2.0,
        (None, Some(below)) => (1.0 + below.0) / 2.0,
        _ => 0.0,
    };
    let undecided = (falling.len() as f64 * settings.undecided).floor() as usize;
    let qualified_from = between(qualified);
    Bands {
        not_below: between((qualified + undecided).min(falling.len())).min(qualified_from),
        qualified_from,
    }
}

/// Logistic regression by Newton's method on the features that are switched on; coefficients and
/// the summed loss.
fn fit(
    labels: &[bool],
    margins: &[f64],
    features: impl Fn(f64) -> [f64; 3],
    on: [bool; 3],
) -> Option<([f64; 3], f64)> {
    let [low, high] = targets(labels);
    let mut weights = [1.0, f64::from(u8::from(on[1])), 0.0];
    let mut last = f64::INFINITY;
    for _ in 0..50 {
        let mut gradient = [0.0; 3];
        let mut hessian = [[0.0; 3]; 3];
        let mut loss = 0.0;
        for (&label, &margin) in labels.iter().zip(margins) {
            let x = features(margin);
            let z: f64 = x.iter().zip(&weights).map(|(x, w)| x * w).sum();
            let target = if label { high } else { low };
            loss += softplus(z) - target * z;
            let p = 1.0 / (1.0 + libm::exp(-z));
            for i in 0..3 {
                gradient[i] += (p - target) * x[i];
                for j in 0..3 {
                    hessian[i][j] += p * (1.0 - p) * x[i] * x[j];
                }
            }
        }
        if !loss.is_finite() || (last - loss).abs() < 1e-9 * (1.0 + loss.abs()) {
            return loss.is_finite().then_some((weights, loss));
        }
        last = loss;
        for i in 0..3 {
            if on[i] {
                hessian[i][i] += 1e-9;
            } else {
                gradient[i] = 0.0;
                hessian[i] = [0.0; 3];
                hessian.iter_mut().for_each(|row| row[i] = 0.0);
                hessian[i][i] = 1.0;
            }
        }
        let step = solve(hessian, gradient)?;
        weights.iter_mut().zip(step).for_each(|(weight, step)| *weight -= step.clamp(-2.0, 2.0));
    }
    Some((weights, last))
}

/// Platt's targets of the two classes, which keep the fit of separable data finite.
fn targets(labels: &[bool]) -> [f64; 2] {
    let positives = labels.iter().filter(|label| **label).count() as f64;
    let negatives = labels.len() as f64 - positives;
    [1.0 / (negatives + 2.0), (positives + 1.0) / (positives + 2.0)]
}

fn summed_loss(
    labels: &[bool],
    margins: &[f64],
    features: &impl Fn(f64) -> [f64; 3],
    weights: [f64; 3],
) -> f64 {
    let [low, high] = targets(labels);
    let loss = |(&label, &margin): (&bool, &f64)| {
        let z: f64 = features(margin).iter().zip(&weights).map(|(x, w)| x * w).sum();
        softplus(z) - if label { high } else { low } * z
    };
    labels.iter().zip(margins).map(loss).sum()
}

/// Gauss elimination with pivots.
fn solve(mut a: [[f64; 3]; 3], mut b: [f64; 3]) -> Option<[f64; 3]> {
    for column in 0..3 {
        let pivot =
            (column..3).max_by(|&i, &j| a[i][column].abs().total_cmp(&a[j][column].abs()))?;
        a.swap(column, pivot);
        b.swap(column, pivot);
        if a[column][column].abs() < 1e-15 {
            return None;
        }
        for row in 0..3 {
            if row != column {
                let factor = a[row][column] / a[column][column];
                let above = a[column];
                for (cell, above) in a[row].iter_mut().zip(above).skip(column) {
                    *cell -= factor * above;
                }
                b[row] -= factor * b[column];
            }
        }
    }
    Some(core::array::from_fn(|i| b[i] / a[i][i]))
}

/// ln(1 + e^x)
fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}
