//! Post-stratification: strata that visitors fell into before the experiment (country, device,
//! band of the lead score) are compared one by one and put together by their size.
//!
//! Miratrix, Sekhon, Yu 2013; with covariates, each stratum is regressed on them.

use libm::fabs;

use super::adjustment::with_theta;
use super::effect::{Difference, Effect, EffectError, freedom, moments};
use super::statistic::{Adjusted, AdjustedRatio, Ratio, Statistic};
use super::sums::is_known;
use crate::matrix::{Matrix, dot};

/// A stratum's control and treatment.
pub type Stratum = (Statistic, Statistic);

/// Compares a treatment with its control, stratum by stratum. Falls back to [`pooled`] where that
/// cannot be done.
///
/// # Errors
/// See [`EffectError`].
pub fn compare_strata(strata: &[Stratum], difference: Difference) -> Result<Effect, EffectError> {
    stratified(strata, difference).or_else(|error| pooled(strata, difference).map_err(|_| error))
}

/// Compares as if there were no strata.
///
/// # Errors
/// See [`EffectError`].
pub fn pooled(strata: &[Stratum], difference: Difference) -> Result<Effect, EffectError> {
    let (control, treatment) = total(strata)?;
    let (control, treatment) = with_theta(&control, &treatment)?;
    moments(&control, &treatment, difference)
}

/// Compares stratum by stratum, or says why that is impossible.
///
/// Strata that cannot be compared on their own join the largest one.
///
/// # Errors
/// See [`EffectError`].
pub fn stratified(strata: &[Stratum], difference: Difference) -> Result<Effect, EffectError> {
    let strata = without_idle_covariates(strata)?;
    let (control, treatment) = total(&strata)?;
    if control.is_degenerate() || treatment.is_degenerate() {
        return Err(EffectError::NoVariance);
    }
    if control.mean() == 0.0 || control.plain_mean() == 0.0 {
        return Err(EffectError::NoBaseline);
    }
    let cells = comparable(&strata)?;
    if let [(control, treatment)] = cells.as_slice() {
        let (control, treatment) = with_theta(control, treatment)?;
        return moments(&control, &treatment, difference);
    }
    let fits = cells
        .iter()
        .map(|(control, treatment)| Fit::of(control, treatment))
        .collect::<Result<Vec<_>, _>>()?;
    let (control, treatment) = with_theta(&control, &treatment)?;
    Summary::of(&fits).effect(difference, freedom(&control, &treatment))
}

fn total(strata: &[Stratum]) -> Result<Stratum, EffectError> {
    let (first, rest) = strata.split_first().ok_or(EffectError::Empty)?;
    rest.iter().try_fold(first.clone(), |sum, stratum| join(&sum, stratum))
}

fn join(a: &Stratum, b: &Stratum) -> Result<Stratum, EffectError> {
    let both = |a: &Statistic, b: &Statistic| {
        let mixed = core::mem::discriminant(a) != core::mem::discriminant(b);
        let error = if mixed { EffectError::Mixed } else { EffectError::NotSummable };
        a.and(b).ok_or(error)
    };
    Ok((both(&a.0, &b.0)?, both(&a.1, &b.1)?))
}

fn size(stratum: &Stratum) -> u64 {
    stratum.0.units() + stratum.1.units()
}

/// A covariate that is the same for everybody adjusts nothing.
fn without_idle_covariates(strata: &[Stratum]) -> Result<Vec<Stratum>, EffectError> {
    let (control, treatment) = total(strata)?;
    if !(idle(&control) || idle(&treatment)) {
        return Ok(strata.to_vec());
    }
    Ok(strata
        .iter()
        .map(|(control, treatment)| (control.unadjusted(), treatment.unadjusted()))
        .collect())
}

fn idle(statistic: &Statistic) -> bool {
    match statistic {
        Statistic::Adjusted(adjusted) => adjusted.before.variance() <= 0.0,
        Statistic::AdjustedRatio(adjusted) => {
            adjusted.before.top.variance() <= 0.0 || adjusted.before.bottom.variance() <= 0.0
        }
        _ => false,
    }
}

