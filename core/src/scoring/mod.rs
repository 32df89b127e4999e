//! Scores, bands and their explanation.

mod answer;
mod brought;
mod explain;
mod lanes;
mod points;
mod sampled;
mod score;

pub use answer::Answer;
pub use brought::{Scorer, ScorerFault, checked};
pub use explain::{Explainer, Explanation, Unexplained, explain};
pub(crate) use points::slope;
pub use points::{Points, points};
pub use sampled::{Background, Sampled, margin};
pub use score::{Band, Score, Scored, score};
