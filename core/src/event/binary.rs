//! The compact form of an event: `docs/event-format.md`.

use super::{Event, EventKind, Field, FieldValue, Millis};
use crate::binary::{Reader, put_long_str};

/// An event holds at most this many bytes in its compact form.
pub const MAX_EVENT_BYTES: usize = 32 * 1024;
/// An event holds at most this many fields.
pub const MAX_FIELDS: usize = 128;
/// A name or a message id holds at most this many bytes.
pub const MAX_NAME_BYTES: usize = 256;
/// A field's path holds at most this many bytes.
pub const MAX_PATH_BYTES: usize = 128;
/// A text value holds at most this many bytes.
pub const MAX_TEXT_BYTES: usize = 4096;
/// Numbers beyond this magnitude are refused; it lies above every 64-bit integer.
const MAX_NUMBER: f64 = 1e20;

const VERSION: u8 = 1;
const TAG_NUMBER: u8 = 0;
const TAG_TEXT: u8 = 1;
const TAG_FALSE: u8 = 2;
const TAG_TRUE: u8 = 3;

/// Why an event was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    #[error("event is {0} bytes long; at most 32768 are allowed: send fewer or shorter properties")]
    TooLong(usize),
    #[error("event is written in version {0} of the compact form; this engine reads version 1")]
    Version(u8),
    #[error("event is of kind {0}; kinds are 0 track, 1 page, 2 identify, 3 group, 4 alias")]
    Kind(u8),
    #[error("event ends in the middle of its {0}")]
    Truncated(&'static str),
    #[error("event has bytes behind its last field")]
    Trailing,
    #[error("event has {0} fields; at most 128 are allowed")]
    TooManyFields(usize),
    #[error("{0} is empty")]
    Empty(&'static str),
    #[error("{0} is longer than 256 bytes")]
    NameTooLong(&'static str),
    #[error("path `{0}` is empty or longer than 128 bytes")]
    Path(Excerpt),
    #[error("`{0}` is longer than 4096 bytes")]
    TextTooLong(Excerpt),
    #[error("`{0}` is not a finite number within ±1e20")]
    Number(Excerpt),
    #[error("`{0}` has a value of an unknown kind")]
    Value(Excerpt),
}

impl<'a> Event<'a> {
    /// Reads and checks the compact form.
    ///
    /// # Errors
    /// Refuses whatever passes a limit of this module, is cut short or is not UTF-8,
    /// and says which field it was.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, EventError> {
        if bytes.len() > MAX_EVENT_BYTES {
            return Err(EventError::TooLong(bytes.len()));
        }
        let mut reader = Reader::new(bytes);
        let (version, kind, count) = (reader.u8(), reader.u8(), usize::from(reader.u16()));
        let time = Millis(reader.i64());
        let (name, message_id) = (reader.long_str(), reader.long_str());
        if version != VERSION && !bytes.is_empty() {
            return Err(EventError::Version(version));
        }
        if reader.failed() {
            return Err(EventError::Truncated("head"));
        }
        let kind = *EventKind::ALL.get(usize::from(kind)).ok_or(EventError::Kind(kind))?;
        if count > MAX_FIELDS {
            return Err(EventError::TooManyFields(count));
        }
        check_names(kind, name, message_id)?;
        let fields = Fields { reader, left: count };
        let mut walk = fields;
        for _ in 0..count {
            check_field(&walk.read()?)?;
        }
        if !walk.reader.rest().is_empty() {
            return Err(EventError::Trailing);
        }
        Ok(Self { kind, name, message_id, time, fields })
    }
}

pub(super) fn check_names(kind: EventKind, name: &str, message_id: &str) -> Result<(), EventError> {
    if kind == EventKind::Track && name.is_empty() {
        return Err(EventError::Empty("the name of a track event"));
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(EventError::NameTooLong("the event's name"));
    }
    if message_id.len() > MAX_NAME_BYTES {
        return Err(EventError::NameTooLong("the message id"));
    }
    Ok(())
}

pub(super) fn check_field(field: &Field<'_>) -> Result<(), EventError> {
    if field.path.is_empty() || field.path.len() > MAX_PATH_BYTES {
        return Err(EventError::Path(shown(field.path)));
    }
    match field.value {
        FieldValue::Number(number) if number.abs() <= MAX_NUMBER => Ok(()),
        FieldValue::Number(_) => Err(EventError::Number(shown(field.path))),
        FieldValue::Text(text) if text.len() > MAX_TEXT_BYTES => {
            Err(EventError::TextTooLong(shown(field.path)))
        }
        FieldValue::Text(_) | FieldValue::Bool(_) => Ok(()),
    }
}

/// As much of a foreign text as an error message repeats. Pages tell no more than that an event is
/// refused, and an error with nothing to drop costs them nothing.
#[cfg(feature = "wire")]
pub type Excerpt = String;
#[cfg(not(feature = "wire"))]
pub type Excerpt = &'static str;

#[cfg(feature = "wire")]
pub(super) fn shown(text: &str) -> Excerpt {
    crate::binary::cut(text, 80).to_owned()
}

#[cfg(not(feature = "wire"))]
fn shown(_: &str) -> Excerpt {
    ""
}

/// The fields of an event, in the order they were written; reads in place.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    reader: Reader<'a>,
    left: usize,
}

