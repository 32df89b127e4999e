//! Events: JSON in, compact form and time out, or one clear sentence.

use super::{hex, passed, suite};
use rapport_core::event::{Event, EventWire, Millis};
use serde_json::Value;

#[test]
fn every_event_takes_its_compact_form_or_is_refused_with_the_reason() {
    let mut cases = 0;
    let mut failures = Vec::new();
    for (file, document) in suite("event") {
        for case in document["cases"].as_array().unwrap() {
            cases += 1;
            let found = outcome(case);
            let matches = match (&found, case["error"].as_str()) {
                (Ok(found), None) => [&case["bytes"], &case["time"]].contains(&found),
                (Err(found), Some(expected)) => found.contains(expected),
                _ => false,
            };
            if !matches {
                failures.push(format!("{file}: {}: {found:?}", case["name"]));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    passed("event", cases);
}

/// The bytes of an encoding, the time of a clock.
fn outcome(case: &Value) -> Result<Value, String> {
    let wire: EventWire =
        serde_json::from_value(case["event"].clone()).map_err(|error| error.to_string())?;
    if let Some(received) = case["received"].as_i64() {
        return wire
            .event_time(Millis(received))
            .map(|time| time.0.into())
            .map_err(|error| error.to_string());
    }
    let bytes =
        wire.encode(Millis(case["time"].as_i64().unwrap())).map_err(|error| error.to_string())?;
    Event::decode(&bytes).map_err(|error| error.to_string())?;
    Ok(hex(&bytes).into())
}
