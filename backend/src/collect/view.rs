//! The answer to a batch.

use super::writer::Submission;
use serde::Serialize;
use utoipa::ToSchema;

/// What became of a batch. Everything accepted is on disk.
#[derive(Debug, Serialize, ToSchema)]
pub struct CollectedView {
    /// How many events the log now holds because of this batch.
    pub accepted: usize,
    /// One result an event, in the order they were sent.
    pub results: Vec<ItemView>,
}

/// What became of one event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum ItemView {
    Accepted,
    /// The log holds a message of that id already.
    Duplicate,
    /// Not written; sending it again changes nothing.
    Rejected {
        error: String,
    },
}

impl From<Submission> for ItemView {
    fn from(submission: Submission) -> Self {
        match submission {
            Submission::Accepted => Self::Accepted,
            Submission::Duplicate => Self::Duplicate,
            Submission::Erased => Self::Rejected {
                error: "this visitor was erased; start with a new anonymousId".to_owned(),
            },
        }
    }
}
