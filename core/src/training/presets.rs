//! Ways to boost that suit different tables. Which one a table gets is decided by cross-validation.

use super::boost::{BoostSettings, LevelOrder};
use super::grow::Shape;
use super::split::Penalties;

/// The ways that are tried, given how many rows there are.
#[must_use]
pub fn presets(rows: usize) -> Vec<BoostSettings> {
    let learning_rate = if rows < 60_000 { 0.03 } else { 0.06 };
    let wary = BoostSettings {
        learning_rate,
        shape: Shape {
            max_depth: 4,
            max_leaves: 16,
            feature_share: 0.2,
            chance: 0.0,
            symmetric: false,
        },
        penalties: Penalties {
            l2: 5.0,
            l1: 0.0,
            category_l2: 0.0,
            category_smoothing: 1.0,
            min_hessian: 0.1,
            category_min_hessian: 0.1,
        },
        row_share: 0.7,
        feature_share: 1.0,
        level_order: LevelOrder::PerNode,
    };
    let bold = BoostSettings {
        shape: Shape { max_depth: 5, max_leaves: 32, feature_share: 0.6, ..wary.shape },
        penalties: Penalties {
            l2: 1.0,
            category_l2: 5.0,
            category_smoothing: 5.0,
            min_hessian: 1.0,
            category_min_hessian: 2.0,
            ..wary.penalties
        },
        ..wary
    };
    vec![wary, bold]
}
