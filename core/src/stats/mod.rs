//! Statistics of experiments: from sums over visitors to what may be believed.
//!
//! Sums ([`Sums`], [`Statistic`]) → the difference of two variations ([`compare`],
//! [`compare_strata`]) → what is made of it: a test with a fixed end ([`t_test`]), one that may be
//! looked at any time ([`Sequence`]), a belief ([`believe`]). Figures agree with gbstats 0.8.0, the
//! engine of GrowthBook, to nine digits: `conformance/suites/gbstats/`.

mod adjustment;
mod bayesian;
mod effect;
mod frequentist;
mod mismatch;
mod multiple;
mod power;
mod quantile;
mod sequential;
mod special;
mod statistic;
mod strata;
mod sums;
#[cfg(feature = "wire")]
mod wire;

pub use bayesian::{Belief, Prior, Scale, believe};
pub use effect::{Difference, Effect, EffectError, compare, moments};
pub use frequentist::{Side, Verdict, t_test, two_proportions};
pub use mismatch::{Arrivals, Cause, MISMATCH, Split, SplitError, check_split};
pub use multiple::{benjamini_hochberg, holm};
pub use power::Plan;
pub use quantile::{Clusters, Quantile};
pub use sequential::Sequence;
pub use special::{
    chi_squared_above, normal_above, normal_below, normal_density, normal_quantile, t_above,
    t_quantile,
};
pub use statistic::{Adjusted, AdjustedRatio, Ratio, Statistic};
pub use strata::{Stratum, compare_strata, pooled, stratified};
pub use sums::{Kind, Sums};
#[cfg(feature = "wire")]
pub use wire::{Compared, Comparison, Method};
