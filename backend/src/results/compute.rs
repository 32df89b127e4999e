//! From exposures and conversions to what may be believed: everything that is statistics is core's.

use super::crowd::{Crowd, People, Reached};
use super::learning::{History, Rounds};
use super::off_policy::policies;
use super::view::{
    ArmView, BanditView, EffectView, ExcludedView, GoalArmView, GoalView, ResultsView, SplitView,
};
use crate::app::App;
use crate::error::Problem;
use crate::experiments::{Bandit, Definition, authored_weights, variation_keys};
use crate::identity::Scope;
use rapport_core::stats::{
    Adjusted, Cause, Difference, Effect, MISMATCH, Scale, Sequence, Side, Statistic, Sums, believe,
    benjamini_hochberg, check_split, compare, t_test,
};
use serde_json::Value;

/// The share of experiments without effect that may be called significant.
const ALPHA: f64 = 0.05;
/// So many of a bandit's weights are shown.
const MOST_HISTORY: usize = 500;

/// The results of an experiment, as far as the log is read.
///
/// # Errors
/// Where a store cannot be read.
pub fn results(app: &App, scope: Scope, experiment: &Definition) -> Result<ResultsView, Problem> {
    let arms = variation_keys(&experiment.content);
    let people = People::of(app, scope)?;
    let mut crowd = Crowd::of(app, scope, &people, experiment)?;
    crowd.count_lost(app, scope, &people, experiment)?;
    let goals = experiment.content.get("goals").and_then(Value::as_array);
    let goals = goals.into_iter().flatten().filter_map(Value::as_str);
    let mut shown = Vec::new();
    for key in goals {
        let reached = Reached::of(app, scope, &people, &crowd, key)?;
        shown.extend(reached.map(|reached| measure(&arms, &crowd, &reached)));
    }
    adjust_for_many(&mut shown);
    let (position, end) = (app.results.reading(scope)?, app.log.end(scope)?);
    let position = position.map_or(0, |(position, _)| position.0);
    let history = History::of(app, scope, experiment)?;
    let weights = weights(experiment, &crowd, &history, arms.len());
    let bandit = bandit(app, scope, &people, &crowd, experiment, &history)?;
    let times = crowd.seen.values().map(|seen| seen.at);
    Ok(ResultsView {
        experiment: experiment.key.clone(),
        status: experiment.status,
        visitors: crowd.seen.len() as u64,
        first_exposure_at: times.clone().min(),
        last_exposure_at: times.max(),
        split: split(&crowd, &weights),
        excluded: ExcludedView {
            staff: crowd.staff,
            bots: crowd.arrivals.iter().map(|arm| arm.bots).sum(),
            several_variations: crowd.duplicates,
            unknown_variations: crowd.unknown,
        },
        variations: arms
            .iter()
            .zip(&crowd.arrivals)
            .zip(&weights)
            .map(|((key, arrivals), weight)| ArmView {
                key: key.clone(),
                weight: *weight,
                visitors: arrivals.visitors,
                bots: arrivals.bots,
                duplicates: arrivals.duplicates,
                lost: arrivals.lost,
            })
            .collect(),
        goals: shown,
        bandit,
        behind: end.0.saturating_sub(position).try_into().unwrap_or_default(),
    })
}

/// How visitors should split: of what learns by the chances that they had.
fn weights(experiment: &Definition, crowd: &Crowd, history: &History, arms: usize) -> Vec<f64> {
    let authored = authored_weights(&experiment.content, arms);
    if !experiment.content.contains_key("bandit") {
        return authored;
    }
    let mut sums = vec![0.0; arms];
    for seen in crowd.seen.values() {
        let chances = history.weights_of(seen).unwrap_or(&authored);
        sums.iter_mut().zip(chances).for_each(|(sum, chance)| *sum += chance);
    }
    let visitors = crowd.seen.len() as f64;
    if visitors == 0.0 { authored } else { sums.into_iter().map(|sum| sum / visitors).collect() }
}

fn bandit(
    app: &App,
    scope: Scope,
    people: &People<'_>,
    crowd: &Crowd,
    experiment: &Definition,
    history: &History,
) -> Result<Option<BanditView>, Problem> {
    let Some(Ok(bandit)) = Bandit::of(experiment) else { return Ok(None) };
    let rounds = Rounds::of(app, scope, people, crowd, &bandit, history)?;
    let newest = history.newest();
    let total: f64 = rounds.earned.iter().map(|one| one.reward).sum();
    let older = history.learnt.len().saturating_sub(MOST_HISTORY);
    Ok(Some(BanditView {
        objective: bandit.objective,
        visitors: rounds.earned.len() as u64,
        earned: total / rounds.earned.len().max(1) as f64,
        weights: newest.clone(),
        history: history.learnt.iter().skip(older).cloned().collect(),
        off_policy: policies(&rounds, newest, &variation_keys(&experiment.content))?,
    }))
}

