//! `DELETE /v1/visitors/{id}`.

use super::erase;
use crate::app::Shared;
use crate::error::{Problem, ProblemView, blocking};
use crate::identity::{Action, Caller, Resource, SubjectId, authorize};
use crate::request::InPath;
use axum::extract::State;
use axum::http::StatusCode;

/// Erases a visitor for good: the key is shredded, the profile goes, the log keeps anonymous tombstones.
#[utoipa::path(delete, path = "/v1/visitors/{id}", tag = "privacy", params(("id" = String, Path)),
    responses((status = 204, description = "erased"), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView)))]
pub async fn erase_visitor(
    State(app): State<Shared>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<StatusCode, Problem> {
    let permit = authorize(&caller.principal, Action::EraseVisitor, Resource::Own)?;
    let subject: SubjectId = id.parse().map_err(|_| Problem::NotFound("visitor"))?;
    let erased = blocking(move || -> Result<bool, Problem> {
        let known = app.keys.subject_key(permit.scope(), subject)?.is_some();
        if known {
            erase(&app, &permit, subject)?;
        }
        Ok(known)
    });
    if erased.await? { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::NotFound("visitor")) }
}
