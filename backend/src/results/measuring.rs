//! Goals, variation by variation: everything that is statistics is core's.

use super::crowd::{Reached, Seen};
use super::look::{Correction, Look};
use super::view::{EffectView, GoalArmView, GoalView, TermView};
use crate::experiments::Factors;
use crate::identity::SubjectId;
use rapport_core::stats::{
    Adjusted, Compared, Comparison, Difference, EffectError, Method, Side, Statistic, Stratum,
    Sums, benjamini_hochberg, holm, t_test,
};
use std::collections::BTreeMap;

/// Main effects and interactions of so many factors are told.
const ORDER: usize = 2;

/// Some of those who count, each with the stratum that they are in.
pub type Group<'c> = Vec<(SubjectId, &'c Seen, Option<String>)>;

/// What a group did towards a goal.
pub fn measure(
    arms: &[String],
    group: &Group<'_>,
    goal: &Reached,
    factors: Option<&Factors>,
    look: &Look,
) -> GoalView {
    let mean = mean_score(group).filter(|_| look.adjusts());
    let mut strata: BTreeMap<Option<&str>, Vec<Tally>> = BTreeMap::new();
    let mut all = vec![Tally::default(); arms.len()];
    for (person, seen, stratum) in group {
        let of_stratum = strata.entry(stratum.as_deref());
        let of_stratum = of_stratum.or_insert_with(|| vec![Tally::default(); arms.len()]);
        for tally in [all.get_mut(seen.arm), of_stratum.get_mut(seen.arm)].into_iter().flatten() {
            tally.values.push(goal.value(*person));
            tally.scores.push(seen.score.or(mean).unwrap_or_default());
            tally.conversions += u64::from(goal.did(*person));
        }
    }
    let strata: Vec<Vec<Statistic>> = strata
        .values()
        .map(|tallies| {
            tallies.iter().map(|tally| tally.statistic(goal.revenue, mean.is_some())).collect()
        })
        .collect();
    let against_control = |arm: usize| -> Result<EffectView, EffectError> {
        let pair =
            |stratum: &Vec<Statistic>| Some((stratum.first()?.clone(), stratum.get(arm)?.clone()));
        compared(strata.iter().filter_map(pair).collect(), goal.less_is_better, look)
    };
    let shown = arms.iter().zip(&all).enumerate().map(|(arm, (key, tally))| {
        let total: f64 = tally.values.iter().sum();
        let effect = (arm > 0).then(|| against_control(arm));
        let (effect, no_effect) = match effect {
            None => (None, None),
            Some(Ok(effect)) => (Some(effect), None),
            Some(Err(error)) => (None, Some(error.to_string())),
        };
        GoalArmView {
            key: key.clone(),
            visitors: tally.values.len() as u64,
            conversions: tally.conversions,
            total,
            mean: total / tally.values.len().max(1) as f64,
            effect,
            no_effect,
        }
    });
    let shown = shown.collect();
    let cells: Vec<_> = all.iter().map(|tally| tally.statistic(goal.revenue, false)).collect();
    GoalView {
        key: goal.key.clone(),
        kind: if goal.revenue { "revenue" } else { "conversion" },
        less_is_better: goal.less_is_better,
        adjusted: mean.is_some(),
        variations: shown,
        terms: factors.map(|factors| terms(factors, &cells, look)).unwrap_or_default(),
    }
}

/// Of many comparisons some look significant by chance.
pub fn adjust_for_many<'v>(goals: impl Iterator<Item = &'v mut GoalView>, look: &Look) {
    let effects = goals.flat_map(|goal| &mut goal.variations);
    let mut effects: Vec<_> = effects.filter_map(|arm| arm.effect.as_mut()).collect();
    let p_values: Vec<f64> = effects.iter().map(|effect| effect.p_value).collect();
    let corrected = corrected(&p_values, look);
    effects.iter_mut().zip(corrected).for_each(|(effect, p)| effect.p_value_of_many = p);
}

