//! `/v1/models`: versions, and which of them is live.

use super::service::{self, MAX_FILE};
use super::view::{CheckView, ModelView, ModelsView, MovedView, NewModelWire};
use crate::app::Shared;
use crate::error::{Problem, ProblemView, blocking};
use crate::identity::{Action, Caller, Resource, authorize};
use crate::request::{InPath, bounded};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// A file in base 64, and a card beside it.
const MAX_BODY: usize = MAX_FILE / 3 * 4 + 1024 * 1024;

/// Keeps a model as a new version. A tree ensemble in ONNX becomes a model file; a file that does not fit
/// its card is refused with what was expected and what came.
#[utoipa::path(post, path = "/v1/models", tag = "models", request_body = NewModelWire,
    responses((status = 201, body = ModelView), (status = 400, body = ProblemView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 413, body = ProblemView), (status = 422, body = ProblemView)))]
pub async fn add(
    State(app): State<Shared>,
    caller: Caller,
    body: Body,
) -> Result<(StatusCode, Json<ModelView>), Problem> {
    let permit = authorize(&caller.principal, Action::ManageModels, Resource::Own)?;
    let body = bounded(body, MAX_BODY).await?;
    let added = blocking(move || {
        let wire: NewModelWire = serde_json::from_slice(&body)
            .map_err(|error| Problem::Malformed(format!("the body is no model: {error}")))?;
        let file = BASE64_STANDARD
            .decode(wire.file)
            .map_err(|error| Problem::Malformed(format!("`file` is not base 64: {error}")))?;
        service::add(&app, &permit, wire.card, wire.score_in_page, file)
    });
    Ok((StatusCode::CREATED, Json(added.await?)))
}

/// The versions, which of them is live, and the history of that.
#[utoipa::path(get, path = "/v1/models", tag = "models",
    responses((status = 200, body = ModelsView), (status = 401, body = ProblemView), (status = 403, body = ProblemView)))]
pub async fn list(State(app): State<Shared>, caller: Caller) -> Result<Json<ModelsView>, Problem> {
    let scope = authorize(&caller.principal, Action::ReadModels, Resource::Own)?.scope();
    blocking(move || service::list(&app, scope)).await.map(Json)
}

/// Tries a version against what is published, without promoting it.
#[utoipa::path(post, path = "/v1/models/{id}/check", tag = "models", params(("id" = String, Path, description = "a version, or a name for its newest one")),
    responses((status = 200, body = CheckView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView), (status = 409, body = ProblemView)))]
pub async fn check(
    State(app): State<Shared>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Json<CheckView>, Problem> {
    let scope = authorize(&caller.principal, Action::ManageModels, Resource::Own)?.scope();
    blocking(move || service::check(&app, scope, &id)).await.map(Json)
}

/// Makes a version the live one and publishes that.
#[utoipa::path(post, path = "/v1/models/{id}/promote", tag = "models", params(("id" = String, Path, description = "a version, or a name for its newest one")),
    responses((status = 200, body = MovedView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView), (status = 409, body = ProblemView)))]
pub async fn promote(
    State(app): State<Shared>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Json<MovedView>, Problem> {
    let permit = authorize(&caller.principal, Action::ManageModels, Resource::Own)?;
    blocking(move || service::promote(&app, &permit, &id)).await.map(Json)
}

/// Makes the model live again that was before the live one, and publishes that.
#[utoipa::path(post, path = "/v1/models/rollback", tag = "models",
    responses((status = 200, body = MovedView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView), (status = 409, body = ProblemView)))]
pub async fn roll_back(
    State(app): State<Shared>,
    caller: Caller,
) -> Result<Json<MovedView>, Problem> {
    let permit = authorize(&caller.principal, Action::ManageModels, Resource::Own)?;
    blocking(move || service::roll_back(&app, &permit)).await.map(Json)
}
