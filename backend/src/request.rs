//! What requests carry, refused with a problem document where it is no good.

use crate::error::Problem;
use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use serde::de::DeserializeOwned;
use tokio_stream::StreamExt;

/// Most administrative bodies are short.
const MAX_JSON: usize = 64 * 1024;

/// A JSON body of an administrative request; must be declared as JSON, which no foreign form can do.
pub struct JsonBody<T, const MOST: usize = MAX_JSON>(pub T);

impl<T: DeserializeOwned, S: Send + Sync, const MOST: usize> FromRequest<S> for JsonBody<T, MOST> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let kind = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if kind.split(';').next().map(str::trim) != Some("application/json") {
            return Err(Problem::Malformed(
                "the body must be JSON: send `Content-Type: application/json`".to_owned(),
            ));
        }
        let bytes = bounded(request.into_body(), MOST).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            Problem::Malformed(format!("the body is not what this takes: {error}"))
        })
    }
}

/// What stands in the address's path.
pub struct InPath<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for InPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Path::<T>::from_request_parts(parts, state).await;
        read.map(|Path(value)| Self(value)).map_err(|error| Problem::Malformed(error.body_text()))
    }
}

/// What stands behind the address's question mark.
pub struct InQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for InQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = Query::<T>::from_request_parts(parts, state).await;
        read.map(|Query(value)| Self(value)).map_err(|error| Problem::Malformed(error.body_text()))
    }
}

/// The whole body, if it holds at most `limit` bytes.
///
/// # Errors
/// [`Problem::TooLarge`] where it holds more; [`Problem::Malformed`] where it breaks off.
pub async fn bounded(body: Body, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    if body.size_hint().lower() > limit as u64 {
        return Err(Problem::TooLarge(limit));
    }
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::Malformed("the body broke off".to_owned()))?;
        if bytes.len() + chunk.len() > limit {
            return Err(Problem::TooLarge(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// An entity tag as a header.
pub(crate) fn tag(tag: &str) -> HeaderValue {
    HeaderValue::from_str(tag).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether the client has what the tag names.
pub(crate) fn same(headers: &HeaderMap, tag: &str) -> bool {
    let known =
        headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = known.flat_map(|value| value.split(','));
    tags.any(|known| known.trim().trim_start_matches("W/") == tag)
}
