//! `GET /v1/live`, and the page that listens to it.

use super::Happening;
use crate::app::Shared;
use crate::error::{Problem, ProblemView, blocking};
use crate::identity::{Action, Caller, Principal, Resource, Scope, authorize};
use crate::profiles::{VisitorView, visitors};
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::interval;
use tokio_stream::wrappers::ReceiverStream;

const SNAPSHOT: u32 = 100;
const BUFFER: usize = 64;
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A revoked key or an ended session hears nothing after this long.
const DISTRUST: Duration = Duration::from_secs(2);

/// Streams visitors as their scores move: first `snapshot` with the latest hundred, then a
/// `visitor` for each change and `gone` for who was erased.
#[utoipa::path(get, path = "/v1/live", tag = "live",
    responses((status = 200, content_type = "text/event-stream", body = VisitorView),
        (status = 401, body = ProblemView), (status = 403, body = ProblemView)))]
pub async fn stream(
    State(app): State<Shared>,
    caller: Caller,
) -> Result<impl IntoResponse, Problem> {
    let scope = authorize(&caller.principal, Action::ReadVisitors, Resource::Own)?.scope();
    let (out, stream) = mpsc::channel(BUFFER);
    tokio::spawn(feed(app, caller, scope, out));
    let sse =
        Sse::new(ReceiverStream::new(stream)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    // Proxies that buffer would hold news back.
    let headers: [(HeaderName, &str); 2] =
        [(header::CACHE_CONTROL, "no-store"), (HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((headers, sse))
}

type Out = mpsc::Sender<Result<Event, Infallible>>;

/// Runs until the listener leaves, may listen no longer, or the server stops.
async fn feed(app: Shared, caller: Caller, scope: Scope, out: Out) {
    let mut stopping = app.stopping.subscribe();
    let mut news = app.feed.subscribe(scope);
    if snapshot(&app, scope, &out).await.is_none() {
        return;
    }
    let mut revoked = pin!(revoked(&app, &caller, scope));
    loop {
        let heard = tokio::select! {
            () = &mut revoked => return,
            heard = news.recv() => heard,
            _ = stopping.wait_for(|stopping| *stopping) => return,
            () = out.closed() => return,
        };
        let sent = match heard {
            Ok(happening) => send(&out, event(&happening)).await,
            Err(RecvError::Lagged(_)) => snapshot(&app, scope, &out).await,
            Err(RecvError::Closed) => return,
        };
        if sent.is_none() {
            return;
        }
    }
}

/// Returns when the caller may listen no longer.
async fn revoked(app: &Shared, caller: &Caller, scope: Scope) {
    let mut look_again = interval(DISTRUST);
    loop {
        look_again.tick().await;
        let (app, caller) = (app.clone(), caller.clone());
        let answer = blocking(move || caller.still_opens(&app, scope.workspace)).await;
        if !answer.inspect_err(|error| tracing::error!(%error, "live feed")).unwrap_or(false) {
            return;
        }
    }
}

async fn snapshot(app: &Shared, scope: Scope, out: &Out) -> Option<()> {
    let app = app.clone();
    let latest = blocking(move || visitors(&app, scope, SNAPSHOT)).await;
    let latest = latest.inspect_err(|error| tracing::error!(%error, "live snapshot")).ok()?;
    send(out, Event::default().event("snapshot").json_data(latest).ok()?).await
}

async fn send(out: &Out, event: Event) -> Option<()> {
    out.send(Ok(event)).await.ok()
}

fn event(happening: &Happening) -> Event {
    match happening {
        Happening::Visitor(visitor) => {
            let event = Event::default().event("visitor").json_data(visitor);
            event.unwrap_or_else(|_| Event::default().comment("unspeakable"))
        }
        Happening::Gone(subject) => Event::default().event("gone").data(subject.to_string()),
    }
}

const PAGE: &str = include_str!("page/live.html");
const SCRIPT: &str = include_str!("page/live.js");
const STYLE: &str = include_str!("page/live.css");

/// The live page. It holds no data; what it shows it asks for with the session.
#[utoipa::path(get, path = "/live", tag = "pages", security(()), responses((status = 200, content_type = "text/html")))]
pub async fn page() -> Result<impl IntoResponse, Problem> {
    asset("text/html; charset=utf-8", PAGE)
}

/// The live page's script.
#[utoipa::path(get, path = "/live/live.js", tag = "pages", security(()), responses((status = 200, content_type = "text/javascript")))]
pub async fn script() -> Result<impl IntoResponse, Problem> {
    asset("text/javascript; charset=utf-8", SCRIPT)
}

/// The live page's style.
#[utoipa::path(get, path = "/live/live.css", tag = "pages", security(()), responses((status = 200, content_type = "text/css")))]
pub async fn style() -> Result<impl IntoResponse, Problem> {
    asset("text/css; charset=utf-8", STYLE)
}

fn asset(media_type: &'static str, text: &'static str) -> Result<impl IntoResponse, Problem> {
    authorize(&Principal::anyone(), Action::ReadDocumentation, Resource::Public)?;
    Ok(([(header::CONTENT_TYPE, media_type), (header::CACHE_CONTROL, "no-cache")], text))
}
