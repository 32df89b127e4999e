//! What another policy would have earned, from a log that holds propensities.
//!
//! Saito, Aihara, Matsutani, Narita 2021 (Open Bandit Dataset and Pipeline) describe them all.

use thiserror::Error;

/// One logged choice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Logged<'a> {
    /// What was shown.
    pub arm: usize,
    pub reward: f64,
    /// The chance it was shown with.
    pub propensity: f64,
    /// The chances that the evaluated policy gives every arm here.
    pub policy: &'a [f64],
    /// The reward that a model expects of every arm here; empty where there is no model.
    pub expected: &'a [f64],
}

/// How the log is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Estimator {
    /// Inverse propensity scores: no bias, and much noise (Horvitz & Thompson 1952).
    Ips,
    /// IPS by the sum of its weights: little bias, less noise (Swaminathan & Joachims 2015).
    Snips,
    /// The model alone: as wrong as the model.
    Direct,
    /// The model, corrected by IPS of what it missed (Dudík, Langford, Li 2011).
    DoublyRobust,
    /// The same, by the mean of the weights.
    NormedDoublyRobust,
    /// Trusts the model where a weight is above `limit` (Wang, Agarwal, Dudík 2017).
    Switch { limit: f64 },
    /// Shrinks great weights: λw / (w² + λ) (Su, Dimakopoulou, Krishnamurthy, Dudík 2020).
    Shrunk { lambda: f64 },
}

/// A policy's mean reward.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolicyValue {
    pub value: f64,
    /// Of the mean over the log's rounds.
    pub standard_error: f64,
    /// (Σw)² / Σw²: of how many rounds the weights make use.
    pub effective_rounds: f64,
}

/// Why a log cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LogError {
    #[error("the log is empty; wait for choices")]
    Empty,
    #[error("round {0}: its propensity is not above 0 and at most 1; log the chance of the choice")]
    Propensity(usize),
    #[error("round {0}: the policy has no chance for the arm that was shown; list all arms")]
    Arm(usize),
    #[error("round {0}: this estimator needs the reward a model expects of every arm")]
    Model(usize),
    #[error("the policy never does what was done, so the log says nothing of it")]
    Apart,
}

/// Estimates what a policy would have earned.
///
/// # Errors
/// See [`LogError`].
pub fn value_of(log: &[Logged], estimator: Estimator) -> Result<PolicyValue, LogError> {
    let rounds = log.len() as f64;
    let mut weights = Vec::with_capacity(log.len());
    for (at, logged) in log.iter().enumerate() {
        if !(logged.propensity > 0.0 && logged.propensity <= 1.0) {
            return Err(LogError::Propensity(at));
        }
        let chance = logged.policy.get(logged.arm).ok_or(LogError::Arm(at))?;
        let models = !matches!(estimator, Estimator::Ips | Estimator::Snips);
        if models && logged.expected.len() != logged.policy.len() {
            return Err(LogError::Model(at));
        }
        weights.push(chance / logged.propensity);
    }
    if log.is_empty() {
        return Err(LogError::Empty);
    }
    let sum: f64 = weights.iter().sum();
    let squares: f64 = weights.iter().map(|weight| weight * weight).sum();
    let norm = sum / rounds;
    if norm <= 0.0 && estimator != Estimator::Direct {
        return Err(LogError::Apart);
    }
    let parts: Vec<f64> = log
        .iter()
        .zip(&weights)
        .map(|(logged, &weight)| {
            let missed = |weight: f64| {
                let guess = logged.expected.get(logged.arm).unwrap_or(&0.0);
                logged.direct() + weight * (logged.reward - guess)
            };
            match estimator {
                Estimator::Ips => weight * logged.reward,
                Estimator::Snips => weight * logged.reward / norm,
                Estimator::Direct => logged.direct(),
                Estimator::DoublyRobust => missed(weight),
                Estimator::NormedDoublyRobust => missed(weight / norm),
                Estimator::Switch { limit } if weight > limit => logged.direct(),
                Estimator::Switch { .. } => missed(weight),
                Estimator::Shrunk { lambda } => {
                    missed(lambda * weight / (weight * weight + lambda))
                }
            }
        })
        .collect();
    let value = parts.iter().sum::<f64>() / rounds;
    // A self-normed mean moves with its own weights (delta method).
    let spread = |(part, weight): (&f64, &f64)| match estimator {
        Estimator::Snips => part - weight / norm * value,
        _ => part - value,
    };
    let variance = parts.iter().zip(&weights).map(spread).map(|d| d * d).sum::<f64>()
        / (rounds - 1.0).max(1.0);
    Ok(PolicyValue {
        value,
        standard_error: (variance / rounds).sqrt(),
        effective_rounds: if squares > 0.0 { sum * sum / squares } else { 0.0 },
    })
}

impl Logged<'_> {
    /// What the model expects of the evaluated policy.
    fn direct(&self) -> f64 {
        self.policy.iter().zip(self.expected).map(|(chance, expected)| chance * expected).sum()
    }
}
