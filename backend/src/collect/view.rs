//! The answer to a batch.

use super::writer::Submission;
use crate::clock::Millis;
use serde::Serialize;
use utoipa::ToSchema;

/// What became of a batch. Everything accepted is on disk.
#[derive(Debug, Serialize, ToSchema)]
pub struct CollectedView {
    /// How many events the log now holds because of this batch.
    pub accepted: usize,
    /// One result an event, in the order they were sent.
    pub results: Vec<ItemView>,
    /// What the server knows of the batch's browsers, where the batch asks with `"hints": true`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<HintView>,
}

/// The server's fold of a visitor, onto which a page folds what is not acknowledged yet.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HintView {
    pub anonymous_id: String,
    /// The profile's bytes in base 64; they name the last event that went in.
    pub profile: String,
    /// How many events went in.
    pub events: u32,
    /// Milliseconds since 1970-01-01 UTC.
    pub as_of: Millis,
    /// The hash of the signals part that it was folded for.
    pub signals: String,
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
            Submission::Accepted(_) => Self::Accepted,
            Submission::Duplicate => Self::Duplicate,
            Submission::Erased => Self::Rejected {
                error: "this visitor was erased; start with a new anonymousId".to_owned(),
            },
        }
    }
}
