//! Events as Segment's HTTP API spells them.

use super::flat::{FlatEvent, whole};
use super::{Event, EventError, EventKind, FieldValue, MAX_FIELDS, Millis};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Objects nest at most this deep below `properties`, `traits` and `context`.
pub const MAX_DEPTH: usize = 6;

/// One call of the Segment specification. Unknown members are ignored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EventWire {
    /// `track`, `page`, `identify`, `group` or `alias`.
    #[serde(rename = "type")]
    pub kind: String,
    pub message_id: Option<String>,
    pub anonymous_id: Option<String>,
    pub user_id: Option<String>,
    pub previous_id: Option<String>,
    pub group_id: Option<String>,
    /// The name of a `track`.
    pub event: Option<String>,
    /// The name of a `page`.
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub properties: Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub traits: Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub context: Map<String, Value>,
    /// When it happened by the client's clock: ISO 8601, or milliseconds since 1970.
    #[serde(alias = "originalTimestamp")]
    pub timestamp: Option<Value>,
    /// When the client sent it, by the same clock.
    pub sent_at: Option<Value>,
}

/// Why an event in JSON was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("`type` is `{0}`; it must be track, page, identify, group or alias")]
    Kind(String),
    #[error("a track event needs `event`, its name")]
    NoName,
    #[error(
        "`{0}` is not a time; write ISO 8601, such as 2026-11-23T05:06:07.089Z, or milliseconds since 1970"
    )]
    Time(&'static str),
    #[error("`{0}` nests deeper than 6 objects")]
    TooDeep(String),
    #[error("event has more than 128 fields; `{0}` is one too many")]
    TooManyFields(String),
    #[error(transparent)]
    Event(#[from] EventError),
}

impl WireError {
    /// A word that names the reason; stable.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Kind(_) => "unknown-type",
            Self::NoName => "no-name",
            Self::Time(_) => "bad-time",
            Self::TooDeep(_) => "too-deep",
            Self::TooManyFields(_) => "too-many-fields",
            Self::Event(_) => "beyond-limit",
        }
    }
}

impl EventWire {
    /// When the client says that it happened.
    ///
    /// # Errors
    /// [`WireError::Time`] where the text is no time.
    pub fn client_time(&self) -> Result<Option<Millis>, WireError> {
        read_time(self.timestamp.as_ref(), "timestamp")
    }

    /// When it happened, by the receiver's clock: see [`event_time`](super::event_time).
    ///
    /// # Errors
    /// [`WireError::Time`] where a text is no time.
    pub fn event_time(&self, received: Millis) -> Result<Millis, WireError> {
        let sent = read_time(self.sent_at.as_ref(), "sentAt")?;
        Ok(super::event_time(received, sent, self.client_time()?))
    }

    /// The compact form, stamped with `time`. Fields stand in the order of their paths.
    ///
    /// Nulls are left out; of an array only its length is kept, as `PATH.length`.
    ///
    /// # Errors
    /// Names the member that is missing, malformed or beyond a limit.
    pub fn encode(&self, time: Millis) -> Result<Vec<u8>, WireError> {
        self.flat()?.encode(time)
    }

    /// The event with its properties, traits and context as fields.
    ///
    /// # Errors
    /// Names the member that nests too deep, or is one too many.
    pub fn flat(&self) -> Result<FlatEvent<'_>, WireError> {
        let mut flat = FlatEvent {
            kind: Cow::Borrowed(&self.kind),
            message_id: borrowed(&self.message_id),
            anonymous_id: borrowed(&self.anonymous_id),
            user_id: borrowed(&self.user_id),
            previous_id: borrowed(&self.previous_id),
            group_id: borrowed(&self.group_id),
            event: borrowed(&self.event),
            name: borrowed(&self.name),
            timestamp: self.timestamp.clone(),
            sent_at: self.sent_at.clone(),
            ..FlatEvent::default()
        };
        for (root, members) in
            [("context", &self.context), ("properties", &self.properties), ("traits", &self.traits)]
        {
            flatten(root, members, 1, &mut flat)?;
        }
        Ok(flat)
    }

    /// The event that a compact form was made of, where [`FlatEvent::is_whole`] said so; without
    /// the ids and times that the compact form does not hold.
    pub fn of(event: &Event<'_>) -> Self {
        let mut wire = Self { kind: event.kind.word().to_owned(), ..Self::default() };
        let name = || Some(event.name.to_owned()).filter(|name| !name.is_empty());
        match event.kind {
            EventKind::Track => wire.event = name(),
            EventKind::Page => wire.name = name(),
            _ => {}
        }
        for field in event.fields() {
            let Some((root, path)) = field.path.split_once('.') else { continue };
            let members = match root {
                "context" => &mut wire.context,
                "properties" => &mut wire.properties,
                _ => &mut wire.traits,
            };
            let value = match field.value {
                FieldValue::Bool(flag) => Value::Bool(flag),
                FieldValue::Text(text) => Value::String(text.to_owned()),
                FieldValue::Number(number) if whole(number) => Value::from(number as i64),
                FieldValue::Number(number) => Value::from(number),
            };
            nest(members, path, value);
        }
        wire
    }
}

fn borrowed(text: &Option<String>) -> Option<Cow<'_, str>> {
    text.as_deref().map(Cow::Borrowed)
}

fn nest(members: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => _ = members.insert(path.to_owned(), value),
        Some((first, rest)) => {
            let member = members.entry(first).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(members) = member {
                nest(members, rest, value);
            }
        }
    }
}

fn flatten<'a>(
    prefix: &str,
    members: &'a Map<String, Value>,
    depth: usize,
    out: &mut FlatEvent<'a>,
) -> Result<(), WireError> {
    for (key, value) in members {
        let path = format!("{prefix}.{key}");
        let value = match value {
            Value::Null => continue,
            Value::Bool(flag) => FieldValue::Bool(*flag),
            Value::Number(number) => FieldValue::Number(number.as_f64().unwrap_or(f64::NAN)),
            Value::String(text) => FieldValue::Text(text),
            Value::Array(items) => {
                out.put(&format!("{path}.length"), FieldValue::Number(items.len() as f64));
                continue;
            }
            Value::Object(_) if depth >= MAX_DEPTH => {
                return Err(WireError::TooDeep(super::binary::shown(&path)));
            }
            Value::Object(members) => {
                flatten(&path, members, depth + 1, out)?;
                continue;
            }
        };
        if out.len() >= MAX_FIELDS {
            return Err(WireError::TooManyFields(super::binary::shown(&path)));
        }
        out.put(&path, value);
    }
    Ok(())
}

pub(super) fn read_time(
    value: Option<&Value>,
    member: &'static str,
) -> Result<Option<Millis>, WireError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => match number.as_f64() {
            Some(millis) if millis.abs() <= 8.64e15 => Ok(Some(Millis(millis as i64))),
            _ => Err(WireError::Time(member)),
        },
        Some(Value::String(text)) => Millis::parse(text).map(Some).ok_or(WireError::Time(member)),
        Some(_) => Err(WireError::Time(member)),
    }
}
