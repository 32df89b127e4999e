//! Histories as conformance cases see them.

use rapport_core::person::{ArrivalWire, History};
use serde::Serialize;
use std::collections::BTreeMap;
use wasm_bindgen::prelude::*;

#[derive(Serialize)]
struct HistoryView {
    people: BTreeMap<String, String>,
    folds: BTreeMap<String, Vec<usize>>,
}

/// What a list of arrivals comes to: who everybody is in the end, and the places of each person's
/// events in the order in which they fold. `granted` holds of profiling where nobody was asked.
#[wasm_bindgen(js_name = historyOf)]
pub fn history_of(arrivals: JsValue, granted: bool) -> Result<JsValue, JsError> {
    let wires: Vec<ArrivalWire> = serde_wasm_bindgen::from_value(arrivals)?;
    let arrivals = wires.iter().map(|wire| wire.arrival(granted)).collect::<Result<Vec<_>, _>>()?;
    let History { people, folds } = History::of(&arrivals);
    let everybody = people.subjects().chain(arrivals.iter().map(|arrival| arrival.subject));
    let view = HistoryView {
        people: everybody.map(|who| (who.to_string(), people.person(who).to_string())).collect(),
        folds: folds.iter().map(|(person, places)| (person.to_string(), places.clone())).collect(),
    };
    let plain = serde_wasm_bindgen::Serializer::json_compatible();
    Ok(view.serialize(&plain)?)
}
