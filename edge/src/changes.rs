//! Who listens hears of each bundle that comes into force, as server-sent events.

use crate::answer::Answer;
use crate::edge::Edge;
use crate::request::{Method, Request};
use rapport_core::event::Millis;
use serde_json::json;

/// A stream begins so.
pub const HEADERS: [(&str, &str); 4] = [
    ("content-type", "text/event-stream"),
    ("cache-control", "no-store"),
    // Proxies that buffer would hold news back.
    ("x-accel-buffering", "no"),
    ("access-control-allow-origin", "*"),
];
/// Says nothing, so that nobody in between takes the stream for dead.
pub const KEEP_ALIVE: &str = ":\n\n";
/// Where the backend tells of its bundles.
const NEWS: &str = "event: bundle";

/// Somebody who listens, and what they were told last.
#[derive(Debug, Clone)]
pub struct Listener {
    openfeature: bool,
    told: Option<String>,
}

impl Listener {
    /// The listener that a request is; what refuses it where it may not listen. `None` is any other request.
    pub fn of(edge: &Edge, request: &Request) -> Option<Result<Self, Answer>> {
        let openfeature = request.path.starts_with("/ofrep/v1/changes/");
        let listens = openfeature || request.path.starts_with("/sub/");
        if !listens || !matches!(request.method, Method::Get) {
            return None;
        }
        let key = request.path.rsplit('/').next();
        // OpenFeature's clients know what they have; ours begin with what there is.
        let told = if openfeature { edge.in_force().map(|(hash, _)| hash) } else { None };
        Some(edge.own(key).map(|()| Self { openfeature, told }).map_err(Answer::from))
    }

    /// What is to be told now.
    pub fn news(&mut self, edge: &Edge) -> Option<String> {
        let (hash, Millis(since)) = edge.in_force()?;
        if self.told.as_ref() == Some(&hash) {
            return None;
        }
        let event = if self.openfeature {
            let tag = hash.get(..32).unwrap_or_default();
            let told = json!({ "type": "refetchEvaluation", "etag": format!("\"{tag}\""), "lastModified": since.div_euclid(1000) });
            format!("event: message\nid: {tag}\ndata: {told}\n\n")
        } else {
            format!("{NEWS}\ndata: {hash}\n\n")
        };
        self.told = Some(hash);
        Some(event)
    }
}

/// What the backend's own stream says, as it comes in pieces.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// What came of the line that is coming, as far as it may be news.
    line: Vec<u8>,
}

impl Heard {
    /// The request for that stream.
    pub fn request(edge: &Edge) -> Request {
        Request::get(&format!("/sub/{}", edge.key()))
    }

    /// Whether a piece tells of another bundle.
    pub fn is_news(&mut self, piece: &[u8]) -> bool {
        let mut news = false;
        for byte in piece {
            match byte {
                b'\n' | b'\r' => news |= std::mem::take(&mut self.line) == NEWS.as_bytes(),
                _ if self.line.len() <= NEWS.len() => self.line.push(*byte),
                _ => {}
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_is_heard_however_it_is_cut_to_pieces() {
        let stream = b"event: features\ndata: event: bundle\n\n: \nevent: bundle\ndata: abc\n\nevent: bundles\n\n";
        for size in 1..stream.len() {
            let mut heard = Heard::default();
            let news = stream.chunks(size).filter(|piece| heard.is_news(piece)).count();
            assert_eq!(news, 1, "in pieces of {size}");
        }
    }
}
