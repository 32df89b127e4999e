//! Ways to boost that suit different tables. Which of them a table gets, cross-validation decides.

use super::boost::{BoostSettings, LevelOrder};
use super::grow::Shape;
use super::split::Penalties;

/// Many columns that each say a little: small trees, each node looking at few of them.
#[must_use]
pub fn wary(rows: usize) -> BoostSettings {
    BoostSettings {
        // The mean of several boostings forgives fast learning, which a single one would not.
        learning_rate: 0.1,
        shape: Shape { max_depth: 4, max_leaves: 16, feature_share: 0.2 },
        penalties: Penalties {
            l2: 5.0,
            l1: 0.0,
            category_l2: 0.0,
            category_smoothing: 1.0,
            min_hessian: 0.0,
            category_min_hessian: 0.0,
        },
        // Beyond some ten thousand rows, a tree learns no more from further ones.
        row_share: (50_000.0 / rows.max(1) as f64).min(0.7),
        feature_share: 1.0,
        level_order: LevelOrder::PerNode,
    }
}

/// The ways that are tried, given how many rows there are; an earlier one is taken unless a later
/// one does better beyond chance.
#[must_use]
pub fn presets(rows: usize) -> Vec<BoostSettings> {
    let wary = wary(rows);
    // A few columns that say most: they are looked at often, and never cut too fine, least of all
    // among the rows that stand out.
    let open = BoostSettings {
        shape: Shape { max_depth: 5, max_leaves: 32, feature_share: 0.5 },
        penalties: Penalties { min_hessian: 20.0, category_min_hessian: 30.0, ..wary.penalties },
        ..wary
    };
    // Columns that only speak together: larger trees over all of them, held back by their penalties.
    let joint = BoostSettings {
        shape: Shape { max_depth: 5, max_leaves: 32, feature_share: 1.0 },
        penalties: Penalties {
            l2: 1.0,
            category_l2: 5.0,
            min_hessian: 1.0,
            category_min_hessian: 2.0,
            ..wary.penalties
        },
        ..wary
    };
    vec![open, wary, joint]
}

/// How the boosting at place `at` among those of one model orders levels: in turn, since the two
/// orders err in different places.
#[must_use]
pub fn level_order(at: usize) -> LevelOrder {
    if at.is_multiple_of(2) { LevelOrder::PerNode } else { LevelOrder::Fixed { prior_rows: 10.0 } }
}
