//! Models made to fit a bundle: stable ids in, what only people need out.

use crate::model::{self, BroughtModel, Kind, LeadModel, Signal, SignalKind};
use crate::profile::SignalWire;

/// A model file whose signals carry the ids of the bundle's and neither names nor level names.
/// A model's signal is found by its id, or by its name where it has none.
///
/// # Errors
/// Says which signals the bundle lacks or declares otherwise.
pub fn fit_model(file: &[u8], signals: &[&SignalWire]) -> Result<Vec<u8>, String> {
    let mut model = model::decode(file).map_err(|error| error.to_string())?;
    for read in settle(signals_of(&mut model), signals)? {
        read.name.clear();
    }
    model.packing.level_names = false;
    model::encode(&model).map_err(|error| error.to_string())
}

/// A brought model whose signals carry the ids of the bundle's. Names and levels stay: its file may know
/// its inputs by them. Where it is `public`, no private signal is among them.
///
/// # Errors
/// Says which signals the bundle lacks or declares otherwise.
pub fn fit_brought(part: &[u8], signals: &[&SignalWire], public: bool) -> Result<Vec<u8>, String> {
    let mut brought = BroughtModel::decode(part).map_err(|error| error.to_string())?;
    let mut frame = model::decode(&brought.frame).map_err(|error| error.to_string())?;
    for read in settle(signals_of(&mut frame), signals)? {
        let is_private = signals.iter().any(|one| one.id == read.id && !one.public);
        if public && is_private {
            return Err(format!(
                "it reads the private signal `{}`, whose name everybody could read: promote it with `score_in_page` edge",
                read.name
            ));
        }
    }
    brought.frame = model::encode(&frame).map_err(|error| error.to_string())?;
    Ok(brought.encode())
}

/// Gives each signal that a model reads the id of the bundle's.
fn settle<'a>(
    reads: &'a mut [Signal],
    signals: &[&SignalWire],
) -> Result<impl Iterator<Item = &'a mut Signal>, String> {
    let mut missing = Vec::new();
    for read in reads.iter_mut() {
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
    }
    if !missing.is_empty() {
        return Err(format!(
            "it reads signals that the bundle does not declare: {}",
            missing.join(", ")
        ));
    }
    Ok(reads.iter_mut())
}

fn signals_of(model: &mut LeadModel) -> &mut [Signal] {
    match &mut model.kind {
        Kind::Trees(model) => &mut model.signals,
        Kind::Points(model) | Kind::Logistic(model) => &mut model.signals,
    }
}
