//! How results are looked at: what the address asks for.

use super::crowd::Seen;
use super::measuring::Group;
use crate::error::Problem;
use crate::experiments::SCORE;
use crate::identity::SubjectId;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// How results are looked at.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Look {
    /// Attributes, parted by commas, by whose values people are told apart: `$device`, `$source`, `$band`,
    /// `$score`, and what the experiment's `segments` name.
    pub segment: Option<String>,
    /// The attribute whose values are compared on their own and put together by their size
    /// (post-stratification).
    pub strata: Option<String>,
    /// Whether effects are adjusted by the lead score at the exposure (CUPED); they are where it is left out.
    pub cuped: Option<bool>,
    pub correction: Option<Correction>,
    /// One minus how often an interval holds the truth; 0.05 where it is left out.
    pub alpha: Option<f64>,
    /// At how many visitors sequential intervals are at their tightest; 5000 where it is left out.
    pub tuned_for: Option<f64>,
}

/// How p-values of many comparisons are corrected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Correction {
    /// Of what is called significant, at most alpha is wrong.
    #[default]
    BenjaminiHochberg,
    /// That anything is wrongly called significant has at most the chance alpha.
    Holm,
    None,
}

/// A segment has results of its own if it is among so many largest ones.
const MOST_SEGMENTS: usize = 12;
/// People who are in none of these.
const OTHERS: &str = "other";
const UNKNOWN: &str = "unknown";
const MOST_ATTRIBUTES: usize = 5;

impl Look {
    /// Refuses what nobody can look by.
    ///
    /// # Errors
    /// [`Problem::Malformed`] says what is wrong.
    pub fn check(&self) -> Result<(), Problem> {
        let wrong = |what: &str| Err(Problem::Malformed(what.to_owned()));
        if !(0.0001..=0.5).contains(&self.alpha()) {
            return wrong("`alpha` is 0.0001 to 0.5");
        }
        if !(self.tuned_for() >= 1.0 && self.tuned_for() <= 1e12) {
            return wrong("`tunedFor` is a number of visitors, 1 or more");
        }
        if self.attributes().count() > MOST_ATTRIBUTES {
            return wrong("`segment` names at most 5 attributes");
        }
        Ok(())
    }

    pub fn alpha(&self) -> f64 {
        self.alpha.unwrap_or(0.05)
    }

    pub fn tuned_for(&self) -> f64 {
        self.tuned_for.unwrap_or(5000.0)
    }

    pub fn adjusts(&self) -> bool {
        self.cuped.unwrap_or(true)
    }

    pub fn correction(&self) -> Correction {
        self.correction.unwrap_or_default()
    }

    /// The attributes to tell segments apart by.
    pub fn attributes(&self) -> impl Iterator<Item = &str> {
        let named = self.segment.as_deref().unwrap_or_default().split(',');
        named.map(str::trim).filter(|name| !name.is_empty())
    }

    /// Everybody, in their strata.
    pub fn everybody<'c>(&self, seen: &'c BTreeMap<SubjectId, Seen>) -> Group<'c> {
        let strata = self.strata.as_deref().map(|name| levels(name, seen));
        let stratum = |person| strata.as_ref().and_then(|strata| strata.get(person).cloned());
        seen.iter().map(|(person, seen)| (*person, seen, stratum(person))).collect()
    }
}

/// Everybody's value of an attribute, in words; of many the rarer ones together, of many numbers their
/// thirds.
pub fn levels(name: &str, seen: &BTreeMap<SubjectId, Seen>) -> BTreeMap<SubjectId, String> {
    let value = |seen: &Seen| match name {
        SCORE => seen.score.map(Value::from),
        "$band" => seen.band.map(Value::from),
        _ => seen.context.get(name).cloned(),
    };
    let values: Vec<Option<Value>> = seen.values().map(value).collect();
    let mut numbers: Vec<f64> = values.iter().flatten().filter_map(Value::as_f64).collect();
    numbers.sort_by(f64::total_cmp);
    let mut distinct = numbers.clone();
    distinct.dedup();
    let third = |part: usize| numbers.get(numbers.len() * part / 3).copied().unwrap_or_default();
    let (low, high) = (third(1), third(2));
    let word = |value: &Option<Value>| match value {
        None | Some(Value::Null) => UNKNOWN.to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => match value.as_f64().filter(|_| distinct.len() > MOST_SEGMENTS) {
            Some(number) if number < low => format!("below {low}"),
            Some(number) if number < high => format!("{low} to {high}"),
            Some(_) => format!("{high} and more"),
            None => value.to_string(),
        },
    };
    let words: Vec<String> = values.iter().map(word).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    words.iter().for_each(|word| *counts.entry(word).or_default() += 1);
    let mut largest: Vec<(&str, usize)> = counts.into_iter().collect();
    largest.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let largest: Vec<&str> = largest.iter().take(MOST_SEGMENTS).map(|(word, _)| *word).collect();
    let shown = |word: &String| {
        if largest.contains(&word.as_str()) { word.clone() } else { OTHERS.to_owned() }
    };
    seen.keys().copied().zip(words.iter().map(shown)).collect()
}