/// Largest first; the rest of them that can be compared on their own.
fn comparable(strata: &[Stratum]) -> Result<Vec<Stratum>, EffectError> {
    let mut sorted = strata.to_vec();
    sorted.sort_by_key(|stratum| core::cmp::Reverse(size(stratum)));
    let mut sorted = sorted.into_iter();
    let mut cells = vec![sorted.next().ok_or(EffectError::Empty)?];
    for stratum in sorted {
        // The regression of a ratio on a ratio estimates six figures.
        let enough = !matches!(stratum.0, Statistic::AdjustedRatio(_)) || size(&stratum) > 6;
        if enough && !stratum.0.is_degenerate() && !stratum.1.is_degenerate() {
            cells.push(stratum);
        } else {
            cells[0] = join(&cells[0], &stratum)?;
        }
    }
    Ok(cells)
}

/// One stratum: for every response (a ratio has two) the control's mean and the effect.
struct Fit {
    units: f64,
    /// Control, effect; of a ratio: of its top, then of its bottom.
    means: Vec<f64>,
    /// Covariance of the means, times the units.
    covariance: Matrix,
}

impl Fit {
    fn of(control: &Statistic, treatment: &Statistic) -> Result<Fit, EffectError> {
        if control.is_degenerate() || treatment.is_degenerate() {
            return Err(EffectError::NoVariance);
        }
        match (control, treatment) {
            _ if idle(control) || idle(treatment) => {
                Fit::of(&control.unadjusted(), &treatment.unadjusted())
            }
            (Statistic::Mean(a), Statistic::Mean(b)) => Ok(Fit::plain(
                [a.units as f64, b.units as f64],
                [&[a.mean()], &[b.mean()]],
                [&Matrix::diagonal(1, a.variance()), &Matrix::diagonal(1, b.variance())],
            )),
            (Statistic::Ratio(a), Statistic::Ratio(b)) => Ok(Fit::plain(
                [a.top.units as f64, b.top.units as f64],
                [&[a.top.mean(), a.bottom.mean()], &[b.top.mean(), b.bottom.mean()]],
                [&spread(a), &spread(b)],
            )),
            (Statistic::Adjusted(a), Statistic::Adjusted(b)) => Regression::of_mean(a, b).fit(),
            (Statistic::AdjustedRatio(a), Statistic::AdjustedRatio(b)) => {
                Regression::of_ratio(a, b).fit()
            }
            _ => Err(EffectError::NotSummable),
        }
    }

    fn plain(units: [f64; 2], means: [&[f64]; 2], spreads: [&Matrix; 2]) -> Fit {
        let total = units[0] + units[1];
        let responses = means[0].len();
        let mut fit =
            Fit { units: total, means: Vec::new(), covariance: Matrix::zero(2 * responses) };
        for (row, (control, treatment)) in means[0].iter().zip(means[1]).enumerate() {
            fit.means.extend([*control, treatment - control]);
            for column in 0..responses {
                let control = spreads[0].at(row, column) * total / units[0];
                let treatment = spreads[1].at(row, column) * total / units[1];
                fit.covariance.set(2 * row, 2 * column, control);
                fit.covariance.set(2 * row, 2 * column + 1, -control);
                fit.covariance.set(2 * row + 1, 2 * column, -control);
                fit.covariance.set(2 * row + 1, 2 * column + 1, control + treatment);
            }
        }
        fit
    }
}

fn spread(ratio: &Ratio) -> Matrix {
    let mut spread = Matrix::zero(2);
    spread.set(0, 0, ratio.top.variance());
    spread.mirror(0, 1, ratio.covariance());
    spread.set(1, 1, ratio.bottom.variance());
    spread
}

/// Responses on (1, treated, covariates), as sums over the visitors.
struct Regression {
    units: f64,
    /// Figures that are estimated beside the effects.
    spent: f64,
    design: Matrix,
    /// Design · response, a response each.
    crossed: Vec<Vec<f64>>,
    /// Response · response.
    squares: Matrix,
    covariate_means: Vec<f64>,
    covariate_spread: Matrix,
}

