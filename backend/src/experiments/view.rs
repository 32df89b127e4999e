//! What the routes of definitions take and give.

use super::definition::{Definition, Status};
use super::payload::Wrong;
use crate::clock::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Something to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWire {
    /// 1 to 100 letters, digits or any of `_-.:`.
    #[schema(example = "checkout-button")]
    pub key: String,
    /// `draft` for experiments and experiences where left out, `running` for everything else.
    pub status: Option<Status>,
    /// `docs/experiments.md` says what each kind holds.
    #[schema(value_type = serde_json::Value)]
    pub definition: Map<String, Value>,
}

/// What it is to say from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditWire {
    #[schema(value_type = serde_json::Value)]
    pub definition: Map<String, Value>,
}

/// What it is to be from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusWire {
    pub status: Status,
}

/// The revision to say again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollBackWire {
    pub revision: i64,
}

/// The winner.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShipWire {
    /// The variation's key, or its number from 0 where it has none.
    #[schema(example = "1")]
    pub variation: String,
}

/// One revision.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DefinitionView {
    pub key: String,
    /// Counts up from 1. The newest one's is the `ETag`, which `If-Match` names.
    pub revision: i64,
    pub status: Status,
    #[schema(value_type = serde_json::Value)]
    pub definition: Map<String, Value>,
    /// Milliseconds since 1970-01-01 UTC.
    pub changed_at: Millis,
    pub changed_by: String,
}

impl From<Definition> for DefinitionView {
    fn from(one: Definition) -> Self {
        let Definition { key, revision, status, content, at, by, .. } = one;
        Self { key, revision, status, definition: content, changed_at: at, changed_by: by }
    }
}

/// Several of them.
#[derive(Debug, Serialize, ToSchema)]
pub struct DefinitionsView {
    pub definitions: Vec<DefinitionView>,
}

impl From<Vec<Definition>> for DefinitionsView {
    fn from(all: Vec<Definition>) -> Self {
        Self { definitions: all.into_iter().map(Into::into).collect() }
    }
}

/// Something that is wrong with a definition.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WrongView {
    /// Where it stands.
    #[schema(example = "experiments.checkout.condition.country.$regex")]
    pub at: String,
    pub reason: String,
}

impl From<&Wrong> for WrongView {
    fn from(wrong: &Wrong) -> Self {
        Self { at: wrong.at.clone(), reason: wrong.reason.clone() }
    }
}
