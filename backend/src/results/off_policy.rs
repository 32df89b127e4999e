//! What other ways to share out the variations would have earned, from the chances that are in the log.

use super::crowd::Seen;
use super::learning::Rounds;
use super::view::{EstimateView, PolicyView};
use crate::error::StoreError;
use crate::experiments::{SCORE, Weights};
use rapport_core::bandit::{Estimator, Logged, equal, value_of};
use rapport_core::targeting::{Compiler, Condition, Scope, Value as CoreValue};
use serde::Deserialize;

/// SWITCH trusts the model beyond this weight.
const LIMIT: f64 = 10.0;
/// DRos shrinks weights by this.
const LAMBDA: f64 = 100.0;

/// What the weights in force, equal ones, and each variation alone would have earned a visitor.
///
/// # Errors
/// Where weights at rest cannot be read.
pub fn policies(
    rounds: &Rounds<'_>,
    now: &Weights,
    arms: &[String],
) -> Result<Vec<PolicyView>, StoreError> {
    let tree = Tree::of(now)?;
    let leaves: Vec<usize> = rounds.seen.iter().map(|seen| tree.leaf(seen)).collect();
    let expected = model(rounds, &leaves, now.leaves.len(), arms.len());
    let evenly = equal(arms.len());
    let in_force =
        |leaf: usize| now.leaves.get(leaf).map_or(evenly.as_slice(), |leaf| &leaf.weights);
    let estimate =
        |policy: &'static str, variation: Option<&String>, weights: &dyn Fn(usize) -> Vec<f64>| {
            let chances: Vec<Vec<f64>> = leaves.iter().map(|leaf| weights(*leaf)).collect();
            let log: Vec<Logged<'_>> = rounds
                .earned
                .iter()
                .zip(&leaves)
                .zip(&chances)
                .map(|((one, leaf), policy)| Logged {
                    arm: one.arm,
                    reward: one.reward,
                    propensity: one.propensity,
                    policy,
                    expected: expected.get(*leaf).map_or(&[], Vec::as_slice),
                })
                .collect();
            let by = |estimator| {
                let value = value_of(&log, estimator).ok()?;
                Some(EstimateView {
                    value: value.value,
                    standard_error: value.standard_error,
                    effective_visitors: value.effective_rounds,
                })
            };
            PolicyView {
                policy,
                variation: variation.cloned(),
                ips: by(Estimator::Ips),
                snips: by(Estimator::Snips),
                dm: by(Estimator::Direct),
                dr: by(Estimator::DoublyRobust),
                switch: by(Estimator::Switch { limit: LIMIT }),
                dros: by(Estimator::Shrunk { lambda: LAMBDA }),
            }
        };
    let mut policies = vec![
        estimate("current", None, &|leaf| in_force(leaf).to_vec()),
        estimate("equal", None, &|_| evenly.clone()),
    ];
    for (number, key) in arms.iter().enumerate() {
        let mut alone = vec![0.0; arms.len()];
        if let Some(weight) = alone.get_mut(number) {
            *weight = 1.0;
        }
        policies.push(estimate("only", Some(key), &|_| alone.clone()));
    }
    Ok(policies)
}

/// What each leaf's visitors earned by each variation, on average; of whom there are none, what
/// everybody earned by it.
fn model(rounds: &Rounds<'_>, leaves: &[usize], count: usize, arms: usize) -> Vec<Vec<f64>> {
    let mut sums = vec![vec![(0.0, 0_u32); arms]; count + 1];
    for (one, leaf) in rounds.earned.iter().zip(leaves) {
        // The last row is of everybody.
        for row in [*leaf, count] {
            if let Some(sum) = sums.get_mut(row).and_then(|row| row.get_mut(one.arm)) {
                *sum = (sum.0 + one.reward, sum.1 + 1);
            }
        }
    }
    let mean = |(sum, visitors): &(f64, u32)| {
        if *visitors == 0 { None } else { Some(sum / f64::from(*visitors)) }
    };
    let everybody: Vec<f64> =
        sums.pop().unwrap_or_default().iter().map(|sum| mean(sum).unwrap_or(0.0)).collect();
    let own = |row: &Vec<(f64, u32)>| {
        row.iter().zip(&everybody).map(|(sum, all)| mean(sum).unwrap_or(*all)).collect()
    };
    sums.iter().map(own).collect()
}

/// Who belongs to which leaf, as hosts decide it.
struct Tree {
    attributes: Vec<String>,
    conditions: Vec<Condition>,
}

impl Tree {
    fn of(weights: &Weights) -> Result<Self, StoreError> {
        let mut compiler = Compiler::new(&CoreValue::Null);
        let mut conditions = Vec::new();
        for leaf in &weights.leaves {
            let authored = CoreValue::deserialize(&leaf.condition)
                .map_err(|error| StoreError::corrupt("learnt weights", error))?;
            conditions.push(compiler.condition(&authored).0);
        }
        Ok(Self { attributes: compiler.attributes, conditions })
    }

    fn leaf(&self, seen: &Seen) -> usize {
        let value = |name: &String| match seen.context.get(name) {
            _ if name == SCORE => seen.score.map_or(CoreValue::Null, CoreValue::Number),
            Some(value) => CoreValue::deserialize(value).unwrap_or_default(),
            None => CoreValue::Null,
        };
        let attributes: Vec<CoreValue<'_>> = self.attributes.iter().map(value).collect();
        let visitor = Scope::Visitor(&attributes);
        let holds = |condition: &Condition| condition.holds(visitor, &[]);
        self.conditions.iter().position(holds).unwrap_or(self.conditions.len())
    }
}