impl Regression {
    fn of_mean(a: &Adjusted, b: &Adjusted) -> Regression {
        let before = a.before.and(&b.before);
        let (control, treated) = (a.after.units as f64, b.after.units as f64);
        let mut design = Matrix::zero(3);
        design.set(0, 0, control + treated);
        design.mirror(0, 1, treated);
        design.set(1, 1, treated);
        design.mirror(0, 2, before.sum);
        design.mirror(1, 2, b.before.sum);
        design.set(2, 2, before.squares);
        Regression {
            units: control + treated,
            spent: 3.0,
            design,
            crossed: vec![vec![a.after.sum + b.after.sum, b.after.sum, a.products + b.products]],
            squares: Matrix::diagonal(1, a.after.squares + b.after.squares),
            covariate_means: vec![before.mean()],
            covariate_spread: Matrix::diagonal(1, before.variance()),
        }
    }

    fn of_ratio(a: &AdjustedRatio, b: &AdjustedRatio) -> Regression {
        let (control, treated) = (a.after.top.units as f64, b.after.top.units as f64);
        let top = a.before.top.and(&b.before.top);
        let bottom = a.before.bottom.and(&b.before.bottom);
        let before = a.before.products + b.before.products;
        let mut design = Matrix::zero(4);
        design.set(0, 0, control + treated);
        design.mirror(0, 1, treated);
        design.set(1, 1, treated);
        design.mirror(0, 2, top.sum);
        design.mirror(0, 3, bottom.sum);
        design.mirror(1, 2, b.before.top.sum);
        design.mirror(1, 3, b.before.bottom.sum);
        design.set(2, 2, top.squares);
        design.mirror(2, 3, before);
        design.set(3, 3, bottom.squares);
        let mut squares = Matrix::zero(2);
        squares.set(0, 0, a.after.top.squares + b.after.top.squares);
        squares.mirror(0, 1, a.after.products + b.after.products);
        squares.set(1, 1, a.after.bottom.squares + b.after.bottom.squares);
        let mut covariate_spread = Matrix::zero(2);
        covariate_spread.set(0, 0, top.variance());
        covariate_spread.mirror(0, 1, top.covariance(&bottom, before));
        covariate_spread.set(1, 1, bottom.variance());
        Regression {
            units: control + treated,
            spent: 6.0,
            design,
            crossed: vec![
                vec![
                    a.after.top.sum + b.after.top.sum,
                    b.after.top.sum,
                    a.tops + b.tops,
                    a.top_bottom + b.top_bottom,
                ],
                vec![
                    a.after.bottom.sum + b.after.bottom.sum,
                    b.after.bottom.sum,
                    a.bottom_top + b.bottom_top,
                    a.bottoms + b.bottoms,
                ],
            ],
            squares,
            covariate_means: vec![top.mean(), bottom.mean()],
            covariate_spread,
        }
    }

    fn fit(&self) -> Result<Fit, EffectError> {
        let inverse = self.design.inverse().ok_or(EffectError::Dependent)?;
        let coefficients: Vec<Vec<f64>> =
            self.crossed.iter().map(|crossed| inverse.times(crossed)).collect();
        let mut at_average = vec![1.0, 0.0];
        at_average.extend(&self.covariate_means);
        let mut treated = vec![0.0; at_average.len()];
        treated[1] = 1.0;
        // The average covariate is itself an estimate: it adds the trace of its spread.
        let mut unsure = 0.0;
        for row in 0..self.covariate_means.len() {
            for column in 0..self.covariate_means.len() {
                unsure += inverse.at(2 + row, 2 + column) * self.covariate_spread.at(column, row);
            }
        }
        unsure /= self.units;
        let responses = self.crossed.len();
        let mut fit =
            Fit { units: self.units, means: Vec::new(), covariance: Matrix::zero(2 * responses) };
        for row in 0..responses {
            fit.means.extend([dot(&at_average, &coefficients[row]), coefficients[row][1]]);
            for column in 0..responses {
                let residual = (self.squares.at(row, column)
                    - dot(&self.crossed[row], &coefficients[column]))
                    / (self.units - self.spent);
                let moved = self
                    .covariate_spread
                    .between(&coefficients[row][2..], &coefficients[column][2..])
                    / self.units;
                let control =
                    residual * (inverse.between(&at_average, &at_average) + unsure) + moved;
                let crossed = residual * inverse.between(&at_average, &treated);
                let effect = residual * inverse.between(&treated, &treated);
                fit.covariance.set(2 * row, 2 * column, self.units * control);
                fit.covariance.set(2 * row, 2 * column + 1, self.units * crossed);
                fit.covariance.set(2 * row + 1, 2 * column, self.units * crossed);
                fit.covariance.set(2 * row + 1, 2 * column + 1, self.units * effect);
            }
        }
        Ok(fit)
    }
}

