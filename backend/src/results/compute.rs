//! From exposures and conversions to what may be believed: everything that is statistics is core's.

use super::crowd::{Crowd, People, Reached};
use super::learning::{History, Rounds};
use super::look::{Look, levels};
use super::measuring::{Group, adjust_for_many, measure};
use super::off_policy::policies;
use super::view::{
    ArmView, BanditView, DesignView, ExcludedView, GoalView, ResultsView, SegmentView, SplitView,
};
use crate::app::App;
use crate::error::Problem;
use crate::experiments::{Bandit, Definition, Factors, authored_weights, variation_keys};
use crate::identity::{Scope, SubjectId};
use rapport_core::experiment::Design;
use rapport_core::stats::{Cause, MISMATCH, check_split};
use serde_json::Value;
use std::collections::BTreeSet;

/// So many of a bandit's weights are shown.
const MOST_HISTORY: usize = 500;

/// The results of an experiment, as far as the log is read.
///
/// # Errors
/// Where a store cannot be read.
pub fn results(
    app: &App,
    scope: Scope,
    experiment: &Definition,
    look: &Look,
) -> Result<ResultsView, Problem> {
    let arms = variation_keys(&experiment.content);
    let people = People::of(app, scope)?;
    let mut crowd = Crowd::of(app, scope, &people, experiment)?;
    crowd.count_lost(app, scope, &people, experiment)?;
    let goals = experiment.content.get("goals").and_then(Value::as_array);
    let mut reached = Vec::new();
    for key in goals.into_iter().flatten().filter_map(Value::as_str) {
        reached.extend(Reached::of(app, scope, &people, &crowd, key)?);
    }
    let factors = Factors::of(&experiment.content).and_then(Result::ok);
    let everybody = look.everybody(&crowd.seen);
    let measured = |group: &Group<'_>, factors: Option<&Factors>| -> Vec<GoalView> {
        reached.iter().map(|goal| measure(&arms, group, goal, factors, look)).collect()
    };
    let mut shown = measured(&everybody, factors.as_ref());
    adjust_for_many(shown.iter_mut(), look);
    let segments = segments(&crowd, &everybody, look, &|group| measured(group, None));
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
        segments,
        design: factors.as_ref().map(design),
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

/// Each value of the attributes that are looked at, with a comparison of its own.
fn segments(
    crowd: &Crowd,
    everybody: &Group<'_>,
    look: &Look,
    measured: &dyn Fn(&Group<'_>) -> Vec<GoalView>,
) -> Vec<SegmentView> {
    let mut segments = Vec::new();
    for attribute in look.attributes() {
        let levels = levels(attribute, &crowd.seen);
        let values: BTreeSet<&String> = levels.values().collect();
        for value in values {
            let is_in = |person: &SubjectId| levels.get(person) == Some(value);
            let group: Group<'_> =
                everybody.iter().filter(|(person, ..)| is_in(person)).cloned().collect();
            segments.push(SegmentView {
                attribute: attribute.to_owned(),
                value: value.clone(),
                visitors: group.len() as u64,
                goals: measured(&group),
            });
        }
    }
    // Whoever looks at many segments finds something: they are corrected together.
    adjust_for_many(segments.iter_mut().flat_map(|segment| &mut segment.goals), look);
    segments
}

fn design(factors: &Factors) -> DesignView {
    let letters = (0..).map(Design::letter).map(String::from);
    let keys = factors.all.iter().map(|factor| factor.key.clone());
    DesignView {
        factors: letters.zip(keys).collect(),
        runs: factors.design.runs().len() as u64,
        resolution: factors.design.resolution(),
        aliasing: factors.design.aliasing(2),
    }
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
