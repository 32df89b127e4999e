//! Models made to fit a bundle: stable ids in, what only people need out.

use crate::model::{self, Kind, LeadModel, Signal, SignalKind};
use crate::profile::SignalWire;

/// A model file whose signals carry the ids of the bundle's and neither names nor level names.
/// A model's signal is found by its id, or by its name where it has none.
///
/// # Errors
/// Says which signals the bundle lacks or declares otherwise.
pub(super) fn fit_model(file: &[u8], signals: &[&SignalWire]) -> Result<Vec<u8>, String> {
    let mut model = model::decode(file).map_err(|error| error.to_string())?;
    let mut missing = Vec::new();
    for read in signals_of(&mut model) {
        let declared = signals.iter().find(|declared| match read.id {
            0 => declared.name == read.name,
            id => declared.id == id,
        });
        let Some(declared) = declared else {
            missing.push(if read.name.is_empty() {
                format!("id {}", read.id)
            } else {
                read.name.clone()
            });
            continue;
        };
        if matches!(read.kind, SignalKind::Category { .. }) != declared.kind.is_category() {
            let [read, kind] = if declared.kind.is_category() {
                ["numbers", "a category"]
            } else {
                ["levels", "a number"]
            };
            return Err(format!(
                "it reads `{}` as {read}, which the bundle declares as {kind}: train it anew",
                declared.name
            ));
        }
        read.id = declared.id;
        read.name.clear();
    }
    if !missing.is_empty() {
        return Err(format!(
            "it reads signals that the bundle does not declare: {}",
            missing.join(", ")
        ));
    }
    model.packing.level_names = false;
    model::encode(&model).map_err(|error| error.to_string())
}

fn signals_of(model: &mut LeadModel) -> &mut [Signal] {
    match &mut model.kind {
        Kind::Trees(model) => &mut model.signals,
        Kind::Points(model) | Kind::Logistic(model) => &mut model.signals,
    }
}
