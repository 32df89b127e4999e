//! `DELETE /v1/visitors/{id}`.

use super::erase;
use crate::app::Shared;
use crate::error::{Problem, ProblemView, blocking};
use crate::identity::{Action, Caller, Resource, SubjectId, authorize};
use crate::request::InPath;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

/// Who was erased.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErasedView {
    /// Every id of the person. A browser that others used too is among them.
    pub erased: Vec<String>,
}

/// Erases a visitor for good, with all that was merged: the keys are shredded, the profile goes, the log
/// keeps anonymous tombstones.
#[utoipa::path(delete, path = "/v1/visitors/{id}", tag = "privacy", params(("id" = String, Path)),
    responses((status = 200, body = ErasedView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView)))]
pub async fn erase_visitor(
    State(app): State<Shared>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Json<ErasedView>, Problem> {
    let permit = authorize(&caller.principal, Action::EraseVisitor, Resource::Own)?;
    let subject: SubjectId = id.parse().map_err(|_| Problem::NotFound("visitor"))?;
    let erased = blocking(move || -> Result<_, Problem> {
        if app.keys.subject_key(permit.scope(), subject)?.is_none() {
            return Err(Problem::NotFound("visitor"));
        }
        Ok(erase(&app, &permit, subject)?)
    });
    let erased = erased.await?.iter().map(SubjectId::to_string).collect();
    Ok(Json(ErasedView { erased }))
}
