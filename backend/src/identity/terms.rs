//! What a key is limited to beside its role.

use super::origin::Origin;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The limits of a key. The default limits nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct KeyTerms {
    /// The websites whose pages may use the key: `https://acme.example`, or `https://*.acme.example`
    /// for every host below it. Empty for any.
    #[schema(value_type = Vec<String>, example = json!(["https://acme.example"]))]
    pub origins: Vec<Origin>,
    /// So many events a second may come with the key, twenty times as many at once; any number where left out.
    pub events_per_second: Option<u32>,
    /// Whether what GrowthBook's clients get with the key is encrypted (`payloadKey` among the keys opens it).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub encrypt_payload: bool,
}

/// A key for more websites than that is a key for any.
pub const MAX_ORIGINS: usize = 50;

/// Why limits cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum BadTerms {
    #[error("`origins` holds more than {MAX_ORIGINS} websites")]
    TooMany,
    #[error("`eventsPerSecond` must be at least 1")]
    Nothing,
}

impl KeyTerms {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// Says which limit makes no sense.
    pub fn check(&self) -> Result<(), BadTerms> {
        if self.origins.len() > MAX_ORIGINS {
            return Err(BadTerms::TooMany);
        }
        if self.events_per_second == Some(0) { Err(BadTerms::Nothing) } else { Ok(()) }
    }

    /// Whether a page of that origin may use the key; what comes from no page is not asked.
    pub fn admit(&self, origin: Option<&str>) -> bool {
        let Some(origin) = origin else { return true };
        self.origins.is_empty() || self.origins.iter().any(|allowed| allowed.covers(origin))
    }
}
