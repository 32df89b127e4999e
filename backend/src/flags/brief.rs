//! Everything that is decided, for a page that cannot run the engine and knows what the keys are about.

use super::everything::decided;
use super::open::OpenFlags;
use super::visitor::core;
use crate::profiles::ScoreView;
use rapport_core::event::Millis;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

/// What is decided for a visitor, in the engine's words, each with the `exposures` that showing it is to
/// tell. The part `flags`, which the page has, says the rest.
#[derive(Debug, Serialize, ToSchema)]
pub struct AnswersView {
    /// By their keys.
    #[schema(value_type = serde_json::Value)]
    features: Map<String, Value>,
    /// The page's own, by their keys.
    #[schema(value_type = serde_json::Value)]
    experiments: Map<String, Value>,
}

/// Asks all flags about a visitor, whose score is the server's.
pub fn answers(
    open: &OpenFlags,
    visitor: &Value,
    now: Millis,
    score: Option<&ScoreView>,
) -> AnswersView {
    let (features, pages) = decided(open, &core(visitor), now, score);
    let keyed = |page: Value| {
        let key = page["experiment"]["key"].as_str().unwrap_or_default().to_owned();
        (key, brief(page))
    };
    AnswersView {
        features: features.into_iter().map(|(key, answer)| (key, brief(answer))).collect(),
        experiments: pages.into_iter().map(keyed).collect(),
    }
}

/// An answer without what the page knows: experiments by their keys. Why is the sentence of what decided.
fn brief(mut answer: Value) -> Value {
    let short = |experiment: &mut Value| *experiment = json!({ "key": experiment["key"] });
    let why = match answer["why"].take() {
        Value::Array(mut sentences) => sentences.pop().unwrap_or_default(),
        sentence => sentence,
    };
    let Some(members) = answer.as_object_mut() else { return answer };
    members.retain(|name, _| !matches!(name.as_str(), "why" | "stickyBucketAssignmentDocs"));
    if let Some(result) = members.get_mut("experimentResult") {
        result["why"] = why;
    }
    if let Some(experiment) = members.get_mut("experiment") {
        short(experiment);
    }
    let exposures = members.get_mut("exposures").and_then(Value::as_array_mut);
    exposures.into_iter().flatten().for_each(|exposure| short(&mut exposure["experiment"]));
    answer
}
