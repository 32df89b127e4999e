//! `GET /v1/live`, and the page that listens to it.

use crate::app::Shared;
use crate::error::{Problem, ProblemView, blocking};
use crate::identity::{Action, Caller, Principal, Resource, Scope, authorize};
use crate::profiles::{VisitorView, visitors};
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

const SNAPSHOT: u32 = 100;
const BUFFER: usize = 64;
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Who fell behind comes back after this long.
const COME_BACK: Duration = Duration::from_secs(1);

/// Streams visitors as their scores move: first `snapshot` with the latest hundred, then a
/// `visitor` for each change and `gone` for who was erased. Who does not keep up gets `lagged` and
/// the stream ends; the next one begins with a snapshot again.
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

/// Runs until the listener leaves, falls behind, may listen no longer, or the server stops.
async fn feed(app: Shared, caller: Caller, scope: Scope, out: Out) {
    let mut stopping = app.stopping.subscribe();
    // What happens while the snapshot is made follows it.
    let news = app.feed.subscribe(scope);
    let tell = async {
        if snapshot(&app, scope, &out).await.is_some() {
            pass_on(news, &out).await;
        }
    };
    tokio::select! {
        () = tell => {}
        () = caller.revoked(&app, scope.workspace) => {}
        () = out.closed() => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}

/// Sends news on. Who falls behind is told so and dropped: the next connection begins with a snapshot.
async fn pass_on(mut news: broadcast::Receiver<Event>, out: &Out) {
    loop {
        let (event, last) = match news.recv().await {
            Ok(event) => (event, false),
            Err(RecvError::Lagged(missed)) => {
                let event = Event::default().event("lagged").data(missed.to_string());
                (event.retry(COME_BACK), true)
            }
            Err(RecvError::Closed) => return,
        };
        if send(out, event).await.is_none() || last {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{SubjectId, WorkspaceId};
    use crate::live::{Feed, Happening};

    #[tokio::test]
    async fn who_does_not_keep_up_is_told_so_and_holds_nobody_up() {
        let (feed, scope) = (Feed::default(), Scope::live(WorkspaceId::INSTALLATION));
        let (slow, mut quick) = (feed.subscribe(scope), feed.subscribe(scope));
        for number in 0..1000_u128 {
            feed.tell(scope, Happening::Gone(SubjectId(number.to_be_bytes())));
            assert!(quick.recv().await.is_ok());
        }
        let (out, mut stream) = mpsc::channel(BUFFER);
        pass_on(slow, &out).await;
        drop(out);
        let told = format!("{:?}", stream.recv().await.unwrap().unwrap());
        assert!(told.contains("event: lagged"), "{told}");
        assert!(stream.recv().await.is_none(), "nothing follows");
    }
}
