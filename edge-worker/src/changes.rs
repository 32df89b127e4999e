//! News of bundles: heard from the backend for as long as somebody listens here, and told to them.

use crate::host::Platform;
use futures_util::future::{Either, select};
use futures_util::stream::unfold;
use futures_util::{FutureExt, StreamExt};
use rapport_edge::{Edge, Heard, KEEP_ALIVE, Listener, STREAM_HEADERS};
use std::sync::Arc;
use std::time::Duration;
use worker::{ByteStream, Delay, Headers, Response, Result};

/// How often it is looked whether there is anything to tell.
const LOOK: Duration = Duration::from_millis(500);
/// After so many looks without anything to tell that is told.
const QUIET: u32 = 30;

struct Listening {
    edge: Arc<Edge>,
    platform: Platform,
    listener: Listener,
    heard: Heard,
    /// The backend's stream; `None` while it is away.
    backend: Option<ByteStream>,
    looks: u32,
}

/// A stream of what changes, until the listener leaves.
pub fn stream(edge: Arc<Edge>, platform: Platform, listener: Listener) -> Result<Response> {
    let heard = Heard::default();
    let listening = Listening { edge, platform, listener, heard, backend: None, looks: 0 };
    let told = unfold(listening, |mut listening| async {
        let text = listening.next().await;
        Some((Ok::<_, worker::Error>(text.into_bytes()), listening))
    });
    let headers = Headers::new();
    for (name, value) in STREAM_HEADERS {
        headers.set(name, value)?;
    }
    Ok(Response::from_stream(told)?.with_headers(headers))
}

impl Listening {
    /// What is told next.
    async fn next(&mut self) -> String {
        loop {
            if let Some(text) = self.listener.news(&self.edge) {
                self.looks = 0;
                return text;
            }
            if self.looks >= QUIET {
                self.looks = 0;
                return KEEP_ALIVE.to_owned();
            }
            self.looks += 1;
            self.wait().await;
        }
    }

    /// Until there may be something to tell.
    async fn wait(&mut self) {
        let Some(backend) = &mut self.backend else {
            let asked = self.platform.fetch(Heard::request(&self.edge)).await;
            let good = asked.ok().filter(|answer| answer.status_code() == 200);
            self.backend = good.and_then(|mut answer| answer.stream().ok());
            // What was told before is missed.
            return if self.backend.is_some() {
                self.look().await
            } else {
                Delay::from(LOOK).await
            };
        };
        match select(backend.next(), Delay::from(LOOK).boxed_local()).await {
            Either::Left((Some(Ok(piece)), _)) if self.heard.is_news(&piece) => self.look().await,
            Either::Left((Some(Ok(_)), _)) | Either::Right(_) => {}
            Either::Left(_) => self.backend = None,
        }
    }

    async fn look(&self) {
        if let Err(problem) = self.edge.refresh(&self.platform).await {
            worker::console_warn!("no newer bundle: {problem}");
        }
    }
}
