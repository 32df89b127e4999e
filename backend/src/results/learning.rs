//! Experiments that learn: exposures joined to the objective, made new weights by core, and published.

use super::crowd::{Crowd, People, Reached, Seen};
use crate::app::App;
use crate::clock;
use crate::error::{Problem, StoreError};
use crate::experiments::{
    Bandit, Definition, Learns, LearntLeaf, SCORE, SHIPPED, Status, Weights, first_weights, fits,
    variation_keys,
};
use crate::identity::{Permit, Scope, SubjectId};
use rapport_core::bandit::{Column, Earned, Growth, Leaf, Linear, Thompson, contexts};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Weights that differ by less are the same: what is drawn is never quite the same twice.
const SAME: f64 = 0.005;
/// Of texts, the levels that most visitors have.
const MOST_LEVELS: usize = 32;

/// What came of learning.
#[derive(Debug)]
pub struct Lesson {
    /// What is in force now.
    pub weights: Weights,
    /// Why these are the weights of before.
    pub unchanged: Option<String>,
}

/// Learns of all that is in the results, and publishes the weights where they move.
///
/// # Errors
/// [`Problem::Conflict`] where the experiment does not learn or does not run, or where somebody else
/// taught it meanwhile; or where a store fails.
pub fn learn(app: &App, permit: &Permit, one: &Definition) -> Result<Lesson, Problem> {
    let Some(Ok(bandit)) = Bandit::of(one) else {
        return Err(Problem::Conflict("it has no `bandit`, so it learns nothing".to_owned()));
    };
    if one.status != Status::Running {
        return Err(Problem::Conflict(format!("it is {} and learns nothing", one.status.word())));
    }
    if one.content.contains_key(SHIPPED) {
        return Err(Problem::Conflict("it shows one variation and learns nothing".to_owned()));
    }
    let scope = permit.scope();
    let arms = variation_keys(&one.content).len();
    let history = History::of(app, scope, one)?;
    let newest = history.newest();
    let people = People::of(app, scope)?;
    let crowd = Crowd::of(app, scope, &people, one)?;
    let rounds = Rounds::of(app, scope, &people, &crowd, &bandit, &history)?;
    let stays =
        |unchanged: String| Ok(Lesson { weights: newest.clone(), unchanged: Some(unchanged) });
    let fewest = (0..arms).map(|arm| rounds.earned.iter().filter(|one| one.arm == arm).count());
    let fewest = fewest.min().unwrap_or_default() as u64;
    if fewest < bandit.burn_in {
        return stays(format!(
            "some variation has {fewest} visitors yet, and {} are needed before weights move",
            bandit.burn_in
        ));
    }
    let columns: Vec<_> = bandit.attributes.iter().map(|name| column(name, &rounds.seen)).collect();
    let version = history.latest + 1;
    let weigh = Thompson {
        seed: version.unsigned_abs(),
        top_two: false,
        less_is_better: rounds.less_is_better,
        floor: bandit.floor,
        ..Thompson::default()
    };
    let leaves = match bandit.kind {
        Learns::Linear => {
            Linear { arms, most_leaves: bandit.most_leaves, weigh }.leaves(&columns, &rounds.earned)
        }
        Learns::Leaves | Learns::Thompson => {
            Growth { most_leaves: bandit.most_leaves, weigh, ..Growth::of(arms) }
                .leaves(&columns, &rounds.earned)
        }
    };
    let leaves = leaves.map_err(|error| Problem::Conflict(error.to_string()))?;
    let leaves = told(&leaves, &columns)?;
    if newest.version > 0 && alike(&newest.leaves, &leaves) {
        return stays("the weights are the same as before".to_owned());
    }
    let visitors = u32::try_from(rounds.earned.len()).unwrap_or(u32::MAX);
    let weights = Weights { version, at: clock::now(), visitors, leaves };
    if !app.records.learn(permit, (one.kind, &one.key), &weights)? {
        return Err(Problem::Conflict("it was taught meanwhile; try again".to_owned()));
    }
    app.publisher.changed(scope, permit.actor().clone());
    Ok(Lesson { weights, unchanged: None })
}

/// The weights that were in force.
pub struct History {
    /// Before anything was learnt.
    first: Weights,
    /// Oldest first.
    pub learnt: Vec<Weights>,
    /// The newest version, also of variations that there are no more.
    latest: i64,
}

impl History {
    /// Of something that learns.
    ///
    /// # Errors
    /// Where the records cannot be read.
    pub fn of(app: &App, scope: Scope, one: &Definition) -> Result<Self, StoreError> {
        let learnt = app.records.weights(scope, one.kind, &one.key)?;
        let latest = learnt.last().map_or(0, |weights| weights.version);
        // What comes before other variations says nothing of these.
        let since = learnt.iter().rposition(|weights| !fits(weights, one)).map_or(0, |at| at + 1);
        let learnt = learnt.into_iter().skip(since).collect();
        Ok(Self { first: first_weights(one), learnt, latest })
    }

    /// What is in force now.
    pub fn newest(&self) -> &Weights {
        self.learnt.last().unwrap_or(&self.first)
    }

