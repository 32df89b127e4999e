//! Experiments that learn: what is authored of it (`bandit`), and how weights reach hosts.

use super::definition::{Definition, Kind};
use super::learnt::{LearntLeaf, Weights};
use super::service::variation_keys;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The objective that is no goal: how much the lead score rises.
pub const SCORE: &str = "$score";

/// How an experiment learns.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Bandit {
    /// The key of a goal, or [`SCORE`].
    pub objective: String,
    #[serde(default)]
    pub kind: Learns,
    /// What visitors are told apart by.
    #[serde(default)]
    pub attributes: Vec<String>,
    /// Least weight of a variation.
    #[serde(default = "five_per_cent")]
    pub floor: f64,
    /// So many visitors of each variation come before the first weights move.
    #[serde(default = "hundred")]
    pub burn_in: u64,
    #[serde(default = "hour")]
    pub every_minutes: f64,
    #[serde(default = "eight")]
    pub most_leaves: usize,
}

/// How weights come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Learns {
    /// One set of weights for everybody (Thompson sampling).
    #[default]
    Thompson,
    /// A tree over the attributes, Thompson sampling in each leaf.
    Leaves,
    /// Each variation's reward is linear in the attributes; weights for each cell of their grid.
    Linear,
}

impl Bandit {
    /// What a definition says of it; `None` where it does not learn.
    ///
    /// # Errors
    /// Where nobody can make sense of it.
    pub fn of(one: &Definition) -> Option<Result<Self, serde_json::Error>> {
        Some(Self::deserialize(one.content.get("bandit")?))
    }

    /// What is wrong with it, by the names of its members.
    pub fn wrong(&self, arms: usize) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        let most = 1.0 / arms.max(1) as f64;
        if !(self.floor >= 0.001 && self.floor <= most) {
            let reason = format!("it is at least 0.001 and at most {most} of {arms} variations");
            wrong.push(("floor", reason));
        }
        if !(self.every_minutes > 0.0 && self.every_minutes <= 10_080.0) {
            wrong.push(("everyMinutes", "it is more than 0 and at most a week's 10080".to_owned()));
        }
        if !(1..=64).contains(&self.most_leaves) {
            wrong.push(("mostLeaves", "it is 1 to 64".to_owned()));
        }
        if (self.kind == Learns::Thompson) != self.attributes.is_empty() {
            let reason = "`leaves` and `linear` learn by attributes, `thompson` by none";
            wrong.push(("attributes", reason.to_owned()));
        }
        let own = self.attributes.iter().find(|name| name.starts_with('$') && *name != SCORE);
        if let Some(name) = own {
            wrong.push((
                "attributes",
                format!("of what core feeds only {SCORE} can be learnt by, not {name}"),
            ));
        }
        if arms < 2 {
            wrong.push(("objective", "there are no two variations to choose from".to_owned()));
        }
        wrong
    }
}

fn five_per_cent() -> f64 {
    0.05
}

fn hundred() -> u64 {
    100
}

fn hour() -> f64 {
    60.0
}

fn eight() -> usize {
    8
}

/// The shares that are authored, of `weights` or `ranges`; equal ones where there are none.
pub fn authored_weights(content: &Map<String, Value>, arms: usize) -> Vec<f64> {
    let list = |name: &str| content.get(name).and_then(Value::as_array).into_iter().flatten();
    let weights: Vec<f64> = list("weights").filter_map(Value::as_f64).collect();
    let ranges: Vec<f64> = list("ranges")
        .filter_map(|range| Some(range.get(1)?.as_f64()? - range.get(0)?.as_f64()?))
        .collect();
    let authored = [ranges, weights].into_iter().find(|authored| authored.len() == arms);
    let shares = authored.unwrap_or_else(|| vec![1.0; arms]);
    let sum: f64 = shares.iter().sum();
    shares.into_iter().map(|share| share / sum).collect()
}

/// What is in force before anything is learnt.
pub fn first_weights(one: &Definition) -> Weights {
    let arms = variation_keys(&one.content).len();
    let weights = authored_weights(&one.content, arms);
    let leaf = LearntLeaf { leaf_id: 0, condition: json!({}), weights, ..LearntLeaf::default() };
    Weights { version: 0, at: one.at, visitors: 0, leaves: vec![leaf] }
}

/// Whether weights are of the variations that there are.
pub fn fits(weights: &Weights, one: &Definition) -> bool {
    let arms = variation_keys(&one.content).len();
    !weights.leaves.is_empty() && weights.leaves.iter().all(|leaf| leaf.weights.len() == arms)
}

/// The name of the bandit of a definition among `contextualBandits`.
pub fn reference(one: &Definition) -> String {
    match one.kind {
        // No key holds a slash.
        Kind::Experience => format!("experiences/{}", one.key),
        _ => one.key.clone(),
    }
}

/// The attributes that exposures are to carry: what is learnt by, and what results are told apart by.
pub fn context_attributes(one: &Definition) -> Vec<String> {
    let list = |holder: Option<&Value>| {
        let names = holder.and_then(Value::as_array).into_iter().flatten();
        names.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    let learnt_by = one.content.get("bandit").and_then(|bandit| bandit.get("attributes"));
    let mut names = [list(learnt_by), list(one.content.get("segments"))].concat();
    // What core feeds, the server knows by itself.
    names.retain(|name| !name.starts_with('$'));
    names.sort();
    names.dedup();
    names
}
