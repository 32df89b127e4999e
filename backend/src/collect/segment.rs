//! The addresses that Segment's libraries send to: point them here and they work as they are, with
//! the write key as the user's name.

use super::batch::Batch;
use super::http::{Collected, Parcel, collect};
use super::view::CollectedView;
use crate::app::Shared;
use crate::error::{Problem, ProblemView};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// What Segment's libraries look for, and what became of the events.
#[derive(Debug, Serialize, ToSchema)]
pub struct SegmentView {
    /// Whether the batch was understood; one event may still have been refused.
    success: bool,
    #[serde(flatten)]
    collected: CollectedView,
}

/// `kind` is what every event is, where the address says so.
async fn take(
    app: &Shared,
    parcel: Parcel,
    kind: Option<&'static str>,
) -> Result<Response, Problem> {
    let mut batch = Batch::read(&parcel.body)?;
    batch.kind = kind;
    let principal = parcel.sender.or_key(app, batch.key.as_deref()).await?;
    let Collected { view, .. } =
        collect(app, &principal, &parcel.source, &batch, parcel.room).await?;
    let view = SegmentView { success: true, collected: view };
    Ok((StatusCode::OK, Json(view)).into_response())
}

/// Takes a batch, as Segment's libraries send it: as `POST /v1/events`, answered as they expect.
#[utoipa::path(post, path = "/v1/batch", tag = "collect",
    request_body(content = serde_json::Value, content_type = "application/json"),
    responses((status = 200, body = SegmentView), (status = 400, body = ProblemView), (status = 401, body = ProblemView),
        (status = 403, body = ProblemView), (status = 413, body = ProblemView), (status = 429, body = ProblemView), (status = 507, body = ProblemView)))]
pub async fn batch(State(app): State<Shared>, parcel: Parcel) -> Result<Response, Problem> {
    take(&app, parcel, None).await
}

/// Takes a batch at the address that Segment's older libraries send it to.
#[utoipa::path(post, path = "/v1/import", tag = "collect",
    request_body(content = serde_json::Value, content_type = "application/json"),
    responses((status = 200, body = SegmentView), (status = 400, body = ProblemView), (status = 401, body = ProblemView),
        (status = 403, body = ProblemView), (status = 413, body = ProblemView), (status = 429, body = ProblemView), (status = 507, body = ProblemView)))]
pub async fn import(State(app): State<Shared>, parcel: Parcel) -> Result<Response, Problem> {
    take(&app, parcel, None).await
}

/// Takes one `track` of Segment's.
#[utoipa::path(post, path = "/v1/track", tag = "collect",
    request_body(content = serde_json::Value, content_type = "application/json"),
    responses((status = 200, body = SegmentView), (status = 400, body = ProblemView), (status = 401, body = ProblemView),
        (status = 403, body = ProblemView), (status = 413, body = ProblemView), (status = 429, body = ProblemView), (status = 507, body = ProblemView)))]
pub async fn track(State(app): State<Shared>, parcel: Parcel) -> Result<Response, Problem> {
    take(&app, parcel, Some("track")).await
}

/// Takes one `page` of Segment's.
#[utoipa::path(post, path = "/v1/page", tag = "collect",
    request_body(content = serde_json::Value, content_type = "application/json"),
    responses((status = 200, body = SegmentView), (status = 400, body = ProblemView), (status = 401, body = ProblemView),
        (status = 403, body = ProblemView), (status = 413, body = ProblemView), (status = 429, body = ProblemView), (status = 507, body = ProblemView)))]
pub async fn page(State(app): State<Shared>, parcel: Parcel) -> Result<Response, Problem> {
    take(&app, parcel, Some("page")).await
}

/// Takes one `screen` of Segment's, which becomes a `track` named Screen Viewed.
#[utoipa::path(post, path = "/v1/screen", tag = "collect",
    request_body(content = serde_json::Value, content_type = "application/json"),
    responses((status = 200, body = SegmentView), (status = 400, body = ProblemView), (status = 401, body = ProblemView),
        (status = 403, body = ProblemView), (status = 413, body = ProblemView), (status = 429, body = ProblemView), (status = 507, body = ProblemView)))]
pub async fn screen(State(app): State<Shared>, parcel: Parcel) -> Result<Response, Problem> {
    take(&app, parcel, Some("screen")).await
}

/// Takes one `identify` of Segment's.
#[utoipa::path(post, path = "/v1/identify", tag = "collect",
    request_body(content = serde_json::Value, content_type = "application/json"),
    responses((status = 200, body = SegmentView), (status = 400, body = ProblemView), (status = 401, body = ProblemView),
        (status = 403, body = ProblemView), (status = 413, body = ProblemView), (status = 429, body = ProblemView), (status = 507, body = ProblemView)))]
pub async fn identify(State(app): State<Shared>, parcel: Parcel) -> Result<Response, Problem> {
    take(&app, parcel, Some("identify")).await
}

/// Takes one `group` of Segment's.
#[utoipa::path(post, path = "/v1/group", tag = "collect",
    request_body(content = serde_json::Value, content_type = "application/json"),
    responses((status = 200, body = SegmentView), (status = 400, body = ProblemView), (status = 401, body = ProblemView),
        (status = 403, body = ProblemView), (status = 413, body = ProblemView), (status = 429, body = ProblemView), (status = 507, body = ProblemView)))]
pub async fn group(State(app): State<Shared>, parcel: Parcel) -> Result<Response, Problem> {
    take(&app, parcel, Some("group")).await
}

/// Takes one `alias` of Segment's.
#[utoipa::path(post, path = "/v1/alias", tag = "collect",
    request_body(content = serde_json::Value, content_type = "application/json"),
    responses((status = 200, body = SegmentView), (status = 400, body = ProblemView), (status = 401, body = ProblemView),
        (status = 403, body = ProblemView), (status = 413, body = ProblemView), (status = 429, body = ProblemView), (status = 507, body = ProblemView)))]
pub async fn alias(State(app): State<Shared>, parcel: Parcel) -> Result<Response, Problem> {
    take(&app, parcel, Some("alias")).await
}
