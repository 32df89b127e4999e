//! What a file that somebody brings is, and what is kept of it.

use super::service::MAX_FILE;
use crate::app::App;
use crate::error::Problem;
use crate::experiments::Wrong;
use rapport_core::model::import::onnx_classifier;
use rapport_core::model::{
    Bands, BroughtModel, Card, CardWire, Kind, LeadModel, Packing, Runtime, SignalKind, TreeModel,
    decode, encode,
};
use rapport_core::scoring::ScorerFault;

/// A file that was read.
pub struct Read {
    pub name: String,
    pub kind: &'static str,
    /// A model file, or a brought model.
    pub bytes: Vec<u8>,
    /// What people should know of it.
    pub notes: Vec<String>,
}

/// Reads a file with its card.
///
/// # Errors
/// See [`super::service::add`].
pub fn read(app: &App, card: Option<CardWire>, file: Vec<u8>) -> Result<Read, Problem> {
    if file.len() > MAX_FILE {
        return Err(Problem::TooLarge(MAX_FILE));
    }
    let malformed = |why: String| Problem::Malformed(why);
    if file.starts_with(b"RPM1") {
        let model = decode(&file).map_err(|error| malformed(error.to_string()))?;
        let kind = match model.kind {
            Kind::Trees(_) => "trees",
            Kind::Points(_) => "points",
            Kind::Logistic(_) => "logistic",
        };
        let name = card.map_or(model.name, |card| card.name);
        return Ok(Read { name, kind, bytes: file, notes: Vec::new() });
    }
    let Some(card) = card else {
        return Err(malformed(
            "the file is no model file of Rapport's, and a file of another kind needs a card: send `card` with its name and signals".to_owned(),
        ));
    };
    let runtime = kind_of(&card, &file)?;
    let checked = card.check().map_err(|problems| {
        let wrong = |problem: &rapport_core::model::CardProblem| {
            Wrong::new(format!("card.{}", problem.at), problem.reason.clone())
        };
        Problem::Definition(problems.iter().map(wrong).collect())
    })?;
    if runtime == Runtime::Onnx
        && let Some(trees) = as_trees(&file, &checked)
    {
        return native(trees, &checked);
    }
    if checked.background.is_empty() {
        return Err(Problem::Definition(vec![Wrong::new(
            "card.background",
            "no rows came; 1 to 64 were expected: a few typical leads, which explanations compare with",
        )]));
    }
    let open = app.engines.runs()(runtime, &file, &checked.signals);
    if let Err(fault) = open {
        return Err(malformed(match fault {
            ScorerFault::Shape(why) => format!("the file does not fit its card: {why}"),
            fault => fault.to_string(),
        }));
    }
    let brought = checked.bring(runtime, file).map_err(|error| malformed(error.to_string()))?;
    Ok(Read {
        name: checked.name,
        kind: runtime.word(),
        bytes: BroughtModel::encode(&brought),
        notes: Vec::new(),
    })
}

/// By the file, and by the card where it says.
fn kind_of(card: &CardWire, file: &[u8]) -> Result<Runtime, Problem> {
    let came = if file.starts_with(b"\0asm") { Runtime::Wasm } else { Runtime::Onnx };
    match card.kind {
        Some(said) if said != came => Err(Problem::Definition(vec![Wrong::new(
            "card.kind",
            format!(
                "`{}` came, but the file {} a WebAssembly module: correct the card, or send the other file",
                said.word(),
                if came == Runtime::Wasm { "is" } else { "is not" }
            ),
        )])),
        _ => Ok(came),
    }
}

/// An ONNX file that is nothing but a tree ensemble over numbers, by the card's names.
fn as_trees(file: &[u8], card: &Card) -> Option<TreeModel> {
    let mut trees = onnx_classifier(file).ok()?;
    let numbers = |kind: &SignalKind| matches!(kind, SignalKind::Number);
    let fits = trees.signals.len() <= card.signals.len()
        && trees
            .signals
            .iter()
            .zip(&card.signals)
            .all(|(read, said)| numbers(&read.kind) && numbers(&said.kind))
        && card.missing.iter().all(|missing| missing.is_nan());
    if !fits {
        return None;
    }
    let read = trees.signals.len();
    trees.signals = card.signals.iter().take(read).cloned().collect();
    Some(trees)
}

fn native(mut trees: TreeModel, card: &Card) -> Result<Read, Problem> {
    let mut notes = vec![format!(
        "converted: {} trees run as a trained model does, in pages too",
        trees.trees.len()
    )];
    let covers = !card.background.is_empty();
    if covers {
        trees.weigh(&card.background);
    } else {
        notes.push(
            "ONNX says nothing of the training data, so scores have no reasons: give the card a background to get them".to_owned(),
        );
    }
    let bands: Bands = card.bands;
    let packing = Packing { covers, ..Packing::EXACT };
    let model = LeadModel { packing, ..LeadModel::of_trees(&card.name, trees, bands) };
    let bytes = encode(&model).map_err(|error| Problem::Malformed(error.to_string()))?;
    Ok(Read { name: card.name.clone(), kind: "trees", bytes, notes })
}
