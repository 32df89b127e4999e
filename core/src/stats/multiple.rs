//! Many tests at once: p-values that account for each other.

/// Benjamini & Hochberg 1995: of what is called significant at α, a share of at most α is wrong.
///
/// Adjusted p-values in the order of `p_values`; NaN stays NaN and counts as no test.
#[must_use]
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    adjust(p_values, |order, tests| {
        let mut least = 1.0_f64;
        let mut adjusted = vec![0.0; tests];
        for rank in (0..tests).rev() {
            least = least.min(order[rank] * tests as f64 / (rank + 1) as f64);
            adjusted[rank] = least;
        }
        adjusted
    })
}

/// Holm 1979: the chance that anything is called significant wrongly at α is at most α.
///
/// Adjusted p-values in the order of `p_values`; NaN stays NaN and counts as no test.
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    adjust(p_values, |order, tests| {
        let mut greatest = 0.0_f64;
        order
            .iter()
            .enumerate()
            .map(|(rank, p)| {
                greatest = greatest.max(p * (tests - rank) as f64).min(1.0);
                greatest
            })
            .collect()
    })
}

fn adjust(p_values: &[f64], of_sorted: impl Fn(&[f64], usize) -> Vec<f64>) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).filter(|&at| !p_values[at].is_nan()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let sorted: Vec<f64> = order.iter().map(|&at| p_values[at]).collect();
    let mut adjusted = vec![f64::NAN; p_values.len()];
    for (at, value) in order.into_iter().zip(of_sorted(&sorted, sorted.len())) {
        adjusted[at] = value;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    // R: p.adjust(c(.01, .04, .03, .005, .5), "BH" and "holm").
    #[test]
    fn adjusted_p_values_are_those_of_r() {
        let p = [0.01, 0.04, 0.03, 0.005, f64::NAN, 0.5];
        let near = |ours: Vec<f64>, theirs: [f64; 6]| {
            for (ours, theirs) in ours.into_iter().zip(theirs) {
                assert!(
                    ours.is_nan() && theirs.is_nan() || (ours - theirs).abs() < 1e-15,
                    "{ours} {theirs}"
                );
            }
        };
        near(benjamini_hochberg(&p), [0.025, 0.05, 0.05, 0.025, f64::NAN, 0.5]);
        near(holm(&p), [0.04, 0.09, 0.09, 0.025, f64::NAN, 0.5]);
        assert!(holm(&[]).is_empty());
    }
}
