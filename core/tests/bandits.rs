//! What mabwiser, the Open Bandit Pipeline and Vowpal Wabbit answer: `conformance/suites/bandits/`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods)]
#![cfg(feature = "wire")]

use rapport_core::bandit::{
    Draws, Estimator, Fitted, Logged, Ridge, epsilon_greedy, inverse_gap, softmax, ucb1, value_of,
};
use serde_json::Value;
use std::collections::BTreeMap;

fn suite() -> Value {
    serde_json::from_str(include_str!("../../conformance/suites/bandits/cases.json")).unwrap()
}

fn numbers(wire: &Value) -> Vec<f64> {
    wire.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn near(ours: f64, theirs: &Value) {
    let theirs = theirs.as_f64().unwrap();
    assert!((ours - theirs).abs() <= 1e-9 * theirs.abs().max(1.0), "{ours} is not {theirs}");
}

fn expectations<'s>(suite: &'s Value, policy: &str) -> &'s Vec<Value> {
    let cases = suite["cases"].as_array().unwrap();
    let case = cases.iter().find(|case| case["policy"].as_str().unwrap().starts_with(policy));
    case.unwrap()["expectations"].as_array().unwrap()
}

const ARMS: [&str; 3] = ["a", "b", "c"];

/// Every arm's rewards and the contexts they came in.
fn history(suite: &Value) -> Vec<(usize, Vec<f64>, f64)> {
    let data = &suite["data"];
    let rewards = numbers(&data["rewards"]);
    (0..rewards.len())
        .map(|at| {
            let arm = ARMS.iter().position(|arm| data["decisions"][at] == *arm).unwrap();
            (arm, numbers(&data["contexts"][at]), rewards[at])
        })
        .collect()
}

fn linear_arms(suite: &Value) -> Vec<Fitted> {
    let mut arms = vec![Ridge::new(3, 1.0); 3];
    for (arm, context, reward) in history(suite) {
        arms[arm].learn(&context, reward);
    }
    arms.iter().map(|arm| arm.fit().unwrap()).collect()
}

#[test]
fn linear_bandits_expect_what_mabwiser_expects() {
    let suite = suite();
    let arms = linear_arms(&suite);
    let contexts = suite["data"]["test_contexts"].as_array().unwrap();
    let (upper, greedy) = (expectations(&suite, "LinUCB"), expectations(&suite, "LinGreedy"));
    assert_eq!((contexts.len(), upper.len(), greedy.len()), (10, 10, 10));
    for (at, context) in contexts.iter().map(numbers).enumerate() {
        for (arm, name) in arms.iter().zip(ARMS) {
            near(arm.upper(&context, 1.25), &upper[at][name]);
            near(arm.expect(&context), &greedy[at][name]);
        }
    }
}

#[test]
fn plain_bandits_expect_what_mabwiser_expects() {
    let suite = suite();
    let mut sums = [0.0; 3];
    let mut shown = [0; 3];
    for (arm, _, reward) in history(&suite) {
        sums[arm] += reward;
        shown[arm] += 1;
    }
    let means: Vec<f64> = (0..3).map(|arm| sums[arm] / shown[arm] as f64).collect();
    // mabwiser answers with shares drawn around the softmax's, of the seed 7.
    let around: Vec<f64> = softmax(&means, 1.0).iter().map(|share| share + f64::EPSILON).collect();
    let drawn = Draws::new(7).shares(&around);
    for (arm, name) in ARMS.iter().enumerate() {
        near(ucb1(&means, &shown, 1.0)[arm], &expectations(&suite, "UCB1")[0][name]);
        near(drawn[arm], &expectations(&suite, "Softmax")[0][name]);
    }
}

#[test]
fn policies_are_worth_what_the_open_bandit_pipeline_says() {
    let suite = suite();
    let ope = &suite["ope"];
    let (policies, expected) = (
        ope["action_dist"].as_array().unwrap().iter().map(numbers).collect::<Vec<_>>(),
        ope["q_hat"].as_array().unwrap().iter().map(numbers).collect::<Vec<_>>(),
    );
    let (propensities, rewards) = (numbers(&ope["pscore"]), numbers(&ope["reward"]));
    let log: Vec<Logged> = (0..rewards.len())
        .map(|at| Logged {
            arm: ope["action"][at].as_u64().unwrap() as usize,
            reward: rewards[at],
            propensity: propensities[at],
            policy: &policies[at],
            expected: &expected[at],
        })
        .collect();
    assert_eq!(log.len(), 400);
    let estimates = ope["estimates"].as_object().unwrap();
    assert_eq!(estimates.len(), 7);
    for (name, theirs) in estimates {
        let estimator = match name.as_str() {
            "IPW" => Estimator::Ips,
            "SNIPW" => Estimator::Snips,
            "DM" => Estimator::Direct,
            "DR" => Estimator::DoublyRobust,
            "SNDR" => Estimator::NormedDoublyRobust,
            "SwitchDR tau=2" => Estimator::Switch { limit: 2.0 },
            "DRos lambda=5" => Estimator::Shrunk { lambda: 5.0 },
            other => panic!("no estimator is called {other}"),
        };
        near(value_of(&log, estimator).unwrap().value, theirs);
    }
}

