//! Bandits: which arm is shown how often, while it is learnt which is best, and what another policy
//! would have earned.
//!
//! Everything returns weights that sum to 1: they are what visitors are bucketed by, and the
//! propensities that exposures log. [`value_of`] reads such logs.

mod grid;
mod leaves;
mod linear;
mod random;
mod thompson;
mod value;
mod weights;

pub use grid::Linear;
pub use leaves::{Column, Earned, Growth, GrowthError, Leaf, Test, contexts};
pub use linear::{Fitted, LinearPolicy, Ridge, linear_weights};
pub use random::Draws;
pub use thompson::{Posterior, Sampled, Thompson};
pub use value::{Estimator, LogError, Logged, PolicyValue, value_of};
pub use weights::{
    Choice, best, choose, epsilon_greedy, equal, inverse_gap, softmax, ucb1, with_floor,
};
