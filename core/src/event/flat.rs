//! The compact form straight from JSON, without a tree of values in between.
//!
//! Only for events that `EventWire` would take: whatever is out of the ordinary is left to it, so
//! that there is one place that says what is refused, and why.

use super::binary::{check_field, check_names};
use super::wire::MAX_DEPTH;
use super::{EventKind, EventWriter, Field, FieldValue, MAX_EVENT_BYTES, MAX_FIELDS, Millis};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// Stands for the dot while paths are put in order, so that members stay together.
const JOINT: char = '\0';

/// An event that is read as a member of something else, without a copy.
pub struct FlatEvent<'a>(Flat<'a>);

impl FlatEvent<'_> {
    /// What `EventWire::encode` makes of the event, byte for byte, several times as fast; nothing
    /// where only `EventWire` can tell what it is, or what is wrong with it.
    pub fn encode(self, time: Millis) -> Option<Vec<u8>> {
        self.0.encode(time)
    }
}

impl<'de: 'a, 'a> serde::Deserialize<'de> for FlatEvent<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut flat = Flat::default();
        (&mut flat).deserialize(deserializer)?;
        Ok(Self(flat))
    }
}

/// The members that the compact form is made of.
#[derive(Default)]
struct Flat<'a> {
    kind: Option<Cow<'a, str>>,
    message_id: Option<Cow<'a, str>>,
    event: Option<Cow<'a, str>>,
    name: Option<Cow<'a, str>>,
    fields: Vec<(String, Scalar<'a>)>,
    /// Something that only `EventWire` can judge.
    odd: bool,
}

/// Members that the compact form leaves out but whose kind is checked.
const IDS: [&str; 4] = ["anonymousId", "userId", "previousId", "groupId"];

enum Scalar<'a> {
    Number(f64),
    Text(Cow<'a, str>),
    Bool(bool),
}

impl Flat<'_> {
    /// Nothing where `EventWire` has to say what is wrong.
    fn encode(mut self, time: Millis) -> Option<Vec<u8>> {
        let kind = self.kind.as_deref()?;
        let kind = EventKind::ALL.into_iter().find(|known| known.word() == kind)?;
        let name = match kind {
            EventKind::Track => self.event.as_deref().filter(|name| !name.is_empty())?,
            EventKind::Page => self.name.as_deref().unwrap_or_default(),
            _ => "",
        };
        if self.odd || self.fields.len() > MAX_FIELDS {
            return None;
        }
        self.fields.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let message_id = self.message_id.as_deref().unwrap_or_default();
        check_names(kind, name, message_id).ok()?;
        let mut writer = EventWriter::new(kind, name, message_id, time);
        for (path, value) in &self.fields {
            let value = match value {
                Scalar::Number(number) => FieldValue::Number(*number),
                Scalar::Text(text) => FieldValue::Text(text),
                Scalar::Bool(flag) => FieldValue::Bool(*flag),
            };
            let path = path.replace(JOINT, ".");
            check_field(&Field { path: &path, value }).ok()?;
            writer.field(&path, value);
        }
        let bytes = writer.finish();
        (bytes.len() <= MAX_EVENT_BYTES).then_some(bytes)
    }
}

impl<'de> DeserializeSeed<'de> for &mut Flat<'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Flat<'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen: Vec<Cow<'de, str>> = Vec::with_capacity(16);
        while let Some(Text(key)) = members.next_key()? {
            self.odd |= seen.contains(&key);
            match &*key {
                "type" => self.kind = text(&mut members)?,
                "messageId" => self.message_id = text(&mut members)?,
                "event" => self.event = text(&mut members)?,
                "name" => self.name = text(&mut members)?,
                id if IDS.contains(&id) => _ = text(&mut members)?,
                root @ ("context" | "properties" | "traits") => {
                    let mut path = String::from(root);
                    let value = Value { flat: &mut *self, path: &mut path, depth: 0 };
                    members.next_value_seed(value)?;
                    // Only an object may stand there.
                    self.odd |= self.fields.last().is_some_and(|(path, _)| path == root);
                }
                "originalTimestamp" => {
                    // Another name of the timestamp, which may stand there once.
                    members.next_value::<IgnoredAny>()?;
                    self.odd |= seen.iter().any(|key| key == "timestamp");
                    seen.push(Cow::Borrowed("timestamp"));
                    continue;
                }
                _ => _ = members.next_value::<IgnoredAny>()?,
            }
            seen.push(key);
        }
        Ok(())
    }
}

fn text<'de, A: MapAccess<'de>>(members: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    Ok(members.next_value::<Option<Text<'de>>>()?.map(|Text(text)| text))
}

/// A value below one of the roots.
struct Value<'f, 'p, 'de> {
    flat: &'f mut Flat<'de>,
    path: &'p mut String,
    depth: usize,
}

impl<'de> Value<'_, '_, 'de> {
    fn scalar(self, value: Scalar<'de>) {
        if self.flat.fields.len() > MAX_FIELDS {
            self.flat.odd = true;
            return;
        }
        self.flat.fields.push((self.path.clone(), value));
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.flat.odd |= self.depth == 0;
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.scalar(Scalar::Bool(value));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.scalar(Scalar::Number(value as f64));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.scalar(Scalar::Number(value as f64));
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.scalar(Scalar::Number(value));
        Ok(())
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<(), E> {
        self.scalar(Scalar::Text(Cow::Borrowed(value)));
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.scalar(Scalar::Text(Cow::Owned(value.to_owned())));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut length = 0u32;
        while items.next_element::<IgnoredAny>()?.is_some() {
            length = length.saturating_add(1);
        }
        let end = self.path.len();
        self.flat.odd |= self.depth == 0;
        self.path.push(JOINT);
        self.path.push_str("length");
        self.flat.fields.push((self.path.clone(), Scalar::Number(f64::from(length))));
        self.path.truncate(end);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        // A root's members are one object deep.
        self.flat.odd |= self.depth >= MAX_DEPTH;
        let (flat, path, depth) = (self.flat, self.path, self.depth + 1);
        let end = path.len();
        let mut seen: Vec<Cow<'de, str>> = Vec::with_capacity(8);
        while let Some(Text(key)) = members.next_key()? {
            // Of members that stand twice the last one counts.
            flat.odd |= key.contains(JOINT) || seen.contains(&key);
            path.push(JOINT);
            path.push_str(&key);
            members.next_value_seed(Value { flat: &mut *flat, path: &mut *path, depth })?;
            path.truncate(end);
            seen.push(key);
        }
        Ok(())
    }
}

/// A text that borrows from the JSON where it can.
struct Text<'a>(Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrowing;
        impl<'de> Visitor<'de> for Borrowing {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Borrowing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventWire;

    const TIME: Millis = Millis(1_780_000_000_000);

    /// Whether the long way takes an event; the short way then gives the same bytes, or leaves it.
    fn taken(json: &str) -> bool {
        let short = serde_json::from_str::<FlatEvent<'_>>(json).ok();
        let short = short.and_then(|event| event.encode(TIME));
        let long = serde_json::from_str::<EventWire>(json).ok();
        let long = long.and_then(|wire| wire.encode(TIME).ok());
        assert!(short.is_none() || short == long, "{json}");
        long.is_some()
    }

    /// Whether the short way gives anything.
    fn short(json: &str) -> bool {
        serde_json::from_str::<FlatEvent<'_>>(json).is_ok_and(|event| event.encode(TIME).is_some())
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
}
