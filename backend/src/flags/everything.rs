//! Everything that is decided for a visitor, as an engine of the asker's own would say it.

use super::open::OpenFlags;
use super::visitor::json;
use crate::app::{App, Shared};
use crate::clock;
use crate::collect::{Parcel, may_send};
use crate::error::{Problem, ProblemView, blocking};
use crate::identity::{Action, Resource, Role, Scope, authorize};
use crate::profiles::http::{MAX_DECIDE_BODY, MAX_ID, MAX_UNSEEN, caught_up};
use crate::profiles::{MOST_REASONS, Question, REASONS, ScoreView, decide};
use axum::Json;
use axum::extract::State;
use rapport_core::event::{EventWire, Millis};
use rapport_core::experiment::{Asker, Everything};
use rapport_core::scoring::Band;
use rapport_core::targeting::Value as CoreValue;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// What of a visitor is not asked by conditions; the rest is as SDKs describe one: `attributes`, `url`, `userId`,
/// `shown`, `grade`, `forcedVariations`, `stickyBucketAssignmentDocs`, `enabled`, `qaMode`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VisitorWire {
    /// The browser's id, of which the server may know more.
    anonymous_id: Option<String>,
    /// What the server may not have got yet, in the Segment shape. What it has is not counted again.
    #[serde(default)]
    #[schema(value_type = Vec<serde_json::Value>)]
    events: Vec<EventWire>,
    /// Milliseconds since 1970; the server's clock where absent.
    now: Option<f64>,
    #[serde(default)]
    consent: ConsentWire,
    /// What is known from before, in base 64, in the place of what the server knows of the browser.
    profile: Option<String>,
    /// At most this many reasons of the score; 6 where left out.
    reasons: Option<usize>,
}

/// What the visitor chose; what is not said is allowed.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct ConsentWire {
    personalization: Option<bool>,
    profiling: Option<bool>,
}

/// Everything for one visitor, for hosts without an engine: `score` with its reasons, or null; `features` by
/// their keys, each with its `exposures` and why; `pages`, the experiments of pages; the keys of all
/// `experiences`. Nothing of it is kept.
#[utoipa::path(post, path = "/v1/evaluate", tag = "flags", request_body = VisitorWire,
    responses((status = 200, body = serde_json::Value), (status = 400, body = ProblemView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 413, body = ProblemView), (status = 429, body = ProblemView)))]
pub async fn evaluate(State(app): State<Shared>, parcel: Parcel) -> Result<Json<Value>, Problem> {
    if parcel.body.len() > MAX_DECIDE_BODY {
        return Err(Problem::TooLarge(MAX_DECIDE_BODY));
    }
    let principal = parcel.sender.principal();
    let scope = authorize(principal, Action::Decide, Resource::Own)?.scope();
    let is_page = principal.role == Role::Page;
    may_send(&app, principal, &parcel.source, 1)?;
    let malformed = |error: serde_json::Error| {
        Problem::Malformed(format!("the body is not what this takes: {error}"))
    };
    let wire: VisitorWire = serde_json::from_slice(&parcel.body).map_err(malformed)?;
    if wire.anonymous_id.as_ref().is_some_and(|id| id.len() > MAX_ID)
        || wire.events.len() > MAX_UNSEEN
    {
        return Err(Problem::Malformed(format!(
            "`anonymousId` must have at most {MAX_ID} bytes, `events` at most {MAX_UNSEEN} events"
        )));
    }
    let described: CoreValue<'static> = serde_json::from_slice(&parcel.body).map_err(malformed)?;
    if wire.anonymous_id.is_some() {
        caught_up(&app, scope).await?;
    }
    let answered = blocking(move || -> Result<_, Problem> {
        let open = app.flags.get(&app, scope)?;
        let is_personal = wire.consent.personalization != Some(false);
        let now = Millis(wire.now.map_or_else(clock::now, |now| now as i64));
        let score = score(&app, scope, wire, now, is_page)?;
        let decided = if is_personal {
            decided(&open, &described, now, score.as_ref())
        } else {
            Everything::refused(&open.flags)
        };
        let experiences: Vec<_> = open.flags.experiences.iter().map(|one| &*one.key).collect();
        let Everything { features, pages } = decided;
        let (features, pages) = (json(&CoreValue::Map(features)), json(&CoreValue::List(pages)));
        Ok(
            json!({ "score": score, "features": features, "pages": pages, "experiences": experiences }),
        )
    });
    answered.await.map(Json)
}

/// Absent where nothing scores the visitor, or nobody may.
fn score(
    app: &App,
    scope: Scope,
    wire: VisitorWire,
    now: Millis,
    is_page: bool,
) -> Result<Option<ScoreView>, Problem> {
    if wire.consent.profiling == Some(false) {
        return Ok(None);
    }
    let question = Question {
        browser: wire.anonymous_id.as_deref().filter(|id| !id.is_empty()),
        profile: wire.profile.as_deref(),
        unseen: wire.events,
        now,
        reasons: wire.reasons.unwrap_or(REASONS).min(MOST_REASONS),
        is_page,
    };
    match decide(app, scope, question) {
        Ok(score) => Ok(Some(score)),
        Err(Problem::NoBundle | Problem::NotFound(_)) => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// Asks all flags about a visitor, whose score is the server's.
pub(super) fn decided(
    open: &OpenFlags,
    described: &CoreValue<'_>,
    now: Millis,
    score: Option<&ScoreView>,
) -> Everything {
    let mut asker = Asker::new(described);
    asker.known.now = Some(now);
    // Nobody says their own.
    asker.known.score = score.map(|score| score.score);
    asker.known.band = score.and_then(|score| Band::named(score.band));
    asker.everything(&open.flags)
}