/// All strata together, weighted by their size, which is random too (multinomial).
struct Summary {
    units: f64,
    means: Vec<f64>,
    covariance: Matrix,
}

impl Summary {
    fn of(fits: &[Fit]) -> Summary {
        let units: f64 = fits.iter().map(|fit| fit.units).sum();
        let shares: Vec<f64> = fits.iter().map(|fit| fit.units / units).collect();
        let length = fits.first().map_or(0, |fit| fit.means.len());
        let weighted = |of: &dyn Fn(usize) -> f64| -> f64 {
            shares.iter().enumerate().map(|(at, share)| share * of(at)).sum()
        };
        let means: Vec<f64> = (0..length).map(|k| weighted(&|at| fits[at].means[k])).collect();
        let mut covariance = Matrix::zero(length);
        for row in 0..length {
            for column in 0..length {
                let between = weighted(&|at| fits[at].means[row] * fits[at].means[column])
                    - means[row] * means[column];
                let within = weighted(&|at| fits[at].covariance.at(row, column));
                covariance.set(row, column, (between + within) / units);
            }
        }
        Summary { units, means, covariance }
    }

    fn effect(&self, difference: Difference, freedom: f64) -> Result<Effect, EffectError> {
        let relative = difference == Difference::Relative;
        let (baseline, estimate, gradient) = match *self.means.as_slice() {
            [control, effect] => mean_effect(control, effect, relative),
            [control_top, effect_top, control_bottom, effect_bottom] => {
                ratio_effect([control_top, effect_top], [control_bottom, effect_bottom], relative)
            }
            _ => return Err(EffectError::Empty),
        };
        if baseline == 0.0 {
            return Err(EffectError::NoBaseline);
        }
        let variance = self.covariance.between(&gradient, &gradient);
        if !is_known(variance) {
            return Err(EffectError::NoVariance);
        }
        Ok(Effect { estimate, standard_error: variance.sqrt(), units: self.units as u64, freedom })
    }
}

/// Baseline, estimate, gradient by (control, effect).
fn mean_effect(control: f64, effect: f64, relative: bool) -> (f64, f64, Vec<f64>) {
    if !relative {
        return (control, effect, vec![0.0, 1.0]);
    }
    let gradient = vec![-effect / (control * control), 1.0 / control];
    (control, effect / fabs(control), gradient)
}

/// Baseline, estimate, gradient by (control, effect) of the top, then of the bottom.
fn ratio_effect(top: [f64; 2], bottom: [f64; 2], relative: bool) -> (f64, f64, Vec<f64>) {
    let treated_bottom = bottom[0] + bottom[1];
    if bottom[0] == 0.0 || treated_bottom == 0.0 {
        return (0.0, 0.0, vec![0.0; 4]);
    }
    let control = top[0] / bottom[0];
    let treated = (top[0] + top[1]) / treated_bottom;
    // Of treated and of control, by (control top, effect top, control bottom, effect bottom).
    let of_treated = [1.0, 1.0, -treated, -treated].map(|part| part / treated_bottom);
    let of_control = [1.0, 0.0, -control, 0.0].map(|part| part / bottom[0]);
    let parts = of_treated.iter().zip(of_control);
    if !relative {
        return (control, treated - control, parts.map(|(t, c)| t - c).collect());
    }
    let gradient = parts.map(|(t, c)| (t - c * treated / control) / control).collect();
    (control, (treated - control) / fabs(control), gradient)
}
