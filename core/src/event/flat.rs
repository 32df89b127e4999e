//! An event as fields with dotted paths: what the compact form is made of.

use super::binary::{check_field, check_names};
use super::wire::{WireError, read_time};
use super::{
    EventError, EventKind, EventWriter, Field, FieldValue, MAX_EVENT_BYTES, MAX_FIELDS,
    MAX_TEXT_BYTES, Millis, event_time,
};
use serde_json::Value;
use std::borrow::Cow;
use std::ops::Range;

/// Stands for the dot while paths are put in order, so that members stay together.
pub(super) const JOINT: char = '\0';
/// Whole numbers up to here are the same in JSON and in the compact form.
pub(super) const EXACT: f64 = 9_007_199_254_740_991.0;

/// An event in the Segment shape whose properties, traits and context are fields already. Borrows
/// from its JSON, or from the `EventWire` that it was made of.
#[derive(Debug, Clone, Default)]
pub struct FlatEvent<'a> {
    /// What `type` says.
    pub kind: Cow<'a, str>,
    pub message_id: Option<Cow<'a, str>>,
    pub anonymous_id: Option<Cow<'a, str>>,
    pub user_id: Option<Cow<'a, str>>,
    pub previous_id: Option<Cow<'a, str>>,
    pub group_id: Option<Cow<'a, str>>,
    /// The name of a `track`.
    pub event: Option<Cow<'a, str>>,
    /// The name of a `page`.
    pub name: Option<Cow<'a, str>>,
    /// When it happened, and when it was sent, by the client's clock.
    pub timestamp: Option<Value>,
    pub sent_at: Option<Value>,
    /// Every field's path, one behind the other.
    pub(super) paths: String,
    pub(super) fields: Vec<(Range<usize>, Scalar<'a>)>,
    /// Something gets lost on the way into fields.
    pub(super) lossy: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Scalar<'a> {
    Number(f64),
    Text(Cow<'a, str>),
    Bool(bool),
}

impl<'a> FlatEvent<'a> {
    /// The kind that `type` names.
    ///
    /// # Errors
    /// [`WireError::Kind`] for any other word.
    pub fn event_kind(&self) -> Result<EventKind, WireError> {
        let found = EventKind::ALL.into_iter().find(|kind| kind.word() == self.kind);
        found.ok_or_else(|| WireError::Kind(super::binary::shown(&self.kind)))
    }

    /// The event's name for `track`, the page's for `page`, otherwise empty.
    pub fn name_of(&self, kind: EventKind) -> &str {
        let name = match kind {
            EventKind::Track => &self.event,
            EventKind::Page => &self.name,
            _ => &None,
        };
        name.as_deref().unwrap_or_default()
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
        let name = self.name_of(kind);
        if kind == EventKind::Track && name.is_empty() {
            return Err(WireError::NoName);
        }
        let message_id = self.message_id.as_deref().unwrap_or_default();
        check_names(kind, name, message_id)?;
        if self.fields.len() > MAX_FIELDS {
            return Err(EventError::TooManyFields(self.fields.len()).into());
        }
        let mut writer = EventWriter::new(kind, name, message_id, time);
        for field in self.fields() {
            check_field(&field)?;
            writer.field(field.path, field.value);
        }
        let bytes = writer.finish();
        if bytes.len() > MAX_EVENT_BYTES {
            return Err(EventError::TooLong(bytes.len()).into());
        }
        Ok(bytes)
    }

    /// The value at a dotted path, such as `context.page.path`.
    pub fn field(&self, path: &str) -> Option<FieldValue<'_>> {
        self.fields().find(|field| field.path == path).map(|field| field.value)
    }

    /// The text at a path; `None` where it is blank.
    pub fn text(&self, path: &str) -> Option<&str> {
        match self.field(path) {
            Some(FieldValue::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// The truth at a path.
    pub fn flag(&self, path: &str) -> Option<bool> {
        match self.field(path) {
            Some(FieldValue::Bool(flag)) => Some(flag),
            _ => None,
        }
    }

    /// Whether the compact form says all that the event says but for its ids, which are short, and
    /// times, so that [`EventWire::of`](super::EventWire::of) gives it back.
    pub fn is_whole(&self) -> bool {
        let named = |name: &Option<Cow<'_, str>>| name.as_ref().is_none_or(|name| !name.is_empty());
        let names = match &*self.kind {
            "track" => self.name.is_none(),
            "page" => self.event.is_none() && named(&self.name),
            _ => self.name.is_none() && self.event.is_none(),
        };
        let ids = [&self.anonymous_id, &self.user_id, &self.previous_id, &self.group_id];
        let mut ids = ids.into_iter().flatten();
        names && ids.all(|id| id.len() <= MAX_TEXT_BYTES) && !self.lossy
    }

    /// The same, borrowing nothing.
    pub fn into_owned(self) -> FlatEvent<'static> {
        let own = |text: Option<Cow<'a, str>>| text.map(|text| Cow::Owned(text.into_owned()));
        let fields = self.fields.into_iter().map(|(path, value)| {
            let value = match value {
                Scalar::Text(text) => Scalar::Text(Cow::Owned(text.into_owned())),
                Scalar::Number(number) => Scalar::Number(number),
                Scalar::Bool(flag) => Scalar::Bool(flag),
            };
            (path, value)
        });
        FlatEvent {
            kind: Cow::Owned(self.kind.into_owned()),
            message_id: own(self.message_id),
            anonymous_id: own(self.anonymous_id),
            user_id: own(self.user_id),
            previous_id: own(self.previous_id),
            group_id: own(self.group_id),
            event: own(self.event),
            name: own(self.name),
            timestamp: self.timestamp,
            sent_at: self.sent_at,
            paths: self.paths,
            fields: fields.collect(),
            lossy: self.lossy,
        }
    }

    /// Its properties, traits and context.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.fields.iter().map(|(path, value)| {
            let value = match value {
                Scalar::Number(number) => FieldValue::Number(*number),
                Scalar::Text(text) => FieldValue::Text(text),
                Scalar::Bool(flag) => FieldValue::Bool(*flag),
            };
            Field { path: self.paths.get(path.clone()).unwrap_or_default(), value }
        })
    }

    /// Adds a field of an `EventWire`.
    pub(super) fn put(&mut self, path: &str, value: FieldValue<'a>) {
        let value = match value {
            FieldValue::Number(number) => Scalar::Number(number),
            FieldValue::Text(text) => Scalar::Text(Cow::Borrowed(text)),
            FieldValue::Bool(flag) => Scalar::Bool(flag),
        };
        self.add(path, value);
        // Whoever has a tree has no need of less.
        self.lossy = true;
    }

    pub(super) fn add(&mut self, path: &str, value: Scalar<'a>) {
        let start = self.paths.len();
        self.paths.push_str(path);
        self.fields.push((start..self.paths.len(), value));
    }

    /// How many fields there are.
    pub(super) const fn len(&self) -> usize {
        self.fields.len()
    }

    /// Puts the fields in the order of their paths, and dots between members.
    pub(super) fn in_order(mut self) -> Self {
        let paths = std::mem::take(&mut self.paths);
        let of = |range: &Range<usize>| paths.get(range.clone());
        self.fields.sort_unstable_by(|(one, _), (other, _)| of(one).cmp(&of(other)));
        self.paths = paths.replace(JOINT, ".");
        self
    }
}

