//! The edge's routes on axum: converts, asks, converts back.

use super::host::Machine;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::{Request as HttpRequest, StatusCode};
use axum::response::{IntoResponse, Response};
use rapport_edge::{Answer, Edge, MAX_BODY, Method, Place, Request};
use std::net::SocketAddr;
use std::sync::Arc;

type Shared = (Arc<Edge>, Arc<Machine>);

pub fn router(edge: Arc<Edge>, machine: Arc<Machine>) -> Router {
    Router::new().fallback(answer).with_state((edge, machine))
}

async fn answer(
    State((edge, machine)): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: HttpRequest<Body>,
) -> Response {
    let (head, body) = request.into_parts();
    if !Edge::is_own(head.uri.path()) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let headers = head.headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    // Each proxy adds the address that it was called from.
    let before = head.headers.get("x-forwarded-for").and_then(|value| value.to_str().ok());
    let address = before.map_or(peer.ip().to_string(), |before| format!("{before}, {}", peer.ip()));
    let request = Request {
        method: Method::named(head.method.as_str()),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body: body.to_vec(),
        place: Place::default(),
        address: Some(address),
    };
    response(edge.answer(&*machine, &request).await)
}

fn response(answer: Answer) -> Response {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(answer.body)).unwrap_or_else(|error| {
        tracing::error!("an answer cannot be sent: {error}");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}
