//! Columns that may only be known once the outcome is: found in the data alone, names do not count.
//!
//! Three signs are looked for, each so strong that honest columns hardly ever show it: a column that
//! tells the outcome almost alone, a column that is filled (or not at its usual value) for one class
//! only, and a column without which everything else together falls far behind.

use super::bins::{BinSettings, Binned};
use super::boost::Boosting;
use super::folds;
use super::metrics::auc;
use super::presets::wary;
use super::random::Random;
use super::table::{Table, Values};
use super::work::{Job, Workers};

/// A column that a model had better not see, and why.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
pub struct Leak {
    pub column: String,
    pub evidence: Evidence,
}

/// What gave a column away.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
#[cfg_attr(feature = "wire", serde(tag = "sign", rename_all = "snake_case"))]
pub enum Evidence {
    /// It ranks rows it has not seen this well by itself.
    TellsAlone { auc: f64 },
    /// The rows where it is filled, or away from its most common value, or empty, are of one class.
    OneClass { rows: usize, when: When, positive: bool, share: f64 },
    /// All columns together rank this well with it and without it.
    Carries { auc_with: f64, auc_without: f64 },
}

/// The rows of a column that [`Evidence::OneClass`] speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "wire", derive(serde::Serialize))]
#[cfg_attr(feature = "wire", serde(rename_all = "snake_case"))]
pub enum When {
    Filled,
    Unusual,
    Empty,
}

impl core::fmt::Display for Leak {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "“{}” ", self.column)?;
        match self.evidence {
            Evidence::TellsAlone { auc } => {
                write!(f, "tells the outcome almost alone (AUC {auc:.3})")
            }
            Evidence::OneClass { rows, when, positive, share } => {
                let when = match when {
                    When::Filled => "filled",
                    When::Unusual => "away from its most common value",
                    When::Empty => "empty",
                };
                let class = if positive { "successes" } else { "failures" };
                write!(f, "is {when} in {rows} rows, {:.1} % of them {class}", share * 100.0)
            }
            Evidence::Carries { auc_with, auc_without } => write!(
                f,
                "carries the model: AUC {auc_with:.3} with it, {auc_without:.3} from all other columns"
            ),
        }
    }
}

