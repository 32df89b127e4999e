//! Bodies and paths, refused with a problem document where they are no good.

use crate::error::Problem;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header;
use serde::de::DeserializeOwned;

/// Administrative bodies are short.
const MAX_JSON: usize = 64 * 1024;

/// A JSON body of an administrative request; must be declared as JSON, which no foreign form can do.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
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
        let bytes = bounded(request.into_body(), MAX_JSON).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            Problem::Malformed(format!("the body is not what this takes: {error}"))
        })
    }
}

/// The whole body, if it holds at most `limit` bytes.
///
/// # Errors
/// [`Problem::TooLarge`] as soon as it holds more; [`Problem::Malformed`] where it breaks off.
pub async fn bounded(body: Body, limit: usize) -> Result<Bytes, Problem> {
    use axum::body::HttpBody;
    if body.size_hint().lower() > limit as u64 {
        return Err(Problem::TooLarge(limit));
    }
    axum::body::to_bytes(body, limit).await.map_err(|error| {
        let too_large = std::error::Error::source(&error)
            .is_some_and(|source| source.to_string().contains("length limit"));
        if too_large {
            Problem::TooLarge(limit)
        } else {
            Problem::Malformed("the body broke off".to_owned())
        }
    })
}
