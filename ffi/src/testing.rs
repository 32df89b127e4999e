//! Questions that only conformance cases ask: core's units, in JSON.

use crate::boundary::Refusal;
use rapport_core::experiment::{
    Asker, HashVersion, Namespace, Range, chosen, compile_flags, equal_weights, query_override,
    ranges, redirect,
};
use rapport_core::model::{Bands, LeadModel, Model, Packing, SignalKind, encode, import};
use rapport_core::person::{ArrivalWire, History};
use serde_json::{Value, from_value, json};
use std::collections::BTreeMap;

/// Answers `[what, argument …]`.
pub fn answer(json: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut asked: Vec<Value> = serde_json::from_slice(json)?;
    asked.resize(5, Value::Null);
    let [what, a, b, c, d] = asked.try_into().unwrap_or_default();
    let answer = match what.as_str().unwrap_or_default() {
        "hash" => {
            let (seed, value, version): (String, String, u32) =
                (from_value(a)?, from_value(b)?, from_value(c)?);
            json!(HashVersion::numbered(version).map(|version| version.place(&seed, &value)))
        }
        "ranges" => {
            let weights: Option<Vec<f64>> = from_value(c)?;
            let found = ranges(from_value(a)?, from_value(b)?, weights.as_deref());
            json!(found.iter().map(|Range(from, to)| [from, to]).collect::<Vec<_>>())
        }
        "chosen" => {
            let given: Vec<[f64; 2]> = from_value(a)?;
            let given: Vec<Range> = given.into_iter().map(|[from, to]| Range(from, to)).collect();
            json!(chosen(&given, from_value(b)?))
        }
        "queryOverride" => {
            let (key, address): (String, String) = (from_value(a)?, from_value(b)?);
            json!(query_override(&key, &address, from_value(c)?))
        }
        "inNamespace" => {
            let (value, seed): (String, String) = (from_value(a)?, from_value(b)?);
            let range = Range(from_value(c)?, from_value(d)?);
            json!(Namespace { seed: seed.into(), range }.holds(&value))
        }
        "equalWeights" => json!(equal_weights(from_value(a)?)),
        "redirect" => {
            let (from, to): (String, String) = (from_value(a)?, from_value(b)?);
            json!(redirect(&from, &to, from_value(c)?))
        }
        "experiment" => {
            let context: rapport_core::targeting::Value<'static> = from_value(a)?;
            let (flags, _) = compile_flags(&context);
            serde_json::to_value(Asker::new(&context).experiment(&flags, from_value(b)?))?
        }
        "history" => {
            let wires: Vec<ArrivalWire> = from_value(a)?;
            let granted: bool = from_value(b)?;
            let arrivals: Vec<_> =
                wires.iter().map(|wire| wire.arrival(granted)).collect::<Result<_, _>>()?;
            let History { people, folds } = History::of(&arrivals);
            let everybody = people.subjects().chain(arrivals.iter().map(|arrival| arrival.subject));
            let people: BTreeMap<String, String> =
                everybody.map(|who| (who.to_string(), people.person(who).to_string())).collect();
            let folds: BTreeMap<String, &Vec<usize>> =
                folds.iter().map(|(person, places)| (person.to_string(), places)).collect();
            json!({ "people": people, "folds": folds })
        }
        "levels" => {
            let model = Model::open(&from_value::<Vec<u8>>(a)?)?;
            let levels = model.signals().iter().map(|signal| match &signal.kind {
                SignalKind::Category { levels } => Some(levels.len()),
                _ => None,
            });
            json!(levels.collect::<Vec<_>>())
        }
        "import" => {
            let (format, bytes): (String, Vec<u8>) = (from_value(a)?, from_value(b)?);
            let trees = match format.as_str() {
                "lightgbm" => import::lightgbm(&bytes)?,
                "xgboost" => import::xgboost(&bytes)?,
                "onnx" => import::onnx(&bytes)?,
                _ => return Err(Refusal::Unknown(format)),
            };
            let bands = Bands { not_below: 0.3, qualified_from: 0.7 };
            let imported = LeadModel::of_trees("imported", trees, bands);
            json!(encode(&LeadModel { packing: Packing::EXACT, ..imported })?)
        }
        unknown => return Err(Refusal::Unknown(unknown.to_owned())),
    };
    Ok(serde_json::to_vec(&answer)?)
}
