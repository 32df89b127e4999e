//! `GET /v1/visitors`, `/v1/profiles/…`, and `POST /v1/decide`.

use super::view::{RebuiltView, ScoreView, StatusView, VisitorView, VisitorsView};
use super::{MOST_REASONS, Question, REASONS, decide as decide_for, lag, visitor, visitors};
use crate::app::{App, Shared};
use crate::clock;
use crate::collect::{Parcel, consent, may_send};
use crate::error::{Problem, ProblemView, blocking};
use crate::flags::answers;
use crate::identity::{Action, Caller, Resource, Role, Scope, SubjectId, authorize};
use crate::request::InPath;
use axum::Json;
use axum::extract::State;
use rapport_core::event::{EventWire, Millis};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use utoipa::ToSchema;

pub(super) const LATEST: u32 = 100;
pub const MAX_DECIDE_BODY: usize = 64 * 1024;
pub const MAX_UNSEEN: usize = 100;
pub const MAX_ID: usize = 256;
/// A page that waits for a decision waits no longer than this for the fold.
const FOLD_PATIENCE: Duration = Duration::from_millis(100);

/// Lists the latest hundred visitors.
#[utoipa::path(get, path = "/v1/visitors", tag = "profiles",
    responses((status = 200, body = VisitorsView), (status = 401, body = ProblemView), (status = 403, body = ProblemView)))]
pub async fn list(
    State(app): State<Shared>,
    caller: Caller,
) -> Result<Json<VisitorsView>, Problem> {
    let scope = authorize(&caller.principal, Action::ReadVisitors, Resource::Own)?.scope();
    let visitors = blocking(move || visitors(&app, scope, LATEST)).await?;
    Ok(Json(VisitorsView { visitors }))
}

/// One visitor with score and reasons.
#[utoipa::path(get, path = "/v1/visitors/{id}", tag = "profiles", params(("id" = String, Path)),
    responses((status = 200, body = VisitorView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView)))]
pub async fn one(
    State(app): State<Shared>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Json<VisitorView>, Problem> {
    let scope = authorize(&caller.principal, Action::ReadVisitors, Resource::Own)?.scope();
    let subject: SubjectId = id.parse().map_err(|_| Problem::NotFound("visitor"))?;
    blocking(move || visitor(&app, scope, subject)).await.map(Json)
}

/// Says how far the profiles are behind the log, and what waits to be written.
#[utoipa::path(get, path = "/v1/profiles/status", tag = "profiles",
    responses((status = 200, body = StatusView), (status = 401, body = ProblemView), (status = 403, body = ProblemView)))]
pub async fn status(
    State(app): State<Shared>,
    caller: Caller,
) -> Result<Json<StatusView>, Problem> {
    let scope = authorize(&caller.principal, Action::RebuildProfiles, Resource::Own)?.scope();
    blocking(move || lag(&app, scope)).await.map(Json)
}

/// Throws all profiles of the workspace's environment away and folds them again from the log.
#[utoipa::path(post, path = "/v1/profiles/rebuild", tag = "profiles",
    responses((status = 200, body = RebuiltView), (status = 401, body = ProblemView), (status = 403, body = ProblemView)))]
pub async fn rebuild(
    State(app): State<Shared>,
    caller: Caller,
) -> Result<Json<RebuiltView>, Problem> {
    let scope = authorize(&caller.principal, Action::RebuildProfiles, Resource::Own)?.scope();
    Ok(Json(RebuiltView { profiles: app.projector.rebuild(scope).await? }))
}

/// Whom to decide for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecideWire {
    /// The write key, where no header or address carries it.
    #[serde(alias = "writeKey")]
    key: Option<String>,
    /// The id that the page gave the visitor; absent where the visitor may not be followed by one.
    anonymous_id: Option<String>,
    /// When the page sent this, by its own clock.
    sent_at: Option<Value>,
    /// What the server may not have got yet, in the Segment shape. What it has is not counted again.
    #[serde(default)]
    #[schema(value_type = Vec<serde_json::Value>)]
    events: Vec<EventWire>,
    /// Asks for features and experiments too, and says of whom: `attributes`, `url`, `forcedVariations`,
    /// `stickyBucketAssignmentDocs`, `shown`.
    visitor: Option<Value>,
    /// What is known from before, in base 64, in the place of what the server knows of the browser.
    profile: Option<String>,
    /// Milliseconds since 1970; the server's clock where absent.
    now: Option<f64>,
    /// At most this many reasons; 6 where left out.
    reasons: Option<usize>,
}

