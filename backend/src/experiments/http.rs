//! The routes of audiences, features, experiments, experiences and goals: the same for each kind.

use super::definition::{Definition, Kind};
use super::service::{self, Expected};
use super::view::{
    DefinitionView, DefinitionsView, EditWire, NewWire, RollBackWire, ShipWire, StatusWire,
};
use super::winner;
use crate::app::Shared;
use crate::error::{Problem, ProblemView, blocking};
use crate::identity::{Action, Caller, Permit, Resource, authorize};
use crate::request::{InPath, JsonBody};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A definition holds at most this many bytes of JSON.
const MAX_DEFINITION: usize = 256 * 1024;

type Body<T> = JsonBody<T, MAX_DEFINITION>;

/// Routes of one kind. Addresses are written out, as the document needs them.
macro_rules! routes_of {
    ($module:ident, $kind:expr, $tag:tt, $all:tt, $one:tt, $revisions:tt, $status:tt, $rollback:tt) => {
        #[doc = concat!("The routes of ", $tag, ".")]
        pub mod $module {
            use super::*;

            const KIND: Kind = $kind;

            #[doc = concat!("Lists the ", $tag, ", by their keys.")]
            #[utoipa::path(get, path = $all, tag = $tag,
                responses((status = 200, body = DefinitionsView), (status = 401, body = ProblemView), (status = 403, body = ProblemView)))]
            pub async fn list(State(app): State<Shared>, caller: Caller) -> Result<Json<DefinitionsView>, Problem> {
                let scope = reads(&caller)?.scope();
                Ok(Json(blocking(move || service::all(&app, scope, KIND)).await?.into()))
            }

            #[doc = concat!("Makes a new one of the ", $tag, ". What is wrong with it is said with the place.")]
            #[utoipa::path(post, path = $all, tag = $tag, request_body = NewWire,
                responses((status = 201, body = DefinitionView), (status = 400, body = ProblemView), (status = 401, body = ProblemView), (status = 403, body = ProblemView),
                    (status = 409, body = ProblemView), (status = 413, body = ProblemView), (status = 422, body = ProblemView)))]
            pub async fn create(State(app): State<Shared>, caller: Caller, JsonBody(new): Body<NewWire>) -> Result<Response, Problem> {
                let permit = changes(&caller)?;
                let NewWire { key, status, definition } = new;
                let made = blocking(move || service::create(&app, &permit, KIND, &key, definition, status)).await?;
                Ok((StatusCode::CREATED, told(made)).into_response())
            }

            #[doc = concat!("One of the ", $tag, ". Its `ETag` is the revision.")]
            #[utoipa::path(get, path = $one, tag = $tag, params(("key" = String, Path)),
                responses((status = 200, body = DefinitionView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView)))]
            pub async fn read(State(app): State<Shared>, caller: Caller, InPath(key): InPath<String>) -> Result<Response, Problem> {
                let scope = reads(&caller)?.scope();
                Ok(told(blocking(move || service::one(&app, scope, KIND, &key)).await?))
            }

            #[doc = concat!("Replaces what one of the ", $tag, " says. `If-Match` names the revision that it replaces.")]
            #[utoipa::path(put, path = $one, tag = $tag, params(("key" = String, Path), ("If-Match" = String, Header)), request_body = EditWire,
                responses((status = 200, body = DefinitionView), (status = 400, body = ProblemView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView),
                    (status = 409, body = ProblemView), (status = 412, body = ProblemView), (status = 413, body = ProblemView), (status = 422, body = ProblemView), (status = 428, body = ProblemView)))]
            pub async fn edit(State(app): State<Shared>, caller: Caller, InPath(key): InPath<String>, headers: HeaderMap, JsonBody(edit): Body<EditWire>) -> Result<Response, Problem> {
                let permit = changes(&caller)?;
                let expected = expected(&headers)?;
                let edited = blocking(move || {
                    // A key that is not there needs no precondition to be missing.
                    service::one(&app, permit.scope(), KIND, &key)?;
                    let expected = expected.ok_or(Problem::NoCondition)?;
                    service::edit(&app, &permit, (KIND, &key), expected, edit.definition)
                });
                Ok(told(edited.await?))
            }

            #[doc = concat!("All revisions of one of the ", $tag, ", newest first.")]
            #[utoipa::path(get, path = $revisions, tag = $tag, params(("key" = String, Path)),
                responses((status = 200, body = DefinitionsView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView)))]
            pub async fn revisions(State(app): State<Shared>, caller: Caller, InPath(key): InPath<String>) -> Result<Json<DefinitionsView>, Problem> {
                let scope = reads(&caller)?.scope();
                Ok(Json(blocking(move || service::revisions(&app, scope, KIND, &key)).await?.into()))
            }

            #[doc = concat!("Starts, stops or archives one of the ", $tag, ". `If-Match` counts where it is sent.")]
            #[utoipa::path(put, path = $status, tag = $tag, params(("key" = String, Path)), request_body = StatusWire,
                responses((status = 200, body = DefinitionView), (status = 400, body = ProblemView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView),
                    (status = 409, body = ProblemView), (status = 412, body = ProblemView), (status = 422, body = ProblemView)))]
            pub async fn set_status(State(app): State<Shared>, caller: Caller, InPath(key): InPath<String>, headers: HeaderMap, JsonBody(to): JsonBody<StatusWire>) -> Result<Response, Problem> {
                let permit = changes(&caller)?;
                let expected = expected(&headers)?.unwrap_or(Expected::Anything);
                let changed = blocking(move || service::set_status(&app, &permit, (KIND, &key), expected, to.status));
                Ok(told(changed.await?))
            }

            #[doc = concat!("Makes one of the ", $tag, " say again what it said in an earlier revision. `If-Match` counts where it is sent.")]
            #[utoipa::path(post, path = $rollback, tag = $tag, params(("key" = String, Path)), request_body = RollBackWire,
                responses((status = 200, body = DefinitionView), (status = 400, body = ProblemView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView),
                    (status = 409, body = ProblemView), (status = 412, body = ProblemView), (status = 422, body = ProblemView)))]
            pub async fn roll_back(State(app): State<Shared>, caller: Caller, InPath(key): InPath<String>, headers: HeaderMap, JsonBody(to): JsonBody<RollBackWire>) -> Result<Response, Problem> {
                let permit = changes(&caller)?;
                let expected = expected(&headers)?.unwrap_or(Expected::Anything);
                let changed = blocking(move || service::roll_back(&app, &permit, (KIND, &key), expected, to.revision));
                Ok(told(changed.await?))
            }
        }
    };
}

