//! What a page or server sent, checked by core before anything is written.

use super::writer::Item;
use crate::clock::Millis;
use crate::error::Problem;
use crate::identity::Scope;
use crate::keys::{VisitorRef, pseudonym};
use crate::log::{Consent, Draft, MAX_OPEN_TEXT, Open, SCHEMA_VERSION, SealedWire};
use crate::seal::SecretKey;
use rapport_core::event::{Event, EventWire, Millis as CoreMillis, WireError};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A body holds at most this many bytes: what Segment's libraries send.
pub const MAX_BODY: usize = 512 * 1024;
/// A batch holds at most this many events.
pub const MAX_BATCH: usize = 500;
const MAX_ID: usize = 256;

/// A batch, its events not looked at yet, so that one bad event spoils no other.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The write key, where it came in the body: pages cannot set headers without asking first.
    pub key: Option<String>,
    pub sent_at: Option<Value>,
    pub events: Vec<&'a RawValue>,
    /// Whether the sender asks for the server's view of its visitors.
    pub hints: bool,
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
}

/// Where and when a request arrived.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub scope: Scope,
    pub received_at: Millis,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
}

/// Why an event of a batch was refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("not an event: {0}")]
    Shape(serde_json::Error),
    #[error("an event is a JSON object")]
    NoObject,
    #[error(transparent)]
    Event(#[from] WireError),
    #[error("`anonymousId` or `userId` must say, in 1 to 256 bytes, whom it is about")]
    NoVisitor,
    #[error("the operating system gave no random bytes")]
    NoRandomness,
}

impl<'a> Batch<'a> {
    /// Reads `{"sentAt": …, "batch": […]}`, or one event.
    ///
    /// # Errors
    /// [`Problem::Malformed`] for anything that is not JSON of that shape, or holds too many events.
    pub fn read(body: &'a [u8]) -> Result<Self, Problem> {
        let malformed = |error: &dyn std::fmt::Display| {
            Problem::Malformed(format!("the body is not a batch: {error}"))
        };
        let text = std::str::from_utf8(body).map_err(|error| malformed(&error))?;
        if !text.trim_start().starts_with('{') {
            return Err(malformed(&"it is no JSON object"));
        }
        let wire: BodyWire<'_> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
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
        Ok(Self { key: wire.key, sent_at: wire.sent_at, events, hints: wire.hints })
    }
}

impl Arrival {
    /// Checks one event of a batch and makes it what the log keeps. Nothing is sealed yet.
    ///
    /// # Errors
    /// Says what is wrong with the event.
    pub fn admit(
        &self,
        workspace_key: &SecretKey,
        sent_at: Option<&Value>,
        raw: &RawValue,
    ) -> Result<Item, Refusal> {
        if !raw.get().starts_with('{') {
            return Err(Refusal::NoObject);
        }
        let mut wire: EventWire = serde_json::from_str(raw.get()).map_err(Refusal::Shape)?;
        wire.sent_at = wire.sent_at.or_else(|| sent_at.cloned());
        let message_id = match wire.message_id.take().filter(|id| !id.is_empty()) {
            Some(id) => id,
            None => crate::secret::token("srv_").map_err(|_| Refusal::NoRandomness)?,
        };
        wire.message_id = Some(message_id.clone());
        let subject = pseudonym(workspace_key, self.scope, visitor(&wire)?);
        let event_time = wire.event_time(CoreMillis(self.received_at))?;
        let compact = wire.encode(event_time)?;
        let event = Event::decode(&compact).map_err(WireError::from)?;
        let draft = Draft {
            scope: self.scope,
            message_id,
            subject,
            event_time: event_time.0,
            sent_at: wire.sent_at.as_ref().and_then(client_time),
            received_at: self.received_at,
            consent: consent(&wire.context),
            schema_version: SCHEMA_VERSION,
            open: open(&wire, event.kind.word(), event.name)?,
            sealed: Vec::new(),
        };
        Ok(Item {
            draft,
            contents: SealedWire {
                ip: self.ip.clone(),
                user_agent: self.user_agent.clone(),
                event: wire,
            },
        })
    }
}

/// Whom an event is about: the browser where there is one, because what `identify` says is a claim.
pub fn visitor(wire: &EventWire) -> Result<VisitorRef<'_>, Refusal> {
    let anonymous = wire
        .anonymous_id
        .as_deref()
        .filter(|id| !id.is_empty())
        .map(|id| (VisitorRef::Anonymous(id), id));
    let user =
        wire.user_id.as_deref().filter(|id| !id.is_empty()).map(|id| (VisitorRef::User(id), id));
    match anonymous.or(user) {
        Some((visitor, id)) if id.len() <= MAX_ID => Ok(visitor),
        _ => Err(Refusal::NoVisitor),
    }
}

fn open(wire: &EventWire, kind: &str, name: &str) -> Result<Open, Refusal> {
    let text = |path: &[&str]| text_at(&wire.context, path).map(|text| cut(text).to_owned());
    Ok(Open {
        kind: kind.to_owned(),
        name: name.to_owned(),
        path: text(&["page", "path"])
            .map(|path| path.split(['?', '#']).next().unwrap_or_default().to_owned()),
        referrer_host: text_at(&wire.context, &["page", "referrer"])
            .and_then(host)
            .map(|host| cut(host).to_owned()),
        source: text(&["campaign", "source"]),
        medium: text(&["campaign", "medium"]),
        campaign: text(&["campaign", "name"]),
        client_time: wire.client_time()?.map(|time| time.0),
    })
}

/// Segment's consent object: `context.consent.categoryPreferences`; what it does not name is granted.
fn consent(context: &Map<String, Value>) -> Consent {
    let preferences = context.get("consent").and_then(|consent| consent.get("categoryPreferences"));
    let granted = |purpose| {
        preferences
            .and_then(|preferences| preferences.get(purpose))
            .and_then(Value::as_bool)
            .unwrap_or(true)
    };
    Consent {
        analytics: granted("analytics"),
        profiling: granted("profiling"),
        personalization: granted("personalization"),
    }
}

fn client_time(value: &Value) -> Option<Millis> {
    match value {
        Value::String(text) => CoreMillis::parse(text).map(|time| time.0),
        value => value.as_i64(),
    }
}

fn text_at<'a>(members: &'a Map<String, Value>, path: &[&str]) -> Option<&'a str> {
    let (first, rest) = path.split_first()?;
    let value = rest.iter().try_fold(members.get(*first)?, |value, key| value.get(key))?;
    value.as_str().filter(|text| !text.is_empty())
}

fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.rsplit('@').next().filter(|host| !host.is_empty())
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_OPEN_TEXT)).unwrap_or_default()
}
