//! Scores, bands and their explanation.

mod brought;
mod explain;
mod lanes;
mod points;
mod score;

pub use brought::{Scorer, ScorerFault, checked};
pub use explain::{Explainer, Explanation, Unexplained, explain};
pub use points::{Points, points};
pub use score::{Band, Score, Scored, score};
