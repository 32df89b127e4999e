//! `GET /v1/audit`.

use crate::app::Shared;
use crate::clock::Millis;
use crate::error::{Problem, ProblemView, blocking};
use crate::identity::{Action, Caller, Environment, Resource, authorize};
use crate::request::InQuery;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Which part of the audit log.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Entries below this number only: the last number of the page before.
    before: Option<i64>,
}

/// One administrative change.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntryView {
    number: i64,
    environment: Environment,
    /// Milliseconds since 1970-01-01 UTC.
    at: Millis,
    actor: String,
    action: String,
    object: String,
    before: Option<Value>,
    after: Option<Value>,
}

/// A page of the audit log, newest entry first.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditView {
    entries: Vec<EntryView>,
}

const PAGE: u32 = 100;

/// Lists who changed what, newest first.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(Page),
    responses((status = 200, body = AuditView), (status = 401, body = ProblemView), (status = 403, body = ProblemView)))]
pub async fn list(
    State(app): State<Shared>,
    caller: Caller,
    InQuery(page): InQuery<Page>,
) -> Result<Json<AuditView>, Problem> {
    let permit = authorize(&caller.principal, Action::ReadAudit, Resource::Own)?;
    let entries = blocking(move || app.records.audit(permit.scope(), page.before, PAGE)).await?;
    let entries = entries.into_iter().map(|entry| EntryView {
        number: entry.number,
        environment: entry.environment,
        at: entry.at,
        actor: entry.actor,
        action: entry.action,
        object: entry.object,
        before: entry.before,
        after: entry.after,
    });
    Ok(Json(AuditView { entries: entries.collect() }))
}
