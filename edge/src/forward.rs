//! Batches on their way to the backend: asked again until it has them, however long that takes.

use crate::host::Host;
use crate::request::{Method, Request};
use rapport_core::event::Millis;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the backend has to know of who sent a batch.
pub const TOLD: [&str; 4] = ["user-agent", "origin", "referer", "sec-fetch-site"];

/// A batch that was acknowledged, and that the backend does not have yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Waiting {
    /// Milliseconds since 1970 by the edge's clock.
    pub received: i64,
    /// Headers of whoever sent it.
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

/// What became of an attempt to forward a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The backend has it.
    Delivered,
    /// The backend wants none of it, however often it is asked; says why.
    Refused(String),
    /// To be tried again; says why.
    Later(String),
}

impl Waiting {
    /// The request that brings it to the backend at `now`. The backend takes a batch as sent the moment
    /// it arrives: it is told of later sending by as much as the batch waited.
    pub fn request(&self, key: &str, now: Millis) -> Request {
        let waited = (now.0 - self.received).max(0);
        let mut body = self.body.clone();
        shift(body.get_mut("sentAt"), waited);
        for event in body.get_mut("batch").and_then(Value::as_array_mut).into_iter().flatten() {
            shift(event.get_mut("sentAt"), waited);
        }
        let mut headers = self.headers.clone();
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        Request {
            method: Method::Post,
            query: format!("key={key}"),
            headers,
            body: body.to_string().into_bytes(),
            ..Request::get("/v1/events")
        }
    }

    /// Tries to bring it to the backend.
    pub async fn deliver(&self, host: &impl Host, key: &str) -> Fate {
        match host.backend(self.request(key, host.now())).await {
            Ok(answer) if answer.is_good() => Fate::Delivered,
            // A key that is unknown now may be known again: an operator's mistake must cost nothing.
            Ok(answer) if matches!(answer.status, 400 | 413 | 422) => {
                Fate::Refused(String::from_utf8_lossy(&answer.body).into_owned())
            }
            Ok(answer) => Fate::Later(format!("the backend answers {}", answer.status)),
            Err(failure) => Fate::Later(failure.to_string()),
        }
    }
}

fn shift(time: Option<&mut Value>, by: i64) {
    let Some(time) = time else { return };
    let millis = match time.as_str() {
        Some(text) => Millis::parse(text).map(|time| time.0),
        None => time.as_i64(),
    };
    // What is no time the backend refuses, or takes for none, whenever it comes.
    if let Some(millis) = millis {
        *time = Value::from(millis + by);
    }
}

/// How long to wait after so many attempts that failed, in milliseconds; `random` is any number, so
/// that edges do not all come back in the same moment.
pub fn patience(failures: u32, random: u8) -> i64 {
    const FIRST: i64 = 500;
    const MOST: i64 = 30_000;
    let most = (FIRST << failures.min(10)).min(MOST);
    most / 2 + most / 2 * i64::from(random) / 255
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_batch_that_waited_still_happened_when_it_happened() {
        let body = json!({ "sentAt": "2026-11-23T10:00:00.000Z", "batch": [{ "sentAt": 5_000 }, {}, { "sentAt": "never" }] });
        let waiting = Waiting { received: 1_000, headers: Vec::new(), body };
        let sent = waiting.request("wk_live_x", Millis(601_000));
        let sent: Value = serde_json::from_slice(&sent.body).unwrap();
        assert_eq!(sent["sentAt"], Millis::parse("2026-11-23T10:10:00.000Z").unwrap().0);
        assert_eq!(sent["batch"], json!([{ "sentAt": 605_000 }, {}, { "sentAt": "never" }]));
    }

    #[test]
    fn attempts_grow_rarer_but_never_end() {
        let waits: Vec<_> = (0..40).map(|failures| patience(failures, 255)).collect();
        assert_eq!(&waits[..4], &[500, 1_000, 2_000, 4_000]);
        assert!(waits.iter().all(|wait| *wait <= 30_000));
        assert!((0..40).all(|failures| patience(failures, 0) >= 250));
        assert_eq!(patience(u32::MAX, 255), 30_000);
    }
}
