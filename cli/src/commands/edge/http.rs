//! The edge's routes on axum: converts, asks, converts back.

use super::changes;
use super::host::Machine;
use super::site::{encoding, rewritten};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::request::Parts;
use axum::http::{Request as HttpRequest, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rapport_edge::{Answer, Edge, Listener, MAX_BODY, Method, Place, Request};
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
        return site(edge, &machine, described(&head, peer, Vec::new()), head, body).await;
    }
    let request = described(&head, peer, Vec::new());
    match Listener::of(&edge, &request) {
        Some(Ok(listener)) => return changes::stream(edge, listener),
        Some(Err(refused)) => return response(refused),
        None => {}
    }
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let request = Request { body: body.to_vec(), ..request };
    response(edge.answer(&*machine, &request).await)
}

/// A request as the edge reads it.
fn described(head: &Parts, peer: SocketAddr, body: Vec<u8>) -> Request {
    let headers = head.headers.iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    // Each proxy adds the address that it was called from.
    let before = head.headers.get("x-forwarded-for").and_then(|value| value.to_str().ok());
    let peer = peer.ip().to_string();
    Request {
        method: Method::named(head.method.as_str()),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body,
        place: Place::default(),
        address: Some(before.map_or(peer.clone(), |before| format!("{before}, {peer}"))),
    }
}

/// Answers a request that is for the site.
async fn site(
    edge: Arc<Edge>,
    machine: &Machine,
    asked: Request,
    mut head: Parts,
    body: Body,
) -> Response {
    let plan = edge.plan(machine, &asked).await;
    if let Some(address) = asked.address.as_ref().and_then(|address| address.parse().ok()) {
        head.headers.insert("x-forwarded-for", address);
    }
    if let Some(plan) = &plan {
        // What is packed cannot be changed, and what the browser has is another page.
        for name in [header::ACCEPT_ENCODING, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE] {
            head.headers.remove(name);
        }
        if let Some(known) = plan.known(&asked).and_then(|known| known.parse().ok()) {
            head.headers.insert(header::IF_NONE_MATCH, known);
        }
    }
    let answer = match machine.site(head, body).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!("the site cannot be asked: {error}");
            return StatusCode::BAD_GATEWAY.into_response();
        }
    };
    let (mut head, page) = answer.into_parts();
    let said = |name: &str| {
        let all: Vec<&str> =
            head.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        (!all.is_empty()).then(|| all.join(", "))
    };
    let todo = plan.and_then(|plan| plan.rewrite(head.status.as_u16(), said));
    let Some(todo) = todo else { return Response::from_parts(head, page) };
    let encoding = encoding(&head.headers);
    if encoding.is_none() && !todo.unchanged {
        return Response::from_parts(head, page);
    }
    for name in todo.dropped {
        head.headers.remove(*name);
    }
    for (name, value) in &todo.headers {
        let Ok(value) = value.parse() else { continue };
        if *name == "set-cookie" {
            head.headers.append(*name, value);
        } else {
            head.headers.insert(*name, value);
        }
    }
    let page = match encoding.filter(|_| !todo.unchanged) {
        Some(encoding) => rewritten(edge, page, todo, encoding),
        None => page,
    };
    Response::from_parts(head, page)
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
