//! What the identity routes take and give.

use super::ids::Environment;
use super::terms::KeyTerms;
use crate::clock::Millis;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// The workspace that requests with this session are about.
    #[schema(example = "ws_0123456789abc")]
    pub workspace: String,
    pub environment: Environment,
    pub role: &'static str,
    /// Milliseconds since 1970-01-01 UTC; absent for a key.
    pub expires_at: Option<Millis>,
    /// Where the session can switch to.
    pub workspaces: Vec<MembershipView>,
}

/// A workspace that somebody is a member of.
#[derive(Debug, Serialize, ToSchema)]
pub struct MembershipView {
    pub id: String,
    pub name: String,
    pub role: &'static str,
}

/// Where to switch to.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SwitchWire {
    pub workspace: String,
    /// `live` where left out.
    pub environment: Option<Environment>,
}

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NewKeyWire {
    /// What it is for, in a few words.
    #[schema(example = "website")]
    pub name: String,
    /// `page` for a public write key; for a secret key what its holder may do.
    #[schema(example = "page")]
    pub role: String,
    #[serde(flatten)]
    pub terms: KeyTerms,
}

/// A new key. A secret one is shown here and never again.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssuedKeyView {
    pub id: String,
    pub key: String,
    pub role: &'static str,
}

/// A key in use.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyView {
    pub id: String,
    pub name: String,
    pub role: &'static str,
    /// The whole of a write key, the first letters of a secret one.
    pub shown: String,
    #[serde(flatten)]
    pub terms: KeyTerms,
    /// What GrowthBook's clients decrypt with, where the key's payloads are encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload_key: Option<String>,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_at: Millis,
}

/// The keys in use.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeysView {
    pub keys: Vec<KeyView>,
}