    /// The chances that somebody's variation was drawn by: those that the exposure names, or else the
    /// ones that everybody had then.
    pub fn weights_of(&self, seen: &Seen) -> Option<&[f64]> {
        let leaf = match seen.leaf {
            Some(told) => {
                let mut all = std::iter::once(&self.first).chain(&self.learnt);
                let weights = all.find(|weights| weights.version == told.version)?;
                weights.leaves.iter().find(|leaf| i64::from(leaf.leaf_id) == told.leaf)?
            }
            None => {
                let in_force = self.learnt.iter().rfind(|weights| weights.at <= seen.at);
                let weights = in_force.unwrap_or(&self.first);
                let [leaf] = weights.leaves.as_slice() else { return None };
                leaf
            }
        };
        Some(&leaf.weights)
    }

    /// The chance that somebody was shown what they were. What a host says counts where the server has
    /// no record of it, and never for less than the floor: nobody's word weighs more than that.
    fn propensity(&self, seen: &Seen, floor: f64) -> Option<f64> {
        match (self.weights_of(seen), seen.leaf) {
            (Some(weights), _) => weights.get(seen.arm).copied(),
            (None, Some(told)) => Some(told.propensity.clamp(floor, 1.0)),
            (None, None) => None,
        }
    }
}

/// What can be learnt of: people who were shown something by known chances, and what that earned.
pub struct Rounds<'c> {
    pub seen: Vec<&'c Seen>,
    pub earned: Vec<Earned>,
    pub less_is_better: bool,
}

impl<'c> Rounds<'c> {
    /// Of a crowd.
    ///
    /// # Errors
    /// Where a store cannot be read.
    pub fn of(
        app: &App,
        scope: Scope,
        people: &People<'_>,
        crowd: &'c Crowd,
        bandit: &Bandit,
        history: &History,
    ) -> Result<Self, Problem> {
        let goal = match bandit.objective.as_str() {
            SCORE => None,
            goal => Some(
                Reached::of(app, scope, people, crowd, goal)?.ok_or(Problem::NotFound("goal"))?,
            ),
        };
        let reward = |person: &SubjectId, seen: &Seen| match &goal {
            Some(goal) => goal.value(*person),
            None => seen.rise,
        };
        let rounds = crowd.seen.iter().filter_map(|(person, seen)| {
            let propensity =
                history.propensity(seen, bandit.floor).filter(|chance| *chance > 0.0)?;
            Some((seen, Earned { arm: seen.arm, reward: reward(person, seen), propensity }))
        });
        let (seen, earned) = rounds.unzip();
        let less_is_better = goal.as_ref().is_some_and(|goal| goal.less_is_better);
        Ok(Self { seen, earned, less_is_better })
    }
}

/// An attribute of everybody: numbers where all that is known are numbers, levels otherwise.
fn column(name: &str, seen: &[&Seen]) -> Column {
    let name = name.to_owned();
    let value = |seen: &Seen| match seen.context.get(&name) {
        _ if name == SCORE => seen.score.map(Value::from),
        value => value.cloned(),
    };
    let number =
        |value: &Value| value.as_f64().or(value.as_bool().map(|is| f64::from(u8::from(is))));
    let known: Vec<Option<Value>> = seen.iter().map(|seen| value(seen)).collect();
    if known.iter().flatten().all(|value| number(value).is_some()) {
        let numbers = known.iter().map(|value| value.as_ref().and_then(number));
        let values = numbers.map(|number| number.unwrap_or(f64::NAN)).collect();
        return Column { name, levels: Vec::new(), values };
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let texts: Vec<Option<&str>> =
        known.iter().map(|value| value.as_ref().and_then(Value::as_str)).collect();
    texts.iter().flatten().for_each(|text| *counts.entry(text).or_default() += 1);
    let mut levels: Vec<(&str, usize)> = counts.into_iter().collect();
    levels.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    levels.truncate(MOST_LEVELS);
    let place = |text: &str| levels.iter().position(|(level, _)| *level == text);
    let values = texts.iter().map(|text| text.and_then(place).map_or(f64::NAN, |at| at as f64));
    let values = values.collect();
    Column { name, levels: levels.iter().map(|(level, _)| (*level).to_owned()).collect(), values }
}

/// Leaves as they are kept and published.
fn told(leaves: &[Leaf], columns: &[Column]) -> Result<Vec<LearntLeaf>, StoreError> {
    let contexts = serde_json::to_value(contexts(leaves, columns));
    let contexts = contexts.map_err(|error| StoreError::corrupt("leaves", error))?;
    let conditions = contexts.as_array().into_iter().flatten().map(|context| &context["condition"]);
    let each = leaves.iter().zip(conditions).zip(0..);
    Ok(each
        .map(|((leaf, condition), leaf_id)| LearntLeaf {
            leaf_id,
            condition: if condition.is_object() { condition.clone() } else { json!({}) },
            weights: leaf.weights.clone(),
            visitors: u32::try_from(leaf.visitors).unwrap_or(u32::MAX),
            best: leaf.best.clone(),
        })
        .collect())
}

fn alike(before: &[LearntLeaf], now: &[LearntLeaf]) -> bool {
    before.len() == now.len()
        && before.iter().zip(now).all(|(before, now)| {
            let pairs = before.weights.iter().zip(&now.weights);
            before.condition == now.condition
                && pairs.map(|(before, now)| (before - now).abs()).all(|moved| moved < SAME)
        })
}
