//! Who is asked about, as core reads it.

use crate::clock;
use rapport_core::targeting::Value as CoreValue;
use serde_json::{Map, Value};

/// A visitor whom a client describes. What core itself says of them stands over what a client may say.
pub fn context(
    attributes: Map<String, Value>,
    url: &str,
    forced: Map<String, Value>,
) -> CoreValue<'static> {
    CoreValue::Map(vec![
        ("attributes".into(), core(&Value::Object(attributes))),
        ("url".into(), CoreValue::Text(url.to_owned().into())),
        ("forcedVariations".into(), core(&Value::Object(forced))),
        ("now".into(), CoreValue::Number(clock::now() as f64)),
    ])
}

/// Whatever JSON can say, core can.
pub(super) fn core(value: &Value) -> CoreValue<'static> {
    serde::Deserialize::deserialize(value).unwrap_or_default()
}

/// What core answers, as JSON.
pub fn json(value: &CoreValue<'_>) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