impl<'a> Fields<'a> {
    /// How many fields are left.
    pub const fn len(&self) -> usize {
        self.left
    }

    /// Whether no field is left.
    pub const fn is_empty(&self) -> bool {
        self.left == 0
    }

    fn read(&mut self) -> Result<Field<'a>, EventError> {
        let path = self.reader.long_str();
        let value = match self.reader.u8() {
            TAG_NUMBER => FieldValue::Number(self.reader.f64()),
            TAG_TEXT => FieldValue::Text(self.reader.long_str()),
            TAG_FALSE => FieldValue::Bool(false),
            TAG_TRUE => FieldValue::Bool(true),
            _ => return Err(EventError::Value(shown(path))),
        };
        if self.reader.failed() {
            return Err(EventError::Truncated("fields"));
        }
        Ok(Field { path, value })
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        self.left = self.left.checked_sub(1)?;
        self.read().ok()
    }
}

/// Writes the compact form; [`Event::decode`] judges it.
#[derive(Debug, Clone)]
pub struct EventWriter {
    bytes: Vec<u8>,
    count: u16,
}

impl EventWriter {
    /// Starts an event.
    pub fn new(kind: EventKind, name: &str, message_id: &str, time: Millis) -> Self {
        let mut bytes = vec![VERSION, kind as u8, 0, 0];
        bytes.extend_from_slice(&time.0.to_le_bytes());
        put_long_str(&mut bytes, name);
        put_long_str(&mut bytes, message_id);
        Self { bytes, count: 0 }
    }

    /// Adds a field.
    pub fn field(&mut self, path: &str, value: FieldValue<'_>) -> &mut Self {
        self.count = self.count.saturating_add(1);
        put_long_str(&mut self.bytes, path);
        match value {
            FieldValue::Number(number) => {
                self.bytes.push(TAG_NUMBER);
                self.bytes.extend_from_slice(&number.to_le_bytes());
            }
            FieldValue::Text(text) => {
                self.bytes.push(TAG_TEXT);
                put_long_str(&mut self.bytes, text);
            }
            FieldValue::Bool(flag) => self.bytes.push(if flag { TAG_TRUE } else { TAG_FALSE }),
        }
        self
    }

    /// The finished event.
    pub fn finish(mut self) -> Vec<u8> {
        let [low, high] = self.count.to_le_bytes();
        if let Some(slot) = self.bytes.get_mut(2..4) {
            slot.copy_from_slice(&[low, high]);
        }
        self.bytes
    }
}