/// Whether JSON writes a number as a whole one, where the compact form does not say.
pub(super) fn whole(number: f64) -> bool {
    number.abs() <= EXACT && libm::trunc(number) == number
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, EventWire};

    const TIME: Millis = Millis(1_780_000_000_000);

    /// Whether the long way takes an event; the short way then gives the same bytes, or leaves it.
    fn taken(json: &str) -> bool {
        let short = serde_json::from_str::<FlatEvent<'_>>(json).ok();
        let compact = short.as_ref().map(|flat| flat.encode(TIME));
        let wire = serde_json::from_str::<EventWire>(json).ok();
        let long = wire.as_ref().map(|wire| wire.encode(TIME));
        assert!(compact.is_none() || compact == long, "{json}");
        if let (Some(flat), Some(Ok(bytes))) = (short.filter(FlatEvent::is_whole), compact) {
            assert_eq!(Some(back(&flat, &bytes)), wire, "{json}");
        }
        long.is_some_and(|long| long.is_ok_and(|bytes| Event::decode(&bytes).is_ok()))
    }

    /// A whole event from its compact form.
    fn back(flat: &FlatEvent<'_>, bytes: &[u8]) -> EventWire {
        let text = |text: &Option<Cow<'_, str>>| text.as_deref().map(str::to_owned);
        EventWire {
            message_id: text(&flat.message_id),
            anonymous_id: text(&flat.anonymous_id),
            user_id: text(&flat.user_id),
            previous_id: text(&flat.previous_id),
            group_id: text(&flat.group_id),
            timestamp: flat.timestamp.clone(),
            sent_at: flat.sent_at.clone(),
            ..EventWire::of(&Event::decode(bytes).unwrap())
        }
    }

    fn read(json: &str) -> Option<FlatEvent<'_>> {
        serde_json::from_str(json).ok()
    }

    /// Whether the short way gives anything.
    fn short(json: &str) -> bool {
        read(json).is_some_and(|event| event.encode(TIME).is_ok())
    }

    #[test]
    fn the_short_way_and_the_long_way_give_the_same_bytes() {
        let deep = |levels: usize| {
            format!(
                r#"{{"type":"page","context":{}1{}}}"#,
                r#"{"a":"#.repeat(levels),
                "}".repeat(levels)
            )
        };
        let many = |count: usize| {
            let members: Vec<_> = (0..count).map(|n| format!(r#""k{n}":{n}"#)).collect();
            format!(r#"{{"type":"page","properties":{{{}}}}}"#, members.join(","))
        };
        let good = [
            r#"{"type":"page","messageId":"m","name":"Pricing","context":{"page":{"path":"/a","title":"T\u00e4"}},"properties":{"b":true,"a":null,"n":-1.5,"list":[1,{"x":2},[]]}}"#.to_owned(),
            r#"{"type":"track","event":"Clicked","properties":{"a.b":1,"a":{"c":2},"a-b":3},"traits":{"z":"\n"}}"#.to_owned(),
            r#"{"traits":{},"type":"identify","messageId":null,"userId":7.5e1}"#.replace("7.5e1", "\"u\""),
            r#"{"type":"track","event":"E","properties":{"a":1,"a":2}}"#.to_owned(),
            r#"{"type":"track","event":"E","properties":{"a":{"b":1},"a.b":2}}"#.to_owned(),
            r#"{"type":"track","event":"E","properties":{"a":{"b":1},"a":{"c":2}}}"#.to_owned(),
            r#"{"type":"track","event":"E","properties":{"a":1,"a":null}}"#.to_owned(),
            "{\"type\":\"page\",\"properties\":{\"a\\u0000b\":1}}".to_owned(),
            deep(6),
            many(128),
        ];
        assert!(good.iter().all(|json| taken(json)));
        assert_eq!(good.iter().filter(|json| short(json)).count(), 6, "the ordinary ones");
        let refused = [
            r#"{"type":"track"}"#.to_owned(),
            r#"{"type":"click"}"#.to_owned(),
            r#"{"type":"page","context":null}"#.to_owned(),
            r#"{"type":"page","context":[1]}"#.to_owned(),
            r#"{"type":"page","context":"x"}"#.to_owned(),
            r#"{"type":"page","type":"track"}"#.to_owned(),
            r#"{"type":"page","context":{},"context":{}}"#.to_owned(),
            r#"{"type":"page","userId":7}"#.to_owned(),
            r#"{"type":"page","timestamp":1,"originalTimestamp":2}"#.to_owned(),
            r#"{"type":"page","properties":{"x":1e300}}"#.to_owned(),
            r#"{"type":"page"} x"#.to_owned(),
            "[]".to_owned(),
            deep(8),
            many(129),
            format!(r#"{{"type":"page","properties":{{"long":"{}"}}}}"#, "x".repeat(5000)),
        ];
        assert!(!refused.iter().any(|json| taken(json)));
    }

    #[test]
    fn an_event_is_whole_where_its_fields_say_all() {
        let whole = [
            r#"{"type":"page","name":"A","timestamp":5,"sentAt":"x","anonymousId":"","context":{"page":{"path":"/","n":3}},"properties":{"x":-2.5,"y":-7,"":true}}"#,
            r#"{"type":"track","event":"E","properties":{},"traits":{"big":1e19,"small":1e-300}}"#,
            r#"{"type":"identify","userId":"u","groupId":"g","previousId":"p"}"#,
        ];
        let lossy = [
            r#"{"type":"page","event":"E"}"#,
            r#"{"type":"page","name":""}"#,
            r#"{"type":"identify","name":"N"}"#,
            r#"{"type":"page","properties":{"a":null}}"#,
            r#"{"type":"page","properties":{"a":[1]}}"#,
            r#"{"type":"page","properties":{"a":{}}}"#,
            r#"{"type":"page","properties":{"a.b":1}}"#,
            r#"{"type":"page","properties":{"a":1.0}}"#,
            r#"{"type":"page","properties":{"a":-0.0}}"#,
            r#"{"type":"page","properties":{"a":9007199254740993}}"#,
        ];
        assert!(whole.iter().all(|json| taken(json) && read(json).unwrap().is_whole()));
        assert!(lossy.iter().all(|json| taken(json) && !read(json).unwrap().is_whole()));
    }
}