/// The file holds these with six digits.
#[test]
fn exploration_gives_the_chances_of_vowpal_wabbit() {
    let suite = suite();
    let runs = suite["vw"].as_array().unwrap();
    assert_eq!(runs.len(), 3);
    for run in runs {
        let how = run["args"].as_str().unwrap();
        let rounds = run["train"].as_array().unwrap();
        let mut learner = Vowpal::default();
        for round in rounds {
            learner.learn(round.as_array().unwrap(), how.contains("--squarecb"));
        }
        // What all arms share cancels out: arms are compared.
        let scores: Vec<f64> =
            ARMS.iter().map(|arm| -learner.weight(&format!("arm={arm}"))).collect();
        let ours = match how {
            _ if how.contains("--epsilon 0.2") => epsilon_greedy(&scores, 0.2),
            _ if how.contains("--softmax --lambda 5") => softmax(&scores, 1.0 / 5.0),
            _ if how.contains("--gamma_scale 10") => {
                inverse_gap(&scores, 10.0 * (rounds.len() as f64).sqrt())
            }
            other => panic!("nobody explores by {other}"),
        };
        for theirs in run["pmf"].as_array().unwrap() {
            let theirs = numbers(&theirs["pmf"]);
            assert!(
                ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 6e-7),
                "{ours:?} {theirs:?}"
            );
        }
    }
}

/// Vowpal Wabbit's regression of costs, as far as these rounds need it: steps that shrink with what
/// a feature has seen, and that no importance can carry past the cost (Karampatziakis & Langford
/// 2011). All features are 0 or 1, so its normalization is the same for all of them.
#[derive(Default)]
struct Vowpal {
    /// Weight and sum of squared gradients.
    features: BTreeMap<String, (f64, f64)>,
    costs: [f64; 2],
}

impl Vowpal {
    fn learn(&mut self, round: &[Value], squarecb: bool) {
        let lines: Vec<&str> = round.iter().map(|line| line.as_str().unwrap()).collect();
        let (arm, line) =
            lines.iter().enumerate().find(|(_, line)| line.starts_with("0:")).unwrap();
        let (label, arm_feature) = line.split_once(" |A ").unwrap();
        let label: Vec<f64> = label.split(':').map(|part| part.parse().unwrap()).collect();
        let (cost, propensity) = (label[1], label[2]);
        // SquareCB regresses on all rounds alike; its code leaves out the last arm.
        let inverse = if squarecb && arm + 1 < lines.len() { 1.0 } else { 1.0 / propensity };
        let importance = inverse / (lines.len() - 1) as f64;
        let shared = lines[0].strip_prefix("shared |U ").unwrap().split(' ');
        let names: Vec<&str> = shared.chain([arm_feature, "constant"]).collect();
        self.costs = [self.costs[0].min(cost), self.costs[1].max(cost)];
        let sum: f64 = names.iter().map(|name| self.weight(name)).sum();
        let guess = sum.clamp(self.costs[0], self.costs[1]);
        if guess == cost {
            return;
        }
        let gradient = 2.0 * (guess - cost);
        // Half, since the mean number of features is four: √(1/4).
        let mut reach = 0.0;
        let mut rates = Vec::new();
        for name in names {
            let (_, seen) = self.features.entry(name.to_owned()).or_default();
            *seen += gradient * gradient * importance;
            let rate = 0.5 / seen.sqrt();
            reach += rate;
            rates.push((name, rate));
        }
        let step = (cost - guess) * (1.0 - (-importance * reach).exp()) / reach;
        for (name, rate) in rates {
            self.features.entry(name.to_owned()).or_default().0 += step * rate;
        }
    }

    fn weight(&self, name: &str) -> f64 {
        self.features.get(name).map_or(0.0, |(weight, _)| *weight)
    }
}
