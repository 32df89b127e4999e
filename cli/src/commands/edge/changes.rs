//! News of bundles: heard from the backend, and told to who listens here.

use super::host::Machine;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rapport_edge::{Edge, Heard, KEEP_ALIVE, Listener, STREAM_HEADERS, patience};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::channel;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

/// So many may listen at once.
static ROOM: Semaphore = Semaphore::const_new(1_000);
/// How often it is looked whether there is anything to tell.
const LOOK: Duration = Duration::from_millis(250);
const QUIET: Duration = Duration::from_secs(15);

/// A stream of what changes, until the listener leaves.
pub fn stream(edge: Arc<Edge>, mut listener: Listener) -> Response {
    let Ok(place) = ROOM.try_acquire() else {
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "30")]).into_response();
    };
    let (sender, told) = channel::<Result<String, Infallible>>(1);
    tokio::spawn(async move {
        let _place = place;
        let mut spoke = Instant::now();
        while !sender.is_closed() {
            let quiet = || (spoke.elapsed() >= QUIET).then(|| KEEP_ALIVE.to_owned());
            if let Some(text) = listener.news(&edge).or_else(quiet) {
                spoke = Instant::now();
                let _ = sender.send(Ok(text)).await;
            }
            tokio::time::sleep(LOOK).await;
        }
    });
    (STREAM_HEADERS, Body::from_stream(ReceiverStream::new(told))).into_response()
}

/// Listens to the backend for as long as the process lives, and looks for a bundle whenever it tells of one.
pub async fn follow(edge: Arc<Edge>, machine: Arc<Machine>, hurry: u32) {
    let mut failures = 0;
    loop {
        if let Ok(stream) = machine.stream(Heard::request(&edge)).await {
            failures = 0;
            // What was told before is missed.
            look(&edge, &machine).await;
            let (mut heard, mut pieces) = (Heard::default(), stream.into_data_stream());
            while let Some(Ok(piece)) = pieces.next().await {
                if heard.is_news(&piece) {
                    look(&edge, &machine).await;
                }
            }
        }
        let wait = Duration::from_millis(patience(failures, 128).unsigned_abs());
        failures = failures.saturating_add(1);
        tokio::time::sleep(wait / hurry.max(1)).await;
    }
}

async fn look(edge: &Edge, machine: &Machine) {
    if let Err(problem) = edge.refresh(machine).await {
        tracing::warn!("no newer bundle: {problem}");
    }
}
