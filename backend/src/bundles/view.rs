//! What publishing takes and gives.

use super::service::Published;
use super::store::Publication;
use crate::clock::Millis;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A bundle to publish.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "an object with `bundle` and `models`")]
pub struct PublishWire {
    /// `signals`, `models`, `words` and `flags` as `docs/bundle-format.md` describes them.
    #[schema(value_type = serde_json::Value)]
    pub bundle: Map<String, Value>,
    /// Model files by the models' names, in base 64.
    #[serde(default)]
    pub models: BTreeMap<String, String>,
}

/// What was published.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublishedView {
    /// Counts up from 1 in each environment of a workspace.
    pub number: i64,
    /// The signed manifest.
    #[schema(value_type = serde_json::Value)]
    pub manifest: rapport_core::bundle::Manifest,
    /// What was left out, and why.
    pub problems: Vec<String>,
    /// What a competitor can read from now on.
    #[schema(value_type = Vec<serde_json::Value>)]
    pub public: Vec<rapport_core::bundle::PublicFact>,
    /// How many profiles are folded anew for it.
    pub refolds: usize,
}

impl From<Published> for PublishedView {
    fn from(published: Published) -> Self {
        Self {
            number: published.number,
            manifest: published.manifest,
            problems: published.problems.iter().map(ToString::to_string).collect(),
            public: published.public,
            refolds: published.refolds,
        }
    }
}

/// The current publication.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublicationView {
    /// The bytes that are signed.
    pub manifest: String,
    /// Ed25519, base 64.
    pub signature: String,
    /// What the signature is verified with, base 64.
    pub public_key: String,
    /// Milliseconds since 1970-01-01 UTC.
    pub published_at: Millis,
}

impl PublicationView {
    /// A publication and the key that verifies it.
    pub fn new(publication: Publication, public_key: &[u8]) -> Self {
        Self {
            manifest: publication.manifest,
            signature: BASE64_STANDARD.encode(publication.signature),
            public_key: BASE64_STANDARD.encode(public_key),
            published_at: publication.published_at,
        }
    }
}
