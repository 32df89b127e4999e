//! `GET /v1/pixel.gif`: an event from where no script runs, such as an e-mail or `<noscript>`.

use super::batch::Batch;
use super::body::plain;
use super::http::collect;
use super::source::Source;
use crate::app::Shared;
use crate::error::{Problem, ProblemView};
use crate::identity::Sender;
use crate::request::InQuery;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

/// One pixel, transparent.
const GIF: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";

/// What the pixel's address says.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PixelWire {
    /// The write key.
    #[param(required = true)]
    #[serde(rename = "key")]
    _key: Option<String>,
    /// One event, as JSON in base 64 (url-safe); a view of the page that shows the pixel where left out.
    data: Option<String>,
}

/// Takes one event and answers with an invisible picture. A visitor without an id is told apart for
/// a day, without a cookie.
#[utoipa::path(get, path = "/v1/pixel.gif", tag = "collect", params(PixelWire),
    responses((status = 200, content_type = "image/gif"), (status = 400, body = ProblemView), (status = 401, body = ProblemView),
        (status = 403, body = ProblemView), (status = 429, body = ProblemView), (status = 507, body = ProblemView)))]
pub async fn pixel(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let sender = Sender::from_request_parts(&mut parts, &app).await?;
    let InQuery(wire) = InQuery::<PixelWire>::from_request_parts(&mut parts, &app).await?;
    let source = Source::of(&parts, app.proxies);
    let body = match wire.data {
        Some(data) => plain(data)?,
        None => page_view(&source),
    };
    let mut room = app.writer.backlog().room()?;
    room.grow(body.len())?;
    let mut batch = Batch::read(&body)?;
    batch.cookieless = true;
    collect(&app, sender.principal(), &source, &batch, room).await?;
    let headers =
        [(header::CONTENT_TYPE, "image/gif"), (header::CACHE_CONTROL, "no-store, private")];
    Ok((headers, GIF).into_response())
}

fn page_view(source: &Source) -> Vec<u8> {
    let url = source.referrer.as_deref().unwrap_or_default();
    let path =
        url.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
    let path = path.map_or("/", |path| path.split(['?', '#']).next().unwrap_or_default());
    json!({ "type": "page", "context": { "page": { "url": url, "path": path } } })
        .to_string()
        .into_bytes()
}
