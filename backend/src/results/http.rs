//! `GET /v1/experiments/{key}/results`, `POST /v1/experiments/{key}/learn`, and the same of experiences.

use super::compute::results;
use super::learning::learn;
use super::look::Look;
use super::view::{LessonView, ResultsView};
use crate::app::Shared;
use crate::error::{Problem, ProblemView, blocking};
use crate::experiments::{self, Definition, Kind};
use crate::identity::{Action, Caller, Resource, Scope, authorize};
use crate::request::{InPath, InQuery};
use axum::Json;
use axum::extract::State;
use std::time::Duration;

/// Whoever asks waits no longer than this for what is not read yet.
const PATIENCE: Duration = Duration::from_secs(3);

/// What came of an experiment, up to now: exposures joined to goals, person by person.
#[utoipa::path(get, path = "/v1/experiments/{key}/results", tag = "experiments", params(("key" = String, Path), Look),
    responses((status = 200, body = ResultsView), (status = 400, body = ProblemView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView)))]
pub async fn of_experiment(
    State(app): State<Shared>,
    caller: Caller,
    InPath(key): InPath<String>,
    InQuery(look): InQuery<Look>,
) -> Result<Json<ResultsView>, Problem> {
    of(app, caller, (Kind::Experiment, key), look).await
}

/// What came of an experience with variations, up to now.
#[utoipa::path(get, path = "/v1/experiences/{key}/results", tag = "experiences", params(("key" = String, Path), Look),
    responses((status = 200, body = ResultsView), (status = 400, body = ProblemView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView)))]
pub async fn of_experience(
    State(app): State<Shared>,
    caller: Caller,
    InPath(key): InPath<String>,
    InQuery(look): InQuery<Look>,
) -> Result<Json<ResultsView>, Problem> {
    of(app, caller, (Kind::Experience, key), look).await
}

/// Makes an experiment with a `bandit` learn now of all that came, and publishes weights that moved.
#[utoipa::path(post, path = "/v1/experiments/{key}/learn", tag = "experiments", params(("key" = String, Path)),
    responses((status = 200, body = LessonView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView), (status = 409, body = ProblemView)))]
pub async fn teach_experiment(
    State(app): State<Shared>,
    caller: Caller,
    InPath(key): InPath<String>,
) -> Result<Json<LessonView>, Problem> {
    teach(app, caller, Kind::Experiment, key).await
}

/// The same of an experience with variations.
#[utoipa::path(post, path = "/v1/experiences/{key}/learn", tag = "experiences", params(("key" = String, Path)),
    responses((status = 200, body = LessonView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView), (status = 409, body = ProblemView)))]
pub async fn teach_experience(
    State(app): State<Shared>,
    caller: Caller,
    InPath(key): InPath<String>,
) -> Result<Json<LessonView>, Problem> {
    teach(app, caller, Kind::Experience, key).await
}

async fn of(
    app: Shared,
    caller: Caller,
    (kind, key): (Kind, String),
    look: Look,
) -> Result<Json<ResultsView>, Problem> {
    look.check()?;
    let scope = authorize(&caller.principal, Action::ReadExperiments, Resource::Own)?.scope();
    let one = up_to_date(&app, scope, kind, key).await?;
    blocking(move || results(&app, scope, &one, &look)).await.map(Json)
}

async fn teach(
    app: Shared,
    caller: Caller,
    kind: Kind,
    key: String,
) -> Result<Json<LessonView>, Problem> {
    let permit = authorize(&caller.principal, Action::ChangeExperiments, Resource::Own)?;
    let one = up_to_date(&app, permit.scope(), kind, key).await?;
    blocking(move || learn(&app, &permit, &one)).await.map(|lesson| Json(lesson.into()))
}

/// Something that is tested, once the log is read.
async fn up_to_date(
    app: &Shared,
    scope: Scope,
    kind: Kind,
    key: String,
) -> Result<Definition, Problem> {
    let one = {
        let app = app.clone();
        blocking(move || experiments::one(&app, scope, kind, &key)).await?
    };
    app.exposures.catch_up(scope, PATIENCE).await;
    Ok(one)
}
