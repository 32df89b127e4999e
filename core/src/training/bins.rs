//! Values as small codes: what histograms count and cuts are taken from.

use super::table::{Column, MISSING_LEVEL, Monotone, Table, Values};
use crate::model::SignalKind;

/// A table in codes of one byte, row after row.
#[derive(Debug, Clone)]
pub struct Binned {
    pub features: Vec<Feature>,
    codes: Vec<u8>,
    pub rows: usize,
}

/// How the values of a column became codes. Code 0 is "missing" in both kinds.
#[derive(Debug, Clone)]
pub struct Feature {
    /// One past the highest code.
    pub codes: usize,
    pub kind: FeatureKind,
    pub monotone: Monotone,
}

#[derive(Debug, Clone)]
pub enum FeatureKind {
    /// Code `k ≥ 1` holds values above `cuts[k − 2]` and at most `cuts[k − 1]`.
    Ordered { cuts: Vec<f32> },
    /// Code `k ≥ 1` is the level `levels[k − 1]`; one code further stands for rare and unseen levels.
    Levels { levels: Vec<u32> },
}

/// Cuts of ordered columns, and from how many rows on a level has a code of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BinSettings {
    /// At most 254.
    pub max_cuts: usize,
    pub rare_below: usize,
}

impl Binned {
    /// Cuts every column of `table` and codes its rows.
    #[must_use]
    pub fn new(table: &Table, settings: BinSettings) -> Binned {
        let width = table.columns.len();
        let mut codes = vec![0; table.rows * width];
        let mut features = Vec::with_capacity(width);
        for (place, column) in table.columns.iter().enumerate() {
            let feature = Feature::of(column, settings);
            match (&feature.kind, &column.values) {
                (FeatureKind::Ordered { cuts }, Values::Number(values)) => {
                    for (row, &value) in values.iter().enumerate() {
                        codes[row * width + place] = ordered_code(cuts, value);
                    }
                }
                (FeatureKind::Levels { levels }, Values::Level(values)) => {
                    let of_level = level_codes(levels, values);
                    for (row, &level) in values.iter().enumerate() {
                        codes[row * width + place] = match level {
                            MISSING_LEVEL => 0,
                            level => of_level
                                .get(level as usize)
                                .copied()
                                .unwrap_or(byte(levels.len() + 1)),
                        };
                    }
                }
                _ => {}
            }
            features.push(feature);
        }
        Binned { features, codes, rows: table.rows }
    }

    /// The codes of a row, one a feature.
    #[must_use]
    pub fn row(&self, row: u32) -> &[u8] {
        let width = self.features.len();
        &self.codes[row as usize * width..][..width]
    }

    /// The code of one feature of a row.
    #[must_use]
    pub fn code(&self, row: u32, feature: usize) -> u8 {
        self.codes[row as usize * self.features.len() + feature]
    }
}

impl Feature {
    fn of(column: &Column, settings: BinSettings) -> Feature {
        match (&column.signal.kind, &column.values) {
            (SignalKind::Category { levels }, Values::Level(values)) => {
                let levels = frequent_levels(levels.len(), values, settings.rare_below);
                Feature {
                    codes: levels.len() + 2,
                    kind: FeatureKind::Levels { levels },
                    monotone: Monotone::Free,
                }
            }
            (_, Values::Number(values)) => {
                let cuts = cuts_of(values, settings.max_cuts.min(254));
                Feature {
                    codes: cuts.len() + 2,
                    kind: FeatureKind::Ordered { cuts },
                    monotone: column.monotone,
                }
            }
            (_, Values::Level(_)) => Feature {
                codes: 1,
                kind: FeatureKind::Ordered { cuts: Vec::new() },
                monotone: Monotone::Free,
            },
        }
    }
}

fn ordered_code(cuts: &[f32], value: f32) -> u8 {
    if value.is_nan() { 0 } else { byte(1 + cuts.partition_point(|&cut| cut < value)) }
}

/// Codes are below 256 by construction.
fn byte(code: usize) -> u8 {
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// Cuts that part `values` into groups of about equal size, never inside a run of equal values.
fn cuts_of(values: &[f32], max_cuts: usize) -> Vec<f32> {
    let mut sorted: Vec<f32> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    let mut runs: Vec<(f32, usize)> = Vec::new();
    for value in sorted {
        match runs.last_mut() {
            Some((last, count)) if *last == value => *count += 1,
            _ => runs.push((value, 1)),
        }
    }
    if runs.len() <= max_cuts + 1 {
        return runs.windows(2).map(|pair| between(pair[0].0, pair[1].0)).collect();
    }
    // Runs at least as long as an equal share get a group of their own; the rest share what is left.
    let mut left: usize = runs.iter().map(|run| run.1).sum();
    let mut groups = max_cuts + 1;
    let mut cuts = Vec::with_capacity(max_cuts);
    let mut held = 0;
    for (place, pair) in runs.windows(2).enumerate() {
        let (value, count) = pair[0];
        let next = runs.get(place + 1).map_or(0, |run| run.1);
        held += count;
        left -= count;
        let share = (left + held) / groups.max(1);
        if groups > 1
            && (held >= share.max(1) || (held + next > share + share / 2 && next >= share))
        {
            cuts.push(between(value, pair[1].0));
            groups -= 1;
            held = 0;
        }
    }
    cuts.truncate(max_cuts);
    cuts
}

/// A number from `low` on and below `high`: their middle where `f32` has one, else `low`.
fn between(low: f32, high: f32) -> f32 {
    let middle = ((f64::from(low) + f64::from(high)) / 2.0) as f32;
    if middle >= low && middle < high { middle } else { low }
}

/// Levels with enough rows, most frequent first (ties by index), as many as codes allow.
fn frequent_levels(levels: usize, values: &[u32], rare_below: usize) -> Vec<u32> {
    let mut counts: Vec<(usize, u32)> = (0..).take(levels).map(|level| (0, level)).collect();
    for &level in values {
        if let Some(slot) = counts.get_mut(level as usize) {
            slot.0 += 1;
        }
    }
    counts.retain(|&(count, _)| count >= rare_below.max(1));
    counts.sort_unstable_by_key(|&(count, level)| (core::cmp::Reverse(count), level));
    counts.truncate(254);
    counts.into_iter().map(|(_, level)| level).collect()
}

/// Code of every level index that occurs; rare ones share the last code.
fn level_codes(levels: &[u32], values: &[u32]) -> Vec<u8> {
    let top = values
        .iter()
        .filter(|&&level| level != MISSING_LEVEL)
        .max()
        .map_or(0, |&level| level as usize + 1);
    let mut codes = vec![byte(levels.len() + 1); top];
    for (place, &level) in levels.iter().enumerate() {
        if let Some(slot) = codes.get_mut(level as usize) {
            *slot = byte(place + 1);
        }
    }
    codes
}
