//! The answer to a batch.

use super::door::Refusal;
use super::writer::Submission;
use crate::clock::Millis;
use crate::identity::proof::NotProved;
use serde::Serialize;
use utoipa::ToSchema;

/// What became of a batch. Everything accepted is on disk.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct CollectedView {
    /// How many events the log now holds because of this batch.
    pub accepted: usize,
    /// How many it held already.
    pub duplicates: usize,
    /// What was refused, and why; sending it again changes nothing.
    pub rejected: Vec<NoteView>,
    /// What was kept but was not all that it was meant to be.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<NoteView>,
    /// One result an event, in the order they were sent.
    pub results: Vec<ItemView>,
    /// What the server knows of the batch's browser, where the batch asks with `"hints": true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hints: Option<HintsView>,
    /// The id that this browser had before its pages forgot it: the visitor cookie says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visitor: Option<String>,
}

/// Something to be said about one event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoteView {
    /// Its place in the batch, from 0.
    pub index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Names the reason; stable.
    #[schema(example = "too-many-fields")]
    pub code: &'static str,
    /// The reason in words.
    pub detail: String,
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

/// The server's fold of a browser's events, all that it has acknowledged: a page folds onto it what
/// is not acknowledged yet.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HintsView {
    /// How much of the log went in: of two hints the one with the larger version counts.
    pub version: i64,
    /// The server's clock. Milliseconds since 1970-01-01 UTC.
    pub now: Millis,
    /// A page forgets the hints then. Milliseconds since 1970-01-01 UTC.
    pub expires: Millis,
    pub anonymous_id: String,
    /// The profile's bytes in base 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The last message that went in, where it came with this batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up_to: Option<String>,
    /// How many events went in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<u32>,
    /// Milliseconds since 1970-01-01 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Millis>,
    /// The hash of the manifest in force, which the profile was folded for.
    pub bundle: String,
    /// Signals that only the server sets: id, and the number, the level's hash, or null where missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Vec<serde_json::Value>>)]
    pub signals: Vec<(u32, Option<f64>)>,
    /// What the visitor said, where that leaves no profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentView>,
}

/// What a visitor said, maybe from another device.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsentView {
    pub profiling: bool,
}

impl CollectedView {
    /// Adds what became of the next event.
    pub fn add(&mut self, message_id: Option<String>, outcome: Outcome) {
        let index = self.results.len();
        let mut rejected = |refusal: Refusal| {
            let (code, detail) = (refusal.code(), refusal.to_string());
            self.rejected.push(NoteView { index, message_id: message_id.clone(), code, detail });
            ItemView::Rejected { error: refusal.to_string() }
        };
        let result = match outcome {
            Outcome::Refused(refusal) => rejected(refusal),
            Outcome::Submitted(Submission::Erased, _) => rejected(Refusal::Erased),
            Outcome::Submitted(Submission::Duplicate, _) => {
                self.duplicates += 1;
                ItemView::Duplicate
            }
            Outcome::Submitted(Submission::Accepted(_), unproved) => {
                self.accepted += 1;
                if let Some(unproved) = unproved {
                    let (code, detail) = ("not-proved", unproved.to_string());
                    self.notes.push(NoteView { index, message_id, code, detail });
                }
                ItemView::Accepted
            }
        };
        self.results.push(result);
    }
}

/// What became of an event.
pub enum Outcome {
    Refused(Refusal),
    Submitted(Submission, Option<NotProved>),
}
