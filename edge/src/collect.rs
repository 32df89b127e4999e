//! `POST /v1/events`: checked by core, put where it outlives everything, acknowledged, and later
//! forwarded. Nothing is acknowledged that could still be lost.

use crate::answer::Answer;
use crate::body::json as json_of;
use crate::bundle::hex;
use crate::forward::{TOLD, Waiting};
use crate::problem::Problem;
use crate::request::Request;
use rapport_core::event::{EventWire, Millis};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// As many as the backend takes at once.
const MAX_BATCH: usize = 500;
const MAX_ID: usize = 256;

/// A body, its events not looked at yet.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BatchWire {
    #[serde(alias = "writeKey")]
    key: Option<String>,
    sent_at: Option<Value>,
    #[serde(alias = "events")]
    batch: Option<Vec<Value>>,
    #[serde(default)]
    hints: bool,
    #[serde(default)]
    cookieless: bool,
    schema_version: Option<u32>,
}

/// A batch that may be kept.
pub struct Batch {
    /// The write key, where it came in the body.
    pub key: Option<String>,
    /// Whether the page waits for what the server knows of its visitor.
    pub hints: bool,
    pub waiting: Waiting,
    /// What was refused of it; the rest is in `waiting`.
    refused: Vec<Refused>,
    count: usize,
}

struct Refused {
    index: usize,
    message_id: Option<String>,
    code: &'static str,
    detail: String,
}

/// The answer, in the backend's form.
#[derive(Serialize)]
struct CollectedView {
    accepted: usize,
    duplicates: usize,
    rejected: Vec<Value>,
    results: Vec<Value>,
}

impl Batch {
    /// Reads and checks a batch, or one event. Each gets what it lacks to be the same message whenever
    /// and however often it is forwarded: an id, and a time by the clock that sent it.
    ///
    /// # Errors
    /// Where the body is no batch.
    pub fn read(request: &Request, now: Millis) -> Result<Self, Problem> {
        let malformed = |error: &dyn std::fmt::Display| {
            Problem::Malformed(format!("the body is not a batch: {error}"))
        };
        let (body, key) = json_of(&request.body)?;
        let wire: BatchWire = serde_json::from_slice(&body).map_err(|error| malformed(&error))?;
        let events = match wire.batch {
            Some(events) => events,
            None => vec![serde_json::from_slice(&body).map_err(|error| malformed(&error))?],
        };
        if events.len() > MAX_BATCH {
            return Err(Problem::Malformed(format!(
                "the batch holds {} events; at most {MAX_BATCH} are allowed",
                events.len()
            )));
        }
        // Without a time of the sender's, what was sent is what was received.
        let sent_at = wire.sent_at.unwrap_or_else(|| json!(now.0));
        let seed = hex(&body);
        let (mut kept, mut refused, count) = (Vec::new(), Vec::new(), events.len());
        for (index, event) in events.into_iter().enumerate() {
            match whole(
                event,
                &sent_at,
                || format!("edge_{now}_{}_{index}", &seed[..16], now = now.0),
                wire.cookieless,
            ) {
                Ok(event) => kept.push(Value::Object(event)),
                Err((message_id, code, detail)) => {
                    refused.push(Refused { index, message_id, code, detail })
                }
            }
        }
        let mut body = json!({ "sentAt": sent_at, "batch": kept });
        if wire.cookieless {
            body["cookieless"] = Value::Bool(true);
        }
        if wire.hints {
            body["hints"] = Value::Bool(true);
        }
        if let Some(version) = wire.schema_version {
            body["schemaVersion"] = Value::from(version);
        }
        let headers = TOLD
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), request.header(name)?.to_owned())));
        let mut headers: Vec<_> = headers.collect();
        headers
            .extend(request.address.clone().map(|address| ("x-forwarded-for".to_owned(), address)));
        // Of all cookies only the one that is for the backend.
        let cookie = request.cookie("rapport_vid").map(|value| format!("rapport_vid={value}"));
        headers.extend(cookie.map(|cookie| ("cookie".to_owned(), cookie)));
        let waiting = Waiting { received: now.0, headers, body };
        Ok(Self { key: wire.key.or(key), hints: wire.hints, waiting, refused, count })
    }

    /// Its events, as a profile folds them; none where nothing may be kept in the visitor's browser.
    pub fn events(&self) -> Vec<EventWire> {
        let body = &self.waiting.body;
        let batch = body["batch"].as_array().filter(|_| body["cookieless"] != true);
        let read = |event: &Value| {
            let mut wire = EventWire::deserialize(event).ok()?;
            wire.sent_at.get_or_insert_with(|| body["sentAt"].clone());
            Some(wire)
        };
        batch.into_iter().flatten().filter_map(read).collect()
    }

    /// Whether anything is left to keep.
    pub fn is_empty(&self) -> bool {
        self.refused.len() == self.count
    }

    /// What the sender is told once everything is kept.
    pub fn acknowledged(&self) -> Answer {
        let mut results = vec![json!({ "status": "accepted" }); self.count];
        let rejected = self.refused.iter().map(|one| {
            let Refused { index, message_id, code, detail } = one;
            let mut shown = json!({ "index": index, "code": code, "detail": detail });
            if let Some(id) = message_id {
                shown["messageId"] = Value::from(id.clone());
            }
            if let Some(result) = results.get_mut(*index) {
                *result = json!({ "status": "rejected", "code": code, "detail": detail });
            }
            shown
        });
        let rejected: Vec<_> = rejected.collect();
        let accepted = self.count - rejected.len();
        let view = CollectedView { accepted, duplicates: 0, rejected, results };
        Answer::json(serde_json::to_vec(&view).unwrap_or_default())
    }
}

/// An event with all that it needs, or its id and why not.
fn whole(
    event: Value,
    sent_at: &Value,
    id: impl FnOnce() -> String,
    nameless: bool,
) -> Result<Map<String, Value>, (Option<String>, &'static str, String)> {
    let Value::Object(mut event) = event else {
        return Err((None, "malformed", "an event is a JSON object".to_owned()));
    };
    let said = event.get("messageId").and_then(Value::as_str);
    let message_id = said.filter(|id| !id.is_empty() && id.len() <= MAX_ID).map(str::to_owned);
    let refused = |code, detail: String| (message_id.clone(), code, detail);
    let wire: EventWire =
        serde::Deserialize::deserialize(&event).map_err(|error: serde_json::Error| {
            refused("malformed", format!("not an event: {error}"))
        })?;
    let checked = wire.client_time().and_then(|time| wire.encode(time.unwrap_or_default()));
    checked.map_err(|error| refused(error.code(), error.to_string()))?;
    let ids = [&wire.anonymous_id, &wire.user_id];
    let named =
        |id: &&Option<String>| id.as_deref().is_some_and(|id| !id.is_empty() && id.len() <= MAX_ID);
    if !nameless && !ids.iter().any(named) {
        let detail = "`anonymousId` or `userId` must say, in 1 to 256 bytes, whom it is about";
        return Err(refused("no-visitor", detail.to_owned()));
    }
    if message_id.is_none() {
        event.insert("messageId".to_owned(), Value::from(id()));
    }
    if wire.timestamp.is_none() {
        let sent = wire.sent_at.as_ref().unwrap_or(sent_at).clone();
        event.insert("timestamp".to_owned(), sent);
    }
    Ok(event)
}
