//! A flat event straight from JSON, without a tree of values in between.
//!
//! Only for events that `EventWire` would take: whatever is out of the ordinary is left to it, so
//! that there is one place that says what is refused, and why.

use super::MAX_FIELDS;
use super::flat::{EXACT, FlatEvent, JOINT, Scalar, whole};
use super::wire::MAX_DEPTH;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

impl<'de: 'a, 'a> serde::Deserialize<'de> for FlatEvent<'a> {
    /// Refuses whatever only `EventWire` can judge.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut reading = Reading::default();
        (&mut reading).deserialize(deserializer)?;
        if reading.odd || !reading.typed || reading.flat.len() > MAX_FIELDS {
            return Err(odd());
        }
        Ok(reading.flat.in_order())
    }
}

/// An event while it is read.
#[derive(Default)]
struct Reading<'a> {
    flat: FlatEvent<'a>,
    typed: bool,
    /// Something that only `EventWire` can judge.
    odd: bool,
}

impl<'de> DeserializeSeed<'de> for &mut Reading<'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for &mut Reading<'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen: Vec<Cow<'de, str>> = Vec::with_capacity(16);
        while let Some(Text(key)) = members.next_key()? {
            self.odd |= seen.contains(&key);
            match &*key {
                "type" => {
                    let kind = text(&mut members)?;
                    (self.typed, self.flat.kind) = (kind.is_some(), kind.unwrap_or_default());
                }
                "messageId" => self.flat.message_id = text(&mut members)?,
                "anonymousId" => self.flat.anonymous_id = text(&mut members)?,
                "userId" => self.flat.user_id = text(&mut members)?,
                "previousId" => self.flat.previous_id = text(&mut members)?,
                "groupId" => self.flat.group_id = text(&mut members)?,
                "event" => self.flat.event = text(&mut members)?,
                "name" => self.flat.name = text(&mut members)?,
                "timestamp" => self.flat.timestamp = members.next_value()?,
                "sentAt" => self.flat.sent_at = members.next_value()?,
                root @ ("context" | "properties" | "traits") => {
                    let mut path = String::with_capacity(64);
                    path.push_str(root);
                    let value = Member { reading: &mut *self, path: &mut path, depth: 0 };
                    members.next_value_seed(value)?;
                }
                "originalTimestamp" => {
                    // Another name of the timestamp, which may stand there once.
                    self.flat.timestamp = members.next_value()?;
                    self.odd |= seen.iter().any(|key| key == "timestamp");
                    seen.push(Cow::Borrowed("timestamp"));
                    continue;
                }
                _ => _ = members.next_value::<IgnoredAny>()?,
            }
            seen.push(key);
            if self.odd || seen.len() > MAX_FIELDS {
                return Err(odd());
            }
        }
        Ok(())
    }
}

/// Ends the reading: `EventWire` has the word.
fn odd<E: Error>() -> E {
    E::custom("out of the ordinary")
}

fn text<'de, A: MapAccess<'de>>(members: &mut A) -> Result<Option<Cow<'de, str>>, A::Error> {
    Ok(members.next_value::<Option<Text<'de>>>()?.map(|Text(text)| text))
}

/// A value below one of the roots.
struct Member<'f, 'p, 'de> {
    reading: &'f mut Reading<'de>,
    path: &'p mut String,
    depth: usize,
}

impl<'de> Member<'_, '_, 'de> {
    fn scalar<E>(self, value: Scalar<'de>) -> Result<(), E> {
        // A root is an object.
        self.reading.odd |= self.depth == 0 || self.reading.flat.len() > MAX_FIELDS;
        if !self.reading.odd {
            self.reading.flat.add(self.path, value);
        }
        Ok(())
    }

    fn number<E>(self, number: f64, exact: bool) -> Result<(), E> {
        self.reading.flat.lossy |= !exact;
        self.scalar(Scalar::Number(number))
    }
}

impl<'de> DeserializeSeed<'de> for Member<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Member<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.reading.odd |= self.depth == 0;
        self.reading.flat.lossy = true;
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.scalar(Scalar::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.number(value as f64, value as f64 <= EXACT)
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.number(value as f64, value as f64 >= -EXACT)
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.number(value, !whole(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<(), E> {
        self.scalar(Scalar::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.scalar(Scalar::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut length = 0u32;
        while items.next_element::<IgnoredAny>()?.is_some() {
            length = length.saturating_add(1);
        }
        self.path.push(JOINT);
        self.path.push_str("length");
        self.number(f64::from(length), false)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        // A root's members are one object deep.
        self.reading.odd |= self.depth >= MAX_DEPTH;
        let (reading, path, depth) = (self.reading, self.path, self.depth + 1);
        let end = path.len();
        let mut seen: Vec<Cow<'de, str>> = Vec::with_capacity(8);
        while let Some(Text(key)) = members.next_key()? {
            // Of members that stand twice the last one counts.
            reading.odd |= key.contains(JOINT) || seen.contains(&key);
            reading.flat.lossy |= key.contains('.');
            path.push(JOINT);
            path.push_str(&key);
            members.next_value_seed(Member { reading: &mut *reading, path: &mut *path, depth })?;
            path.truncate(end);
            seen.push(key);
            if reading.odd || seen.len() > MAX_FIELDS {
                return Err(odd());
            }
        }
        reading.flat.lossy |= seen.is_empty() && depth > 1;
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
