//! Everything that is decided, for a page that cannot run the engine and knows what the keys are about.

use super::everything::decided;
use super::open::OpenFlags;
use super::visitor::{core, json};
use crate::profiles::ScoreView;
use rapport_core::event::Millis;
use serde_json::Value;

/// `features` and `experiments` of the page by their keys, in the engine's words, each with the `exposures` that
/// showing it is to tell. The part `flags`, which the page has, says the rest.
pub fn answers(open: &OpenFlags, visitor: &Value, now: Millis, score: Option<&ScoreView>) -> Value {
    json(&decided(open, &core(visitor), now, score).brief())
}