routes_of!(
    audiences,
    Kind::Audience,
    "audiences",
    "/v1/audiences",
    "/v1/audiences/{key}",
    "/v1/audiences/{key}/revisions",
    "/v1/audiences/{key}/status",
    "/v1/audiences/{key}/rollback"
);
routes_of!(
    features,
    Kind::Feature,
    "features",
    "/v1/features",
    "/v1/features/{key}",
    "/v1/features/{key}/revisions",
    "/v1/features/{key}/status",
    "/v1/features/{key}/rollback"
);
routes_of!(
    experiments,
    Kind::Experiment,
    "experiments",
    "/v1/experiments",
    "/v1/experiments/{key}",
    "/v1/experiments/{key}/revisions",
    "/v1/experiments/{key}/status",
    "/v1/experiments/{key}/rollback"
);
routes_of!(
    experiences,
    Kind::Experience,
    "experiences",
    "/v1/experiences",
    "/v1/experiences/{key}",
    "/v1/experiences/{key}/revisions",
    "/v1/experiences/{key}/status",
    "/v1/experiences/{key}/rollback"
);
routes_of!(
    goals,
    Kind::Goal,
    "goals",
    "/v1/goals",
    "/v1/goals/{key}",
    "/v1/goals/{key}/revisions",
    "/v1/goals/{key}/status",
    "/v1/goals/{key}/rollback"
);

/// A route that gives everybody the winning variation.
macro_rules! ship_route {
    ($(#[$about:meta])+ $name:ident, $kind:expr, $tag:tt, $path:tt) => {
        $(#[$about])+
        #[utoipa::path(post, path = $path, tag = $tag, params(("key" = String, Path)), request_body = ShipWire,
            responses((status = 200, body = DefinitionsView), (status = 400, body = ProblemView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView),
                (status = 409, body = ProblemView), (status = 412, body = ProblemView), (status = 422, body = ProblemView)))]
        pub async fn $name(
            State(app): State<Shared>,
            caller: Caller,
            InPath(key): InPath<String>,
            headers: HeaderMap,
            JsonBody(wire): JsonBody<ShipWire>,
        ) -> Result<Json<DefinitionsView>, Problem> {
            let permit = changes(&caller)?;
            let expected = expected(&headers)?.unwrap_or(Expected::Anything);
            let shipped = blocking(move || {
                winner::ship(&app, &permit, ($kind, &key), expected, &wire.variation)
            });
            Ok(Json(shipped.await?.into()))
        }
    };
}

ship_route!(
    /// Gives everybody the winning variation and stops the experiment: it becomes its feature's default,
    /// or, of changes to a page, an experience of the experiment's key. Answers both, the experiment first.
    ship_experiment,
    Kind::Experiment,
    "experiments",
    "/v1/experiments/{key}/ship"
);
ship_route!(
    /// Gives everybody whom the experience is for the winning variation. It runs on and keeps what it tested;
    /// an earlier revision tests again. Where the winner leaves things as they are, it stops.
    ship_experience,
    Kind::Experience,
    "experiences",
    "/v1/experiences/{key}/ship"
);

fn reads(caller: &Caller) -> Result<Permit, Problem> {
    authorize(&caller.principal, Action::ReadExperiments, Resource::Own)
}

fn changes(caller: &Caller) -> Result<Permit, Problem> {
    authorize(&caller.principal, Action::ChangeExperiments, Resource::Own)
}

fn told(one: Definition) -> Response {
    let tag = HeaderValue::from_str(&format!("\"{}\"", one.revision));
    let tag = tag.ok().map(|tag| [(header::ETAG, tag)]);
    (tag, Json(DefinitionView::from(one))).into_response()
}

/// What `If-Match` says: a revision as an entity tag, or `*`.
fn expected(headers: &HeaderMap) -> Result<Option<Expected>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(Some(Expected::Anything));
    }
    let revision = text.trim_matches('"').parse();
    revision.map(|revision| Some(Expected::Revision(revision))).map_err(|_| {
        Problem::Malformed("`If-Match` is a revision such as `\"3\"`, or `*`".to_owned())
    })
}
