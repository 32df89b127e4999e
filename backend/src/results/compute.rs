//! From exposures and conversions to what may be believed: everything that is statistics is core's.

use super::reading::landing_key;
use super::store::{Conversion, Exposure};
use super::view::{
    ArmView, EffectView, ExcludedView, GoalArmView, GoalView, ResultsView, SplitView,
};
use crate::app::App;
use crate::clock::Millis;
use crate::error::{Problem, StoreError};
use crate::experiments::{Definition, Kind, variation_keys};
use crate::identity::{Scope, SubjectId};
use crate::profiles::Who;
use rapport_core::stats::{
    Adjusted, Arrivals, Cause, Difference, Effect, MISMATCH, Scale, Sequence, Side, Statistic,
    Sums, believe, benjamini_hochberg, check_split, compare, t_test,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The share of experiments without effect that may be called significant.
const ALPHA: f64 = 0.05;
const DAY: f64 = 86_400_000.0;

/// A person who saw exactly one variation.
#[derive(Debug)]
struct Seen {
    arm: usize,
    at: Millis,
    /// The lead score then; unknown where there was no profile.
    score: Option<f64>,
}

/// The results of an experiment, as far as the log is read.
///
/// # Errors
/// Where a store cannot be read.
pub fn results(app: &App, scope: Scope, experiment: &Definition) -> Result<ResultsView, Problem> {
    let arms = variation_keys(&experiment.content);
    let people = People::of(app, scope)?;
    let mut crowd = Crowd::of(&people, &arms, app.results.exposures(scope, &experiment.key)?)?;
    crowd.lost = lost(app, scope, &people, experiment, &arms, &crowd)?;
    for (person, seen) in &mut crowd.seen {
        seen.score = score(app, scope, *person, seen.at)?;
    }
    let goals = experiment.content.get("goals").and_then(Value::as_array);
    let goals = goals.into_iter().flatten().filter_map(Value::as_str);
    let mut shown = Vec::new();
    for key in goals {
        let revisions = app.records.revisions(scope, Kind::Goal, key)?;
        let Some(goal) = revisions.into_iter().next() else { continue };
        let done = app.results.conversions(scope, key)?;
        shown.push(measure(&people, &arms, &crowd, &goal, done)?);
    }
    adjust_for_many(&mut shown);
    let (position, end) = (app.results.reading(scope)?, app.log.end(scope)?);
    let position = position.map_or(0, |(position, _)| position.0);
    let weights = weights(experiment, arms.len());
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
            .zip(&crowd.lost)
            .zip(&weights)
            .map(|(((key, arrivals), lost), weight)| ArmView {
                key: key.clone(),
                weight: *weight,
                visitors: arrivals.visitors,
                bots: arrivals.bots,
                duplicates: arrivals.duplicates,
                lost: *lost,
            })
            .collect(),
        goals: shown,
        behind: end.0.saturating_sub(position).try_into().unwrap_or_default(),
    })
}

/// Who is who, and who works here.
struct People<'a> {
    who: Who<'a>,
    staff: BTreeSet<SubjectId>,
}

impl<'a> People<'a> {
    fn of(app: &'a App, scope: Scope) -> Result<Self, StoreError> {
        let who = Who::stored(app, scope);
        let mut staff = BTreeSet::new();
        for subject in app.results.staff(scope)? {
            staff.extend([subject, who.person(subject)?]);
        }
        Ok(Self { who, staff })
    }

    /// Who a subject is; `None` for whoever works here.
    fn person(&self, subject: SubjectId) -> Result<Option<SubjectId>, StoreError> {
        let person = self.who.person(subject)?;
        Ok((!self.staff.contains(&subject) && !self.staff.contains(&person)).then_some(person))
    }
}

/// Whom an experiment was shown to.
struct Crowd {
    seen: BTreeMap<SubjectId, Seen>,
    /// Everybody with an exposure, also those who do not count.
    known: BTreeSet<SubjectId>,
    arrivals: Vec<Arrivals>,
    lost: Vec<u64>,
    staff: u64,
    duplicates: u64,
    unknown: u64,
}

impl Crowd {
    fn of(
        people: &People<'_>,
        arms: &[String],
        exposures: Vec<Exposure>,
    ) -> Result<Self, StoreError> {
        let mut of_person: BTreeMap<SubjectId, (BTreeMap<usize, Millis>, bool)> = BTreeMap::new();
        let (mut staff, mut unknown) = (BTreeSet::new(), 0);
        for exposure in exposures {
            let Some(person) = people.person(exposure.subject)? else {
                staff.insert(people.who.person(exposure.subject)?);
                continue;
            };
            let Some(arm) = arms.iter().position(|arm| *arm == exposure.variation) else {
                unknown += 1;
                continue;
            };
            let (seen, bot) = of_person.entry(person).or_default();
            let first = seen.entry(arm).or_insert(exposure.at);
            *first = exposure.at.min(*first);
            *bot |= exposure.bot;
        }
        let mut crowd = Self {
            seen: BTreeMap::new(),
            known: of_person.keys().copied().collect(),
            arrivals: vec![Arrivals::default(); arms.len()],
            lost: vec![0; arms.len()],
            staff: staff.len() as u64,
            duplicates: 0,
            unknown,
        };
        for (person, (seen, bot)) in of_person {
            let several = seen.len() > 1;
            for arm in seen.keys() {
                let Some(arrivals) = crowd.arrivals.get_mut(*arm) else { continue };
                arrivals.visitors += 1;
                arrivals.bots += u64::from(bot);
                arrivals.duplicates += u64::from(several);
            }
            crowd.duplicates += u64::from(several);
            if let (false, false, Some((arm, at))) = (several, bot, seen.first_key_value()) {
                crowd.seen.insert(person, Seen { arm: *arm, at: *at, score: None });
            }
        }
        Ok(crowd)
    }
}