/// Columns that look known only afterwards, the plainest first.
#[must_use]
pub fn leaks(table: &Table, labels: &[bool], workers: &dyn Workers) -> Vec<Leak> {
    let rows: Vec<u32> = (0..table.rows as u32).collect();
    let sampled = Random::new(1).sample(&rows, MOST_ROWS);
    let (table, labels) = if sampled.len() < rows.len() {
        (
            &table.select(&sampled),
            &sampled.iter().map(|&row| labels[row as usize]).collect::<Vec<_>>()[..],
        )
    } else {
        (table, labels)
    };
    let fold = folds::stratified(labels, FOLDS, 1);
    let binned = Binned::new(table, BinSettings { max_cuts: 30, rare_below: 3 });
    let alone: Vec<f64> =
        (0..table.columns.len()).map(|place| auc_alone(&binned, place, labels, &fold)).collect();
    let mut found = Vec::new();
    let mut left: Vec<usize> = Vec::new();
    for (place, column) in table.columns.iter().enumerate() {
        let evidence = if alone[place] >= ALONE {
            Some(Evidence::TellsAlone { auc: alone[place] })
        } else {
            one_class(&binned, place, labels)
        };
        match evidence {
            Some(evidence) => {
                found.push((alone[place], Leak { column: column.signal.name.clone(), evidence }))
            }
            None => left.push(place),
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut found: Vec<Leak> = found.into_iter().map(|found| found.1).collect();
    // What is left is judged without the columns that gave themselves away.
    while let Some((place, evidence)) = carrier(table, labels, &fold, &left, &alone, workers) {
        found.push(Leak { column: table.columns[place].signal.name.clone(), evidence });
        left.retain(|&other| other != place);
    }
    found
}

/// Places of columns of whole numbers that differ in every row and either rise or fall row by row
/// or lie close together: counters and record numbers.
#[must_use]
pub fn identifiers(table: &Table) -> Vec<usize> {
    let is_identifier = |values: &Values| {
        let Values::Number(values) = values else { return false };
        if values.len() < 50 || values.iter().any(|value| value.fract() != 0.0) {
            return false;
        }
        let rises = values.windows(2).all(|pair| pair[0] < pair[1]);
        let falls = values.windows(2).all(|pair| pair[0] > pair[1]);
        let mut sorted = values.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        // Beyond 2^24, f32 no longer tells neighbours apart: a few equal ones are no objection.
        let different = 1 + sorted.windows(2).filter(|pair| pair[0] < pair[1]).count();
        let span = sorted.last().zip(sorted.first()).map_or(0.0, |(last, first)| last - first);
        different == values.len()
            && (rises || falls || f64::from(span) < 20.0 * values.len() as f64)
    };
    let columns = table.columns.iter().enumerate();
    columns.filter(|(_, column)| is_identifier(&column.values)).map(|(place, _)| place).collect()
}

const FOLDS: usize = 4;
/// Rows that are enough to judge.
const MOST_ROWS: usize = 40_000;
/// Honest columns rank outcomes with an AUC of 0.85 at most, where one was seen at all.
const ALONE: f64 = 0.9;
/// Losing an honest column costs 0.06 AUC at most, where all together rank as well as [`ALONE`].
const CARRIES: f64 = 0.1;
/// Share of one class among rows that are said to be of that class only.
const PURE: f64 = 0.98;

/// How well a column ranks rows by the share of positives that its values have in other folds.
fn auc_alone(binned: &Binned, place: usize, labels: &[bool], fold: &[usize]) -> f64 {
    let codes = binned.features[place].codes;
    let mut counts = vec![[[0.0_f64; 2]; FOLDS]; codes];
    for row in 0..labels.len() {
        counts[binned.code(row as u32, place) as usize][fold[row]][usize::from(labels[row])] += 1.0;
    }
    let share = labels.iter().filter(|label| **label).count() as f64 / labels.len().max(1) as f64;
    let shares: Vec<[f64; FOLDS]> = counts
        .iter()
        .map(|folds| {
            core::array::from_fn(|judge| {
                let others = folds.iter().enumerate().filter(|(fold, _)| *fold != judge);
                let (negatives, positives) =
                    others.fold((0.0, 0.0), |sum, (_, count)| (sum.0 + count[0], sum.1 + count[1]));
                (positives + 5.0 * share) / (negatives + positives + 5.0)
            })
        })
        .collect();
    let score = |row: usize| shares[binned.code(row as u32, place) as usize][fold[row]];
    auc(labels, &(0..labels.len()).map(score).collect::<Vec<f64>>())
}

/// Whether the rows where a column is filled, unusual or empty are of one class, many enough to be
/// no accident, and a good part of that class.
fn one_class(binned: &Binned, place: usize, labels: &[bool]) -> Option<Evidence> {
    let codes = binned.features[place].codes;
    let mut counts = vec![[0_usize; 2]; codes];
    for (row, &label) in (0_u32..).zip(labels) {
        counts[binned.code(row, place) as usize][usize::from(label)] += 1;
    }
    let all = counts.iter().fold([0, 0], |sum, count| [sum[0] + count[0], sum[1] + count[1]]);
    let usual = (1..codes).max_by_key(|&code| counts[code][0] + counts[code][1])?;
    let rest =
        |but: [usize; 2], too: [usize; 2]| [all[0] - but[0] - too[0], all[1] - but[1] - too[1]];
    let candidates = [
        (When::Filled, rest(counts[0], [0, 0])),
        (When::Unusual, rest(counts[0], counts[usual])),
        (When::Empty, counts[0]),
    ];
    let judge = |&(when, group): &(When, [usize; 2])| {
        let rows = group[0] + group[1];
        let positive = group[1] > group[0];
        let class = usize::from(positive);
        let share = group[class] as f64 / rows.max(1) as f64;
        let usual_share = all[class] as f64 / labels.len() as f64;
        // The chance that as many rows drawn blindly were all of this class.
        let luck = rows as f64 * libm::log(usual_share);
        let telling =
            rows >= 20 && luck < -25.0 && group[class] * 5 >= all[class] && rows < labels.len();
        (share >= PURE && telling).then_some(Evidence::OneClass { rows, when, positive, share })
    };
    candidates.iter().find_map(judge)
}

/// The column whose loss costs the others most, where it costs too much to be honest.
fn carrier(
    table: &Table,
    labels: &[bool],
    fold: &[usize],
    left: &[usize],
    alone: &[f64],
    workers: &dyn Workers,
) -> Option<(usize, Evidence)> {
    let suspect = *left.iter().max_by(|&&a, &&b| alone[a].total_cmp(&alone[b]))?;
    if alone[suspect] < 0.5 + CARRIES || left.len() < 2 {
        return None;
    }
    let without: Vec<usize> = left.iter().copied().filter(|&place| place != suspect).collect();
    let auc_with = auc_together(table, labels, fold, left, workers);
    let auc_without = auc_together(table, labels, fold, &without, workers);
    (auc_with >= ALONE && auc_with - auc_without >= CARRIES)
        .then_some((suspect, Evidence::Carries { auc_with, auc_without }))
}

/// How well a quick model of some columns ranks rows that it has not seen.
fn auc_together(
    table: &Table,
    labels: &[bool],
    fold: &[usize],
    places: &[usize],
    workers: &dyn Workers,
) -> f64 {
    let columns = places.iter().map(|&place| table.columns[place].clone()).collect();
    let table = Table { columns, rows: table.rows };
    let binned = Binned::new(&table, BinSettings { max_cuts: 60, rare_below: 3 });
    let mut way = wary(table.rows);
    way.learning_rate = 0.15;
    way.shape.feature_share = 1.0;
    let splits: Vec<_> = (0..FOLDS).map(|judge| folds::split(fold, judge)).collect();
    let mut judged: Vec<Vec<f64>> = vec![Vec::new(); FOLDS];
    let jobs = judged.iter_mut().zip(&splits).map(|(margins, (learns, held))| -> Job {
        let binned = &binned;
        Box::new(move || {
            let mut boosting = Boosting::new(binned, labels, learns, way, 1);
            (0..40).for_each(|_| boosting.round());
            *margins = held.iter().map(|&row| boosting.margins[row as usize]).collect();
        })
    });
    workers.run(jobs.collect());
    let mut margins = vec![0.0; table.rows];
    for ((_, held), judged) in splits.iter().zip(&judged) {
        held.iter().zip(judged).for_each(|(&row, &margin)| margins[row as usize] = margin);
    }
    auc(labels, &margins)
}
