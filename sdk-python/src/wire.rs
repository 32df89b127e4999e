//! What serde reads, out of Python's own objects.

use crate::error::visitor;
use crate::values::read;
use pyo3::prelude::*;
use rapport_core::targeting::Value;
use serde::de::value::{Error, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

/// Reads what has serde's form, such as an event.
///
/// # Errors
/// `VisitorError` that says what it is not.
pub fn wire<T: DeserializeOwned>(object: &Bound<'_, PyAny>, what: &str) -> PyResult<T> {
    let value = Wire(read(object)?);
    T::deserialize(value).map_err(|error| visitor(format!("this is no {what}: {error}")))
}

struct Wire(Value<'static>);

impl IntoDeserializer<'_, Error> for Wire {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Wire {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(flag),
            // Whole numbers that a double holds exactly are whole to whoever asks for such.
            Value::Number(number) if number.trunc() == number && number.abs() < 9.0e15 => {
                visitor.visit_i64(number as i64)
            }
            Value::Number(number) => visitor.visit_f64(number),
            Value::Text(text) => visitor.visit_string(text.into_owned()),
            Value::List(items) => {
                visitor.visit_seq(SeqDeserializer::new(items.into_iter().map(Wire)))
            }
            Value::Map(members) => {
                let members = members.into_iter();
                let members = members.map(|(name, value)| (name.into_owned(), Wire(value)));
                visitor.visit_map(MapDeserializer::new(members))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0 {
            Value::Text(text) => {
                text.into_owned().into_deserializer().deserialize_enum(name, variants, visitor)
            }
            // `{"Variant": …}`, which nothing of ours writes.
            _ => Err(serde::de::Error::custom(format!("{name} is one of {}", variants.join(", ")))),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