/// Who came where a variation's redirect leads while it was tested, and of whom no exposure came.
fn lost(
    app: &App,
    scope: Scope,
    people: &People<'_>,
    experiment: &Definition,
    arms: &[String],
    crowd: &Crowd,
) -> Result<Vec<u64>, StoreError> {
    let Some(start) = crowd.seen.values().map(|seen| seen.at).min() else {
        return Ok(vec![0; arms.len()]);
    };
    let of_arm = |arm: &String| {
        let mut lost = BTreeSet::new();
        for landed in app.results.conversions(scope, &landing_key(&experiment.key, arm))? {
            if landed.at < start {
                continue;
            }
            let person = people.person(landed.subject)?;
            lost.extend(person.filter(|person| !crowd.known.contains(person)));
        }
        Ok(lost.len() as u64)
    };
    arms.iter().map(of_arm).collect()
}

/// The lead score that somebody had at a time, before anything could come of it.
fn score(
    app: &App,
    scope: Scope,
    person: SubjectId,
    at: Millis,
) -> Result<Option<f64>, StoreError> {
    let Some(profile) = app.profiles.profile(scope, person)? else { return Ok(None) };
    let points = profile.trail.points();
    let before = points.partition_point(|(time, _)| *time <= at);
    Ok(before.checked_sub(1).and_then(|last| points.get(last)).map(|(_, score)| f64::from(*score)))
}

/// How visitors should split.
fn weights(experiment: &Definition, arms: usize) -> Vec<f64> {
    let numbers = experiment.content.get("weights").and_then(Value::as_array);
    let weights: Vec<f64> = numbers.into_iter().flatten().filter_map(Value::as_f64).collect();
    let ranges = experiment.content.get("ranges").and_then(Value::as_array);
    let ranges: Vec<f64> = ranges
        .into_iter()
        .flatten()
        .filter_map(|range| Some(range.get(1)?.as_f64()? - range.get(0)?.as_f64()?))
        .collect();
    let authored = [ranges, weights].into_iter().find(|authored| authored.len() == arms);
    let shares = authored.unwrap_or_else(|| vec![1.0; arms]);
    let sum: f64 = shares.iter().sum();
    shares.into_iter().map(|share| share / sum).collect()
}

fn split(crowd: &Crowd, weights: &[f64]) -> Option<SplitView> {
    let arrivals: Vec<_> = crowd
        .arrivals
        .iter()
        .zip(&crowd.lost)
        .map(|(arrivals, lost)| Arrivals { lost: *lost, ..*arrivals })
        .collect();
    let split = check_split(&arrivals, weights).ok()?;
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

fn measure(
    people: &People<'_>,
    arms: &[String],
    crowd: &Crowd,
    goal: &Definition,
    done: Vec<Conversion>,
) -> Result<GoalView, StoreError> {
    let revenue = goal.content.contains_key("value");
    let less_is_better = goal.content.get("lessIsBetter").and_then(Value::as_bool) == Some(true);
    let window = goal.content.get("windowDays").and_then(Value::as_f64).map(|days| days * DAY);
    let mut of_person: BTreeMap<SubjectId, (f64, bool)> = BTreeMap::new();
    for Conversion { subject, at, value, .. } in done {
        let Some(person) = people.person(subject)? else { continue };
        let Some(seen) = crowd.seen.get(&person) else { continue };
        let since = (at - seen.at) as f64;
        if since >= 0.0 && window.is_none_or(|window| since <= window) {
            let sum = of_person.entry(person).or_default();
            *sum = (sum.0 + value, true);
        }
    }
    let mut tallies = vec![Tally::default(); arms.len()];
    for (person, seen) in &crowd.seen {
        let Some(tally) = tallies.get_mut(seen.arm) else { continue };
        let (value, converted) = of_person.get(person).copied().unwrap_or_default();
        tally.values.push(if revenue { value } else { f64::from(u8::from(converted)) });
        tally.scores.push(seen.score);
        tally.conversions += u64::from(converted);
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
    Ok(GoalView {
        key: goal.key.clone(),
        kind: if revenue { "revenue" } else { "conversion" },
        less_is_better,
        adjusted: matches!(statistics.first(), Some(Statistic::Adjusted(_))),
        variations: shown,
    })
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
