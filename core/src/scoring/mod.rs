//! Scores, bands and their explanation.

mod explain;
mod lanes;
mod points;
mod score;

pub use explain::{Explainer, Explanation, Unexplained, explain};
pub use points::{Points, points};
pub use score::{Band, Score, Scored, score};