fn corrected(p_values: &[f64], look: &Look) -> Vec<f64> {
    match look.correction() {
        Correction::BenjaminiHochberg => benjamini_hochberg(p_values),
        Correction::Holm => holm(p_values),
        Correction::None => p_values.to_vec(),
    }
}

/// The lead score at the exposure, on average; `None` where it tells nobody apart. Whose score is
/// unknown has it, which adjusts nothing.
fn mean_score(group: &Group<'_>) -> Option<f64> {
    let known = || group.iter().filter_map(|(_, seen, _)| seen.score);
    let mean = known().sum::<f64>() / (known().count().max(1) as f64);
    known().any(|score| (score - mean).abs() > f64::EPSILON).then_some(mean)
}

fn compared(
    strata: Vec<Stratum>,
    less_is_better: bool,
    look: &Look,
) -> Result<EffectView, EffectError> {
    let mut comparison = Comparison {
        strata,
        difference: Difference::Relative,
        post_stratify: look.strata.is_some(),
        method: Method::default(),
        alpha: look.alpha(),
    };
    let mut by = |method| {
        comparison.method = method;
        comparison.answer()
    };
    let fixed = by(Method::TTest { side: Side::Both })?;
    let sequential = by(Method::Sequential { side: Side::Both, tuned_for: look.tuned_for() })?;
    let belief = by(Method::Bayesian { prior: None, less_is_better })?;
    // These methods have their figures always.
    let p_value = |compared: &Compared| compared.p_value.unwrap_or(1.0);
    Ok(EffectView {
        lift: fixed.estimate,
        interval: fixed.interval,
        p_value: p_value(&fixed),
        p_value_of_many: p_value(&fixed),
        chance_to_win: belief.chance_to_win.unwrap_or(0.5),
        risk: belief.risk.unwrap_or_default(),
        sequential_interval: sequential.interval,
        sequential_p_value: p_value(&sequential),
    })
}

/// What each factor did, and each two together.
fn terms(factors: &Factors, cells: &[Statistic], look: &Look) -> Vec<TermView> {
    let Ok(effects) = factors.design.effects(cells, ORDER) else { return Vec::new() };
    let tested = effects.iter().map(|one| t_test(&one.effect, Side::Both, look.alpha()));
    let tested: Vec<_> = tested.collect();
    let p_values: Vec<f64> = tested.iter().map(|verdict| verdict.p_value).collect();
    let corrected = corrected(&p_values, look);
    let each = effects.iter().zip(&tested).zip(corrected);
    each.map(|((one, verdict), p_value_of_many)| TermView {
        term: one.term.to_string(),
        levels: one
            .term
            .parts()
            .iter()
            .filter_map(|&(factor, level)| {
                let factor = factors.all.get(factor)?;
                Some((factor.key.clone(), factor.levels.get(level)?.clone()))
            })
            .collect(),
        effect: one.effect.estimate,
        standard_error: one.effect.standard_error,
        interval: verdict.interval,
        p_value: verdict.p_value,
        p_value_of_many,
        aliases: one
            .aliases
            .iter()
            .map(|(plus, term)| format!("{}{term}", if *plus { "" } else { "-" }))
            .collect(),
    })
    .collect()
}

/// What the people of one variation did.
#[derive(Default, Clone)]
struct Tally {
    values: Vec<f64>,
    scores: Vec<f64>,
    conversions: u64,
}

impl Tally {
    fn statistic(&self, revenue: bool, adjusted: bool) -> Statistic {
        let after = if revenue {
            Sums::of(self.values.iter().copied())
        } else {
            Sums::proportion(self.values.len() as u64, self.conversions as f64)
        };
        if !adjusted {
            return Statistic::Mean(after);
        }
        let before = Sums::of(self.scores.iter().copied());
        let products = self.values.iter().zip(&self.scores).map(|(value, score)| value * score);
        Statistic::Adjusted(Adjusted { after, before, products: products.sum(), theta: None })
    }
}