fn split(crowd: &Crowd, weights: &[f64]) -> Option<SplitView> {
    let split = check_split(&crowd.arrivals, weights).ok()?;
    let causes = split.causes.iter().map(|(cause, _)| match cause {
        Cause::Bots => "bots",
        Cause::RedirectLoss => "redirect-loss",
        Cause::DuplicateIds => "duplicate-ids",
    });
    Some(SplitView {
        p_value: split.p_value,
        mismatch: split.p_value < MISMATCH,
        causes: causes.collect(),
    })
}

/// What the people of one variation did.
#[derive(Default, Clone)]
struct Tally {
    values: Vec<f64>,
    scores: Vec<Option<f64>>,
    conversions: u64,
}

fn measure(arms: &[String], crowd: &Crowd, goal: &Reached) -> GoalView {
    let Reached { revenue, less_is_better, .. } = *goal;
    let mut tallies = vec![Tally::default(); arms.len()];
    for (person, seen) in &crowd.seen {
        let Some(tally) = tallies.get_mut(seen.arm) else { continue };
        tally.values.push(goal.value(*person));
        tally.scores.push(seen.score);
        tally.conversions += u64::from(goal.did(*person));
    }
    let statistics = statistics(&tallies, revenue);
    let mut shown = Vec::new();
    for (arm, (key, tally)) in arms.iter().zip(&tallies).enumerate() {
        let total: f64 = tally.values.iter().sum();
        let mut view = GoalArmView {
            key: key.clone(),
            visitors: tally.values.len() as u64,
            conversions: tally.conversions,
            total,
            mean: if tally.values.is_empty() { 0.0 } else { total / tally.values.len() as f64 },
            effect: None,
            no_effect: None,
        };
        if let (Some(control), Some(treatment), true) =
            (statistics.first(), statistics.get(arm), arm > 0)
        {
            match compare(control, treatment, Difference::Relative) {
                Ok(effect) => view.effect = Some(told(&effect, control, less_is_better)),
                Err(error) => view.no_effect = Some(error.to_string()),
            }
        }
        shown.push(view);
    }
    GoalView {
        key: goal.key.clone(),
        kind: if revenue { "revenue" } else { "conversion" },
        less_is_better,
        adjusted: matches!(statistics.first(), Some(Statistic::Adjusted(_))),
        variations: shown,
    }
}

/// Each variation's measure, with the lead score at the exposure as covariate where it tells people
/// apart. Whose score is unknown has everybody's mean, which adjusts nothing.
fn statistics(tallies: &[Tally], revenue: bool) -> Vec<Statistic> {
    let known = || tallies.iter().flat_map(|tally| tally.scores.iter().flatten());
    let mean = known().sum::<f64>() / (known().count().max(1) as f64);
    let tells = known().any(|score| (score - mean).abs() > f64::EPSILON);
    let one = |tally: &Tally| {
        let after = if revenue {
            Sums::of(tally.values.iter().copied())
        } else {
            Sums::proportion(tally.values.len() as u64, tally.conversions as f64)
        };
        if !tells {
            return Statistic::Mean(after);
        }
        let scores = || tally.scores.iter().map(|score| score.unwrap_or(mean));
        let products = tally.values.iter().zip(scores()).map(|(value, score)| value * score).sum();
        Statistic::Adjusted(Adjusted { after, before: Sums::of(scores()), products, theta: None })
    };
    tallies.iter().map(one).collect()
}

fn told(effect: &Effect, control: &Statistic, less_is_better: bool) -> EffectView {
    let scale =
        Scale { difference: Difference::Relative, baseline: control.plain_mean(), less_is_better };
    let belief = believe(effect, scale, None, ALPHA);
    let fixed = t_test(effect, Side::Both, ALPHA);
    let sequential = Sequence { alpha: ALPHA, ..Sequence::default() }.test(effect, Side::Both);
    EffectView {
        lift: effect.estimate,
        interval: fixed.interval,
        p_value: fixed.p_value,
        p_value_of_many: fixed.p_value,
        chance_to_win: belief.chance_to_win,
        risk: belief.risk,
        sequential_interval: sequential.interval,
        sequential_p_value: sequential.p_value,
    }
}

/// Of many comparisons some look significant by chance.
fn adjust_for_many(goals: &mut [GoalView]) {
    let effects =
        || goals.iter().flat_map(|goal| &goal.variations).filter_map(|arm| arm.effect.as_ref());
    let p_values: Vec<f64> = effects().map(|effect| effect.p_value).collect();
    let adjusted = benjamini_hochberg(&p_values);
    let effects = goals.iter_mut().flat_map(|goal| &mut goal.variations);
    let effects = effects.filter_map(|arm| arm.effect.as_mut());
    effects.zip(adjusted).for_each(|(effect, adjusted)| effect.p_value_of_many = adjusted);
}