/// What is decided. Without a `visitor` in the request there is a score, or a problem.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecisionView {
    /// Absent where nothing scores the visitor, or nothing may.
    #[serde(flatten)]
    score: Option<ScoreView>,
    /// Absent where nobody asked, or the visitor refuses personalization.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<serde_json::Value>)]
    flags: Option<Value>,
}

/// Decides for a page that cannot run the engine, and for a server that cannot run the model. Read as JSON whatever it is declared as.
#[utoipa::path(post, path = "/v1/decide", tag = "profiles", request_body = DecideWire,
    responses((status = 200, body = DecisionView), (status = 400, body = ProblemView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView), (status = 413, body = ProblemView), (status = 429, body = ProblemView)))]
pub async fn decide(
    State(app): State<Shared>,
    parcel: Parcel,
) -> Result<Json<DecisionView>, Problem> {
    if parcel.body.len() > MAX_DECIDE_BODY {
        return Err(Problem::TooLarge(MAX_DECIDE_BODY));
    }
    let wire: DecideWire = serde_json::from_slice(&parcel.body)
        .map_err(|error| Problem::Malformed(format!("the body is not what this takes: {error}")))?;
    let principal = parcel.sender.or_key(&app, wire.key.as_deref()).await?;
    let scope = authorize(&principal, Action::Decide, Resource::Own)?.scope();
    may_send(&app, &principal, &parcel.source, 1)?;
    let known = wire.anonymous_id.as_ref().map(String::len);
    let is_page = principal.role == Role::Page;
    // A page that asks for a score alone has to say whose.
    if known.map_or(is_page && wire.visitor.is_none(), |length| length == 0 || length > MAX_ID)
        || wire.events.len() > MAX_UNSEEN
    {
        return Err(Problem::Malformed(format!(
            "`anonymousId` must have 1 to {MAX_ID} bytes, `events` at most {MAX_UNSEEN} events"
        )));
    }
    caught_up(&app, scope).await?;
    blocking(move || decided(&app, scope, wire, is_page)).await.map(Json)
}

fn decided(
    app: &App,
    scope: Scope,
    wire: DecideWire,
    is_page: bool,
) -> Result<DecisionView, Problem> {
    let DecideWire { anonymous_id, sent_at, events: mut unseen, visitor, profile, .. } = wire;
    for event in &mut unseen {
        event.sent_at = event.sent_at.take().or_else(|| sent_at.clone());
    }
    let now = Millis(wire.now.map_or_else(clock::now, |now| now as i64));
    let default = app.records.settings(scope)?.consent.into();
    let said = unseen.iter().rev().find_map(|event| Some(consent(&event.flat().ok()?, default)));
    let question = Question {
        browser: anonymous_id.as_deref(),
        profile: profile.as_deref(),
        unseen,
        now,
        reasons: wire.reasons.unwrap_or(REASONS).min(MOST_REASONS),
        is_page,
    };
    let scored = decide_for(app, scope, question);
    let Some(mut visitor) = visitor else {
        return Ok(DecisionView { score: Some(scored?), flags: None });
    };
    if let (Some(id), Some(members)) = (anonymous_id, visitor.as_object_mut()) {
        members.entry("anonymousId").or_insert(Value::from(id));
    }
    let score = match scored {
        Ok(score) => Some(score),
        Err(Problem::NoBundle | Problem::NotFound(_)) => None,
        Err(problem) => return Err(problem),
    };
    if !said.unwrap_or(default).personalization {
        return Ok(DecisionView { score, flags: None });
    }
    let flags = answers(&*app.flags.get(app, scope)?, &visitor, now, score.as_ref());
    Ok(DecisionView { score, flags: Some(flags) })
}

/// Waits, not for long, until what was acknowledged a moment ago is folded.
///
/// # Errors
/// Where the log cannot be read.
pub async fn caught_up(app: &Shared, scope: Scope) -> Result<(), Problem> {
    let end = {
        let app = app.clone();
        blocking(move || app.log.end(scope)).await?
    };
    app.projector.reached(app, scope, end, FOLD_PATIENCE).await?;
    Ok(())
}
