//! Events as Segment's HTTP API spells them.

use super::{EventError, EventKind, EventWriter, FieldValue, MAX_FIELDS, Millis, event_time};
use crate::event::Event;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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

impl EventWire {
    /// The kind that `type` names.
    ///
    /// # Errors
    /// [`WireError::Kind`] for any other word.
    pub fn event_kind(&self) -> Result<EventKind, WireError> {
        let found = EventKind::ALL.into_iter().find(|kind| kind.word() == self.kind);
        found.ok_or_else(|| WireError::Kind(super::binary::shown(&self.kind)))
    }

    /// When the client says that it happened.
    ///
    /// # Errors
    /// [`WireError::Time`] where the text is no time.
    pub fn client_time(&self) -> Result<Option<Millis>, WireError> {
        read_time(self.timestamp.as_ref(), "timestamp")
    }

    /// When it happened, by the receiver's clock: see [`event_time`].
    ///
    /// # Errors
    /// [`WireError::Time`] where a text is no time.
    pub fn event_time(&self, received: Millis) -> Result<Millis, WireError> {
        let sent = read_time(self.sent_at.as_ref(), "sentAt")?;
        Ok(event_time(received, sent, self.client_time()?))
    }

    /// The compact form, stamped with `time`. Fields stand in the order of their paths.
    ///
    /// Nulls are left out; of an array only its length is kept, as `PATH.length`.
    ///
    /// # Errors
    /// Names the member that is missing, malformed or beyond a limit.
    pub fn encode(&self, time: Millis) -> Result<Vec<u8>, WireError> {
        let kind = self.event_kind()?;
        let name = match kind {
            EventKind::Track => {
                self.event.as_deref().filter(|name| !name.is_empty()).ok_or(WireError::NoName)?
            }
            EventKind::Page => self.name.as_deref().unwrap_or_default(),
            _ => "",
        };
        let mut fields = Vec::new();
        for (root, members) in
            [("context", &self.context), ("properties", &self.properties), ("traits", &self.traits)]
        {
            flatten(root, members, 1, &mut fields)?;
        }
        let mut writer =
            EventWriter::new(kind, name, self.message_id.as_deref().unwrap_or_default(), time);
        for (path, value) in &fields {
            super::binary::check_field(&super::Field { path, value: *value })?;
            writer.field(path, *value);
        }
        let bytes = writer.finish();
        Event::decode(&bytes)?;
        Ok(bytes)
    }
}

fn flatten<'a>(
    prefix: &str,
    members: &'a Map<String, Value>,
    depth: usize,
    out: &mut Vec<(String, FieldValue<'a>)>,
) -> Result<(), WireError> {
    for (key, value) in members {
        let path = format!("{prefix}.{key}");
        let value = match value {
            Value::Null => continue,
            Value::Bool(flag) => FieldValue::Bool(*flag),
            Value::Number(number) => FieldValue::Number(number.as_f64().unwrap_or(f64::NAN)),
            Value::String(text) => FieldValue::Text(text),
            Value::Array(items) => {
                out.push((format!("{path}.length"), FieldValue::Number(items.len() as f64)));
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
        out.push((path, value));
    }
    Ok(())
}

fn read_time(value: Option<&Value>, member: &'static str) -> Result<Option<Millis>, WireError> {
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
