//! What is left of a body when the answer is known before its end.

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// A body that, left before its end, is still read and thrown away for a while. Most clients look for
/// an answer only when they have sent everything; a connection closed before that would lose it.
pub struct Remainder {
    body: Option<Incoming>,
    linger: Option<Duration>,
}

impl Remainder {
    /// Without `linger`, of a client that waits to be asked for the body, nothing is read that nobody reads.
    pub fn new(body: Incoming, linger: Option<Duration>) -> Self {
        Self { body: Some(body), linger }
    }
}

impl Body for Remainder {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for Remainder {
    fn drop(&mut self) {
        let (Some(mut body), Some(linger)) = (self.body.take(), self.linger) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if body.is_end_stream() {
            return;
        }
        runtime.spawn(tokio::time::timeout(linger, async move {
            while let Some(Ok(_)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
            {
            }
        }));
    }
}
