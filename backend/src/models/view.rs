//! What the routes of models take and give.

use super::CountsView;
use super::overlay::Registry;
use super::store::{Move, StoredModel, word};
use crate::clock::Millis;
use rapport_core::bundle::ScoreInPage;
use rapport_core::model::CardWire;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A model to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct NewModelWire {
    /// What the file does not say: `docs/models.md`. A model file of Rapport's needs none.
    #[schema(value_type = Option<serde_json::Value>)]
    pub card: Option<CardWire>,
    /// The file in base 64: a model file of Rapport's, ONNX, or a WebAssembly scorer.
    pub file: String,
    /// `local`, `edge` or `off`. `edge` where left out of what Rapport does not run itself, else `local`.
    #[schema(value_type = Option<String>)]
    pub score_in_page: Option<ScoreInPage>,
}

/// A version of a workspace's models.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelView {
    /// Counts up from 1. Routes take it, or the name for the newest of that name.
    pub version: i64,
    pub name: String,
    /// `trees`, `points`, `logistic`, `onnx` or `wasm`.
    #[schema(example = "onnx")]
    pub kind: String,
    /// `added`, `live`, `fallback` or `retired`.
    #[schema(example = "live")]
    pub state: &'static str,
    /// SHA-256 of what is kept of the file.
    pub hash: String,
    pub bytes: usize,
    pub score_in_page: String,
    /// Milliseconds since 1970-01-01 UTC.
    pub added_at: Millis,
    pub added_by: String,
    /// What adding it had to say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl ModelView {
    /// A version, as its registry sees it.
    pub fn new(stored: &StoredModel, registry: &Registry) -> Self {
        let StoredModel { version, model, by } = stored;
        let state = if registry.live() == Some(*version) {
            "live"
        } else if registry.fallback().is_some_and(|fallback| fallback.version == *version) {
            "fallback"
        } else if registry.was_live(*version) {
            "retired"
        } else {
            "added"
        };
        Self {
            version: *version,
            name: model.name.clone(),
            kind: model.kind.clone(),
            state,
            hash: model.digest.to_string(),
            bytes: model.bytes,
            score_in_page: word(model.score_in_page),
            added_at: model.at,
            added_by: by.clone(),
            notes: Vec::new(),
        }
    }
}

/// The models of a workspace.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelsView {
    /// The live version; absent where the bundle's own model is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<i64>,
    /// The version that answers where the live one, which somebody brought, fails; absent where the
    /// bundle's own model does, or the built-in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<i64>,
    /// Oldest first.
    pub models: Vec<ModelView>,
    /// Oldest first.
    pub history: Vec<HistoryView>,
    /// How the brought model does, since the server started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brought: Option<CountsView>,
}

/// What moved the pointer to the live model.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryView {
    /// `promote` or `rollback`.
    pub action: &'static str,
    /// What was live from then on; null for the bundle's own model.
    pub version: Option<i64>,
    /// Milliseconds since 1970-01-01 UTC.
    pub at: Millis,
    pub by: String,
}

impl From<&Move> for HistoryView {
    fn from(one: &Move) -> Self {
        let Move { action, version, at, by } = one;
        Self { action: action.word(), version: *version, at: *at, by: by.clone() }
    }
}

/// What came of trying a version.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckView {
    pub version: i64,
    /// Whether it may be promoted.
    pub ok: bool,
    pub problems: Vec<String>,
    /// Whether its scores have reasons.
    pub explains: bool,
    /// Of what somebody brought: its scores of the background's rows …
    pub scores: Vec<u8>,
    /// … their bands …
    #[schema(value_type = Vec<String>)]
    pub bands: Vec<&'static str>,
    /// … and how long a row took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub microseconds: Option<f64>,
}

/// What promoting or rolling back did.
#[derive(Debug, Serialize, ToSchema)]
pub struct MovedView {
    /// The number of the bundle that says so.
    pub bundle: i64,
    /// What is live now; null for the bundle's own model.
    pub live: Option<i64>,
    /// What was live before.
    pub was: Option<i64>,
    /// The version that answers where the live one fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<i64>,
}
