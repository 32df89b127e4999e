//! Publishing, the one mutable address, and the immutable parts.

use super::script::script;
use super::service::{current, page_config, part, part_for_servers, publish, verifying_key};
use super::view::{PublicationView, PublishWire, PublishedView};
use crate::app::Shared;
use crate::error::{Problem, ProblemView, blocking};
use crate::files::{Encoding, PartName};
use crate::identity::{Action, Caller, Resource, authorize};
use crate::request::{InPath, bounded, same, tag};
use crate::secret::Sha256Digest;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::collections::BTreeMap;

const MAX_BUNDLE: usize = 8 * 1024 * 1024;
const MUTABLE: HeaderValue =
    HeaderValue::from_static("public, max-age=60, stale-while-revalidate=86400");
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Publishes a bundle: compiles its parts, signs their manifest and makes it the current one.
/// Says what was left out, and everything that a competitor can read from then on.
#[utoipa::path(post, path = "/v1/bundles", tag = "bundles", request_body = PublishWire,
    responses((status = 201, body = PublishedView), (status = 400, body = ProblemView), (status = 401, body = ProblemView),
        (status = 403, body = ProblemView), (status = 413, body = ProblemView)))]
pub async fn publish_bundle(
    State(app): State<Shared>,
    caller: Caller,
    body: Body,
) -> Result<(StatusCode, Json<PublishedView>), Problem> {
    let permit = authorize(&caller.principal, Action::PublishBundle, Resource::Own)?;
    let body = bounded(body, MAX_BUNDLE).await?;
    let published = blocking(move || {
        let wire: PublishWire = serde_json::from_slice(&body)
            .map_err(|error| Problem::Malformed(format!("the body is not a bundle: {error}")))?;
        let mut models = BTreeMap::new();
        for (name, file) in wire.models {
            let bytes = BASE64_STANDARD.decode(file).map_err(|error| {
                Problem::Malformed(format!("model `{name}` is not base 64: {error}"))
            })?;
            models.insert(name, bytes);
        }
        publish(&app, &permit, wire.bundle, &models)
    });
    Ok((StatusCode::CREATED, Json(published.await?.into())))
}

/// The current publication: the signed manifest, and what to verify it with.
#[utoipa::path(get, path = "/v1/bundles/current", tag = "bundles",
    responses((status = 200, body = PublicationView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView)))]
pub async fn current_bundle(
    State(app): State<Shared>,
    caller: Caller,
) -> Result<Json<PublicationView>, Problem> {
    let scope = authorize(&caller.principal, Action::ReadPublished, Resource::Own)?.scope();
    let found = blocking(move || -> Result<_, Problem> {
        let (_, publication) = current(&app, scope)?;
        Ok(PublicationView::new(publication, verifying_key(&app, scope)?.as_bytes()))
    });
    found.await.map(Json)
}

/// A part of a bundle by its hash, as its manifest names it: for servers, which decide by parts that no
/// page may read.
#[utoipa::path(get, path = "/v1/bundles/parts/{hash}", tag = "bundles", params(("hash" = String, Path)),
    responses((status = 200, content_type = "application/octet-stream"), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView)))]
pub async fn part_of_publication(
    State(app): State<Shared>,
    caller: Caller,
    InPath(hash): InPath<String>,
) -> Result<Response, Problem> {
    let scope = authorize(&caller.principal, Action::ReadPublished, Resource::Own)?.scope();
    let digest = Sha256Digest::parse(&hash).ok_or(Problem::NotFound("part"))?;
    let bytes = blocking(move || part_for_servers(&app, scope, digest)).await?;
    // Nobody between may keep what it was not asked for by name.
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable")),
    ];
    Ok((headers, bytes).into_response())
}

/// `KEY.js` is all that a page needs but for the engines; `KEY.json` is the configuration alone.
/// The one address whose answer changes: it names all immutable parts.
#[utoipa::path(get, path = "/v1/sdk/{file}", tag = "bundles", security(()), params(("file" = String, Path, description = "write key and `.js` or `.json`")),
    responses((status = 200, content_type = "text/javascript"), (status = 304), (status = 401, body = ProblemView), (status = 404, body = ProblemView)))]
pub async fn sdk(
    State(app): State<Shared>,
    InPath(file): InPath<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Some((key, extension @ ("js" | "json"))) = file.rsplit_once('.') else {
        return Err(Problem::NotFound("file"));
    };
    let key = key.to_owned();
    let caller = Caller::of_write_key(&app, &key).await?;
    let scope = authorize(&caller.principal, Action::ReadBundle, Resource::Own)?.scope();
    if extension == "json" {
        let config = blocking(move || page_config(&app, scope, &key)).await?;
        return Ok(([(header::CACHE_CONTROL, MUTABLE)], Json(config.wire)).into_response());
    }
    let (etag, file) = blocking(move || -> Result<_, Problem> {
        let name = script(&app, scope, &key)?;
        let etag = format!("\"{}\"", name.digest);
        if same(&headers, &etag) {
            return Ok((etag, None));
        }
        let file = part(&app, scope, name, accepts_brotli(&headers))?;
        Ok((etag, Some(packed(name, file, MUTABLE))))
    })
    .await?;
    let unchanged =
        || (StatusCode::NOT_MODIFIED, [(header::CACHE_CONTROL, MUTABLE)]).into_response();
    let mut response = file.unwrap_or_else(unchanged);
    response.headers_mut().insert(header::ETAG, tag(&etag));
    Ok(response)
}

/// An immutable part that the configuration named. Packed with brotli where the client takes it.
#[utoipa::path(get, path = "/v1/parts/{key}/{name}", tag = "bundles", security(()), params(("key" = String, Path), ("name" = String, Path)),
    responses((status = 200, content_type = "application/octet-stream"), (status = 401, body = ProblemView), (status = 404, body = ProblemView)))]
pub async fn part_of_bundle(
    State(app): State<Shared>,
    InPath((key, name)): InPath<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let caller = Caller::of_write_key(&app, &key).await?;
    let scope = authorize(&caller.principal, Action::ReadBundle, Resource::Own)?.scope();
    let name = PartName::parse(&name).ok_or(Problem::NotFound("part"))?;
    let brotli = accepts_brotli(&headers);
    let file = blocking(move || part(&app, scope, name, brotli)).await?;
    Ok(packed(name, file, IMMUTABLE))
}

/// A file as it is kept.
fn packed(name: PartName, (encoding, bytes): (Encoding, Vec<u8>), cache: HeaderValue) -> Response {
    let fixed: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(name.kind.media_type())),
        (header::CACHE_CONTROL, cache),
        (header::VARY, HeaderValue::from_static("Accept-Encoding")),
    ];
    let mut response = (fixed, bytes).into_response();
    if encoding == Encoding::Brotli {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
    }
    response
}

fn accepts_brotli(headers: &HeaderMap) -> bool {
    let accepted =
        headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        parts.next() == Some("br")
            && parts.all(|weight| !matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}
