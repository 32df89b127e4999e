//! `GET /v1/experiments/{key}/results`, and the same of experiences.

use super::compute::results;
use super::view::ResultsView;
use crate::app::Shared;
use crate::error::{Problem, ProblemView, blocking};
use crate::experiments::{self, Kind};
use crate::identity::{Action, Caller, Resource, authorize};
use crate::request::InPath;
use axum::Json;
use axum::extract::State;
use std::time::Duration;

/// Whoever asks waits no longer than this for what is not read yet.
const PATIENCE: Duration = Duration::from_secs(3);

/// What came of an experiment, up to now: exposures joined to goals, person by person.
#[utoipa::path(get, path = "/v1/experiments/{key}/results", tag = "experiments", params(("key" = String, Path)),
    responses((status = 200, body = ResultsView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView)))]
pub async fn of_experiment(
    State(app): State<Shared>,
    caller: Caller,
    InPath(key): InPath<String>,
) -> Result<Json<ResultsView>, Problem> {
    of(app, caller, Kind::Experiment, key).await
}

/// What came of an experience with variations, up to now.
#[utoipa::path(get, path = "/v1/experiences/{key}/results", tag = "experiences", params(("key" = String, Path)),
    responses((status = 200, body = ResultsView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView)))]
pub async fn of_experience(
    State(app): State<Shared>,
    caller: Caller,
    InPath(key): InPath<String>,
) -> Result<Json<ResultsView>, Problem> {
    of(app, caller, Kind::Experience, key).await
}

async fn of(
    app: Shared,
    caller: Caller,
    kind: Kind,
    key: String,
) -> Result<Json<ResultsView>, Problem> {
    let scope = authorize(&caller.principal, Action::ReadExperiments, Resource::Own)?.scope();
    let one = {
        let app = app.clone();
        blocking(move || experiments::one(&app, scope, kind, &key)).await?
    };
    app.exposures.catch_up(scope, PATIENCE).await;
    blocking(move || results(&app, scope, &one)).await.map(Json)
}
