//! The OpenFeature Remote Evaluation Protocol: flags, asked one by one or all at once, by whatever
//! provider speaks it. A write key authenticates, as `Authorization: Bearer` or `X-API-Key`.

use super::growthbook::{Reader, stream};
use super::visitor::{context, json};
use crate::app::Shared;
use crate::collect::{Parcel, may_send};
use crate::error::{Problem, ProblemView, blocking};
use crate::identity::{Action, Resource, Scope, authorize};
use crate::request::{InPath, same, tag};
use crate::secret::Sha256Digest;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use rapport_core::experiment::Asker;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// A client in the background need not listen after so many seconds.
const INACTIVITY: u32 = 120;

/// Why nothing could be said, in the protocol's words.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailureView {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// `PARSE_ERROR`, `INVALID_CONTEXT`, `FLAG_NOT_FOUND` or `GENERAL`.
    #[schema(example = "FLAG_NOT_FOUND")]
    error_code: &'static str,
    error_details: String,
}

/// One flag for one visitor: `key`, `value`, `reason`, `variant`, `metadata`. Without a `value` the
/// caller's own default counts.
#[utoipa::path(post, path = "/ofrep/v1/evaluate/flags/{key}", tag = "flags", params(("key" = String, Path)), request_body = serde_json::Value,
    responses((status = 200, body = serde_json::Value), (status = 400, body = FailureView), (status = 401, body = ProblemView), (status = 403, body = ProblemView),
        (status = 404, body = FailureView), (status = 413, body = ProblemView), (status = 429, body = ProblemView)))]
pub async fn one(
    State(app): State<Shared>,
    InPath(key): InPath<String>,
    parcel: Parcel,
) -> Result<Response, Problem> {
    let scope = asks(&app, &parcel)?;
    let asked = match asked(&parcel.body) {
        Ok(asked) => asked,
        Err(failure) => {
            let failure = FailureView { key: Some(key), ..failure };
            return Ok((StatusCode::BAD_REQUEST, Json(failure)).into_response());
        }
    };
    let answered = blocking(move || -> Result<_, Problem> {
        let open = app.flags.get(&app, scope)?;
        let answer = json(&Asker::new(&asked.context()).resolution(&open.flags, &key));
        let status = match answer["errorCode"].as_str() {
            None => StatusCode::OK,
            Some("FLAG_NOT_FOUND") => StatusCode::NOT_FOUND,
            Some(_) => StatusCode::BAD_REQUEST,
        };
        Ok((status, answer))
    });
    let (status, answer) = answered.await?;
    Ok((status, Json(answer)).into_response())
}

/// All flags for one visitor. Whoever asks with a write key is told in `eventStreams` where changes are. `ETag` and `If-None-Match` save the answer where it is the same.
#[utoipa::path(post, path = "/ofrep/v1/evaluate/flags", tag = "flags", request_body = serde_json::Value,
    params(("flagConfigEtag" = Option<String>, Query, description = "what a stream told; every answer is the newest all the same"), ("flagConfigLastModified" = Option<String>, Query)),
    responses((status = 200, body = serde_json::Value), (status = 304, description = "as before"), (status = 400, body = FailureView), (status = 401, body = ProblemView),
        (status = 403, body = ProblemView), (status = 413, body = ProblemView), (status = 429, body = ProblemView)))]
pub async fn all(
    State(app): State<Shared>,
    headers: HeaderMap,
    parcel: Parcel,
) -> Result<Response, Problem> {
    let scope = asks(&app, &parcel)?;
    let streams = write_key(&headers).map(|key| {
        let endpoint = json!({ "requestUri": format!("/ofrep/v1/changes/{key}") });
        json!([{ "type": "sse", "endpoint": endpoint, "inactivityDelaySec": INACTIVITY }])
    });
    let asked = match asked(&parcel.body) {
        Ok(asked) => asked,
        Err(failure) => return Ok((StatusCode::BAD_REQUEST, Json(failure)).into_response()),
    };
    let answered = blocking(move || -> Result<_, Problem> {
        let open = app.flags.get(&app, scope)?;
        let (context, version) = (asked.context(), open.tag.trim_matches('"').to_owned());
        let asker = Asker::new(&context);
        let features = open.flags.features.iter();
        let flags: Vec<_> =
            features.map(|feature| json(&asker.resolution(&open.flags, &feature.key))).collect();
        let mut answer = json!({ "flags": flags, "metadata": { "version": version } });
        if let Some(streams) = streams {
            answer["eventStreams"] = streams;
        }
        Ok(answer.to_string())
    });
    let text = answered.await?;
    // Of the answer itself: what another version or visitor gets may be the same.
    let digest = Sha256Digest::of(text.as_bytes()).to_string();
    let known = format!("\"{}\"", digest.get(..32).unwrap_or_default());
    let fixed = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::ETAG, tag(&known)),
    ];
    Ok(if same(&headers, &known) {
        (StatusCode::NOT_MODIFIED, fixed).into_response()
    } else {
        (fixed, text).into_response()
    })
}

/// Says that flags changed, and no more: a stream of server-sent events, each a `refetchEvaluation`.
#[utoipa::path(get, path = "/ofrep/v1/changes/{key}", tag = "flags", security(()), params(("key" = String, Path, description = "write key")),
    responses((status = 200, content_type = "text/event-stream"), (status = 401, body = ProblemView), (status = 429, body = ProblemView)))]
pub async fn changes(
    State(app): State<Shared>,
    InPath(key): InPath<String>,
) -> Result<Response, Problem> {
    let Reader { caller, scope, .. } = Reader::of(&app, &key).await?;
    stream(app, caller, scope, None, |open| {
        let (etag, seconds) = (&open.tag, open.changed_at.div_euclid(1000));
        let told = json!({ "type": "refetchEvaluation", "etag": etag, "lastModified": seconds });
        Event::default().event("message").id(etag.trim_matches('"')).data(told.to_string())
    })
    .await
}

/// The public key that a request came with; a secret one stands in no address.
fn write_key(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|text| text.split_once(' ')).map(|(_, key)| key.trim());
    let own = headers.get("x-api-key").and_then(|value| value.to_str().ok());
    bearer.or(own).filter(|key| key.starts_with("wk_"))
}

fn asks(app: &Shared, parcel: &Parcel) -> Result<Scope, Problem> {
    let principal = parcel.sender.principal();
    let scope = authorize(principal, Action::Decide, Resource::Own)?.scope();
    may_send(app, principal, &parcel.source, 1)?;
    Ok(scope)
}

/// Whom a request is about.
struct Asked(Map<String, Value>);

fn asked(body: &[u8]) -> Result<Asked, FailureView> {
    let failure = |error_code, error_details| FailureView { key: None, error_code, error_details };
    let mut body: Value = serde_json::from_slice(body)
        .map_err(|error| failure("PARSE_ERROR", format!("the body is not JSON: {error}")))?;
    match body.get_mut("context").map(Value::take) {
        None if body.is_object() => Ok(Asked(Map::new())),
        Some(Value::Object(attributes)) => Ok(Asked(attributes)),
        _ => Err(failure("INVALID_CONTEXT", "`context` must be an object".to_owned())),
    }
}

impl Asked {
    /// The targeting key is what experiments split by, where nothing else is.
    fn context(&self) -> rapport_core::targeting::Value<'static> {
        let mut attributes = self.0.clone();
        if let Some(key) = attributes.get("targetingKey").cloned() {
            attributes.entry("id").or_insert(key);
        }
        let url = attributes.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
        context(attributes, &url, Map::new())
    }
}
