//! What clients see of a visitor.

use crate::clock::Millis;
use crate::models::CountsView;
use serde::Serialize;
use utoipa::ToSchema;

/// A score with its reasons: base + the points of the reasons + rest = score.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScoreView {
    /// 0 to 100.
    #[schema(example = 72)]
    pub score: u8,
    /// That the visitor qualifies, 0 to 1.
    pub probability: f64,
    /// `qualified`, `undecided` or `not`.
    #[schema(example = "qualified")]
    pub band: &'static str,
    /// The score of a visitor of whom nothing is known.
    pub base: u8,
    /// Strongest first.
    pub reasons: Vec<ReasonView>,
    /// Points of what the reasons leave out.
    pub rest: i32,
    /// Milliseconds since 1970-01-01 UTC.
    pub as_of: Millis,
    /// The name of the model that scored, where a model is live that the workspace brought: that one, or
    /// its fallback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scored_by: Option<String>,
    /// What went wrong with the brought model: it did not score, or gave no reasons.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "time")]
    pub fault: Option<&'static str>,
}

/// What one signal adds to a score or takes from it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ReasonView {
    /// The signal's stable id.
    pub signal: u32,
    /// What people call the signal.
    pub label: String,
    /// In words, with the visitor's own value.
    #[schema(example = "visited pricing 3 times")]
    pub text: String,
    pub points: i32,
    /// The standard error of the points, where they are sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<f64>,
}

/// A visitor, as the server's own fold of the log sees them.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VisitorView {
    #[schema(example = "v_0123456789abcdef0123456789abcdef")]
    pub id: String,
    #[serde(flatten)]
    pub score: ScoreView,
    pub last_event: LastEventView,
    /// Milliseconds since 1970-01-01 UTC.
    pub first_seen: Millis,
    pub events: u32,
    /// How the score moved: pairs of time and score, oldest first.
    pub trail: Vec<(Millis, u8)>,
    /// The ids that were merged into this one, or of whose events some are this person's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
    /// On the live feed: why it is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
}

/// Why a score, or what it consists of, is not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    Event,
    /// Nothing but time.
    Decay,
    Model,
    /// Subjects became one person, or are one no more.
    Merge,
    /// Something that was in it was erased.
    Correction,
}

/// The latest event of a visitor.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LastEventView {
    /// `track`, `page`, `identify`, `group` or `alias`.
    pub kind: String,
    pub name: String,
    pub path: Option<String>,
    /// Milliseconds since 1970-01-01 UTC.
    pub at: Millis,
}

/// Visitors, the latest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct VisitorsView {
    pub visitors: Vec<VisitorView>,
}

/// What rebuilding did.
#[derive(Debug, Serialize, ToSchema)]
pub struct RebuiltView {
    /// How many profiles there are now.
    pub profiles: usize,
}

/// How far the profiles are behind the log, and what waits to get into the log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusView {
    /// Events that the log holds.
    pub logged: i64,
    /// Events that went into the profiles.
    pub folded: i64,
    /// Events that did not yet.
    pub lag: u64,
    /// How long the oldest of those has waited.
    pub lag_seconds: f64,
    /// Scores that time alone has changed and that were not brought up to date yet.
    pub due: u64,
    pub waiting: WaitingView,
    /// How the brought model does, since the server started; absent where none was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brought: Option<CountsView>,
}

/// What waits to be written, of the whole server.
#[derive(Debug, Serialize, ToSchema)]
pub struct WaitingView {
    /// Requests in the writer's queue.
    pub requests: usize,
    /// Kilobytes that are arriving, in the queue or being written …
    pub kilobytes: usize,
    /// … of so many; beyond it requests are answered 429.
    pub most: usize,
}
