//! What the page takes up: the same variations as here, and what is to be told once it is seen. Data, not code.

use crate::bundle::OpenBundle;
use crate::decide::EvaluatedView;
use rapport_core::targeting::Value;
use serde_json::{Map, Value as Json, json};

/// As JSON that may stand inside a `<script>`: `sdk-js`'s `Hydration`. This edge told no exposure: the
/// page does, once each.
pub fn inline(bundle: &OpenBundle, decided: &EvaluatedView, anonymous_id: Option<&str>) -> String {
    let mut features = Map::new();
    if let Value::Map(answers) = &decided.features {
        for (key, answer) in answers {
            features.insert(key.to_string(), feature(bundle, key, answer));
        }
    }
    let mut hydration =
        json!({ "version": 1, "bundle": decided.bundle, "features": features, "told": [] });
    if let Some(id) = anonymous_id {
        hydration["anonymousId"] = Json::from(id);
    }
    if let Some(score) = &decided.score {
        hydration["verdict"] = serde_json::to_value(score).unwrap_or_default();
    }
    let text = hydration.to_string();
    text.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

fn feature(bundle: &OpenBundle, key: &str, answer: &Value<'_>) -> Json {
    let plain = |place: &str| serde_json::to_value(answer.at(place)).unwrap_or_default();
    let (source, rule) = (plain("source"), plain("ruleId"));
    let mut shown = json!({ "value": plain("value"), "source": source, "ruleId": rule });
    if bundle.flags.named(key).is_some_and(|feature| feature.rules.is_empty()) {
        shown["fixed"] = Json::Bool(true);
    }
    if let Value::Map(_) = answer.at("experimentResult") {
        shown["variant"] = plain("experimentResult.key");
    }
    let mut seen: Vec<Json> = match answer.at("exposures") {
        Value::List(exposures) => exposures.iter().map(|one| exposed(one, &bundle.hash)).collect(),
        _ => Vec::new(),
    };
    let experience = rule.as_str().filter(|_| source == "force");
    if let Some(id) =
        experience.filter(|id| bundle.flags.experiences.iter().any(|one| *one.key == **id))
    {
        let properties = json!({ "experienceId": id, "bundle": bundle.hash });
        seen.push(json!({ "event": "Experience Viewed", "properties": properties }));
    }
    if !seen.is_empty() {
        shown["seen"] = Json::Array(seen);
    }
    shown
}

/// An exposure as its event.
fn exposed(exposure: &Value<'_>, bundle: &str) -> Json {
    let plain = |place: &str| serde_json::to_value(exposure.at(place)).unwrap_or_default();
    let mut properties = Map::new();
    let weights = plain("result.variationWeights");
    let propensity =
        plain("result.variationId").as_u64().and_then(|at| weights.get(at as usize).cloned());
    let told = [
        ("experimentId", plain("experiment.key")),
        ("variationId", plain("result.key")),
        ("variationName", plain("result.name")),
        ("featureId", plain("result.featureId")),
        ("propensity", propensity.unwrap_or_default()),
        ("leafId", plain("result.leafId")),
        ("banditVersion", plain("result.banditVersion")),
        ("bundle", Json::from(bundle)),
    ];
    properties.extend(
        told.into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.to_owned(), value)),
    );
    json!({ "event": "Experiment Viewed", "properties": properties })
}
