//! From scores of arms to the chances they are shown with, and from chances to a choice.

use libm::{exp, log};

/// An arm and the chance it was chosen with: log both, or nothing can be evaluated later.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    pub arm: usize,
    pub propensity: f64,
}

/// The arm whose share of 0..1 holds `place`, which is uniform: a draw, or a visitor's bucket.
///
/// `None` where there are no weights above 0.
#[must_use]
pub fn choose(weights: &[f64], place: f64) -> Option<Choice> {
    let total: f64 = weights.iter().sum();
    let mut passed = 0.0;
    let mut last = None;
    for (arm, &weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        passed += weight;
        last = Some(Choice { arm, propensity: weight / total });
        if place * total < passed {
            break;
        }
    }
    last
}

/// The same for everybody.
#[must_use]
pub fn equal(arms: usize) -> Vec<f64> {
    vec![1.0 / arms as f64; arms]
}

/// Every arm gets `floor`, what remains goes by `weights`. A floor that leaves nothing makes all
/// weights equal; one below 0 is 0.
#[must_use]
pub fn with_floor(weights: &[f64], floor: f64) -> Vec<f64> {
    let floor = floor.max(0.0);
    let rest = 1.0 - floor * weights.len() as f64;
    if rest <= 0.0 {
        return equal(weights.len());
    }
    weights.iter().map(|weight| floor + rest * weight).collect()
}

/// The best arm, and any with the chance `epsilon`.
#[must_use]
pub fn epsilon_greedy(scores: &[f64], epsilon: f64) -> Vec<f64> {
    let best = best(scores);
    let any = epsilon / scores.len() as f64;
    (0..scores.len()).map(|arm| if Some(arm) == best { 1.0 - epsilon + any } else { any }).collect()
}

/// e^(score/τ), normed (Luce 1959): the colder, the greedier.
#[must_use]
pub fn softmax(scores: &[f64], temperature: f64) -> Vec<f64> {
    let greatest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let raw: Vec<f64> = scores.iter().map(|score| exp((score - greatest) / temperature)).collect();
    let total: f64 = raw.iter().sum();
    raw.into_iter().map(|weight| weight / total).collect()
}

/// SquareCB (Foster & Rakhlin 2020; Abe & Long 1999): 1 / (arms + γ · gap to the best), the rest to
/// the best.
#[must_use]
pub fn inverse_gap(scores: &[f64], gamma: f64) -> Vec<f64> {
    let Some(best) = best(scores) else { return Vec::new() };
    let arms = scores.len() as f64;
    let mut weights: Vec<f64> =
        scores.iter().map(|score| 1.0 / (arms + gamma * (scores[best] - score))).collect();
    weights[best] = 0.0;
    weights[best] = 1.0 - weights.iter().sum::<f64>();
    weights
}

/// UCB1 (Auer, Cesa-Bianchi, Fischer 2002): what each arm could be worth, mean + α √(2 ln N / n).
/// An arm nobody saw is worth everything.
#[must_use]
pub fn ucb1(means: &[f64], shown: &[u64], alpha: f64) -> Vec<f64> {
    let total = log(shown.iter().sum::<u64>() as f64);
    means
        .iter()
        .zip(shown)
        .map(|(mean, &shown)| match shown {
            0 => f64::INFINITY,
            _ => mean + alpha * (2.0 * total / shown as f64).sqrt(),
        })
        .collect()
}

/// The first of the greatest.
#[must_use]
pub fn best(scores: &[f64]) -> Option<usize> {
    let mut best = None;
    for (arm, score) in scores.iter().enumerate() {
        if best.is_none_or(|best: usize| *score > scores[best]) {
            best = Some(arm);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_chooses_the_arm_whose_share_holds_it() {
        let weights = [0.0, 0.25, 0.75];
        for (place, arm) in [(0.0, 1), (0.2499, 1), (0.25, 2), (0.999_999, 2), (1.0, 2)] {
            assert_eq!(choose(&weights, place).map(|choice| choice.arm), Some(arm));
        }
        assert_eq!(choose(&weights, 0.5).map(|choice| choice.propensity), Some(0.75));
        assert_eq!(choose(&[], 0.5), None);
        assert_eq!(choose(&[0.0], 0.5), None);
    }

    #[test]
    fn weights_sum_to_one_and_keep_their_floor() {
        let scores = [0.1, 0.9, 0.3, 0.2];
        let all = [softmax(&scores, 0.1), epsilon_greedy(&scores, 0.2), inverse_gap(&scores, 30.0)];
        for weights in all.map(|raw| with_floor(&raw, 0.05)) {
            assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert!(weights.iter().all(|weight| *weight >= 0.05));
            assert_eq!(best(&weights), Some(1));
        }
        assert_eq!(with_floor(&[1.0, 0.0], 0.5), [0.5, 0.5]);
    }
}
