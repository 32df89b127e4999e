//! A body as a batch, its events not looked at yet, so that one bad event spoils no other.

use crate::error::Problem;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// A batch holds at most this many events.
pub const MAX_BATCH: usize = 500;
/// The version of what pages and servers send: `docs/event-format.md`.
pub const EVENT_SCHEMA: u32 = 1;

/// Events that came together.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The write key, where it came in the body: pages cannot set headers without asking first.
    pub key: Option<String>,
    pub sent_at: Option<Value>,
    pub events: Vec<&'a RawValue>,
    /// What every event is, where the address says so.
    pub kind: Option<&'static str>,
    /// Whether the sender asks for the server's view of its visitor.
    pub hints: bool,
    /// Whether the server names visitors who come without an id.
    pub cookieless: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BodyWire<'a> {
    #[serde(alias = "writeKey")]
    key: Option<String>,
    sent_at: Option<Value>,
    #[serde(borrow, alias = "events")]
    batch: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    hints: bool,
    #[serde(default)]
    cookieless: bool,
    schema_version: Option<u32>,
}

impl<'a> Batch<'a> {
    /// Reads `{"sentAt": …, "batch": […]}`, or one event.
    ///
    /// # Errors
    /// [`Problem::Malformed`] for anything that is not JSON of that shape, is written in a newer
    /// version, or holds too many events.
    pub fn read(body: &'a [u8]) -> Result<Self, Problem> {
        let malformed = |error: &dyn std::fmt::Display| {
            Problem::Malformed(format!("the body is not a batch: {error}"))
        };
        let text = std::str::from_utf8(body).map_err(|error| malformed(&error))?;
        if !text.trim_start().starts_with('{') {
            return Err(malformed(&"it is no JSON object"));
        }
        let wire: BodyWire<'_> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
        if let Some(version) = wire.schema_version.filter(|version| *version != EVENT_SCHEMA) {
            return Err(malformed(&format_args!(
                "it is written in version {version}; this server reads version {EVENT_SCHEMA}"
            )));
        }
        let events = match wire.batch {
            Some(events) => events,
            None => vec![serde_json::from_str(text).map_err(|error| malformed(&error))?],
        };
        if events.len() > MAX_BATCH {
            return Err(Problem::Malformed(format!(
                "the batch holds {} events; at most {MAX_BATCH} are allowed",
                events.len()
            )));
        }
        let BodyWire { key, sent_at, hints, cookieless, .. } = wire;
        Ok(Self { key, sent_at, events, kind: None, hints, cookieless })
    }
}
