//! Several things tested at once: from `factors` and their levels to the variations that core's design
//! asks for.

use rapport_core::experiment::{Design, DesignError};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What is varied, and in which combinations.
#[derive(Debug, Clone, PartialEq)]
pub struct Factors {
    pub all: Vec<Factor>,
    pub design: Design,
}

/// One thing that is varied.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Factor {
    pub key: String,
    /// What it may be; the first one is as things are now.
    pub levels: Vec<Value>,
}

/// Why there are no such factors.
#[derive(Debug, thiserror::Error)]
pub enum FactorError {
    #[error(
        "it is a list such as [{{\"key\": \"headline\", \"levels\": [\"Buy\", \"Try\"]}}]: {0}"
    )]
    Shape(#[from] serde_json::Error),
    #[error("two factors are called `{0}`")]
    Twice(String),
    #[error("a fraction has factors of two levels, and `{0}` has another number")]
    Levels(String),
    #[error("there are {generators} generators for {factors} factors; the first factors need none")]
    Generators { generators: usize, factors: usize },
    #[error(transparent)]
    Design(#[from] DesignError),
}

impl FactorError {
    /// Whether it is the generators that are wrong.
    pub const fn is_of_generators(&self) -> bool {
        matches!(
            self,
            Self::Generators { .. }
                | Self::Design(DesignError::Generator(_) | DesignError::Same(..))
        )
    }
}

/// What a variation shows.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shows {
    /// The levels by the keys of their factors.
    Values,
    /// The same as a slot's content.
    Content,
    /// The changes of all levels, one behind the other.
    Changes,
}

impl Factors {
    /// Those of a definition; `None` where it has none.
    ///
    /// # Errors
    /// See [`FactorError`].
    pub fn of(content: &Map<String, Value>) -> Option<Result<Self, FactorError>> {
        let authored = content.get("factors")?;
        Some(Self::read(authored, content.get("generators")))
    }

    fn read(authored: &Value, generators: Option<&Value>) -> Result<Self, FactorError> {
        let all = Vec::<Factor>::deserialize(authored)?;
        let mut keys = BTreeSet::new();
        if let Some(twice) = all.iter().find(|factor| !keys.insert(&factor.key)) {
            return Err(FactorError::Twice(twice.key.clone()));
        }
        let generators =
            generators.map(Vec::<String>::deserialize).transpose()?.unwrap_or_default();
        let levels: Vec<usize> = all.iter().map(|factor| factor.levels.len()).collect();
        if generators.is_empty() {
            return Ok(Self { design: Design::full(&levels)?, all });
        }
        if let Some(other) = all.iter().find(|factor| factor.levels.len() != 2) {
            return Err(FactorError::Levels(other.key.clone()));
        }
        let (factors, count) = (all.len(), generators.len());
        let base = factors.checked_sub(count).filter(|base| *base > 0);
        let base = base.ok_or(FactorError::Generators { generators: count, factors })?;
        let generators: Vec<&str> = generators.iter().map(String::as_str).collect();
        Ok(Self { design: Design::fraction(base, &generators)?, all })
    }

    fn variation(&self, run: &[usize], shows: Shows) -> Value {
        let levels = || {
            self.all
                .iter()
                .zip(run)
                .filter_map(|(factor, level)| Some((&factor.key, factor.levels.get(*level)?)))
        };
        let values = || levels().map(|(key, level)| (key.clone(), level.clone()));
        match shows {
            Shows::Values => Value::Object(values().collect()),
            Shows::Content => json!({ "type": "json", "json": Value::Object(values().collect()) }),
            Shows::Changes => together(levels().map(|(_, level)| level)),
        }
    }
}

/// Makes the variations of a definition's factors anew, and what they are called: `1-2` has the first
/// level of the first factor and the second one of the second. Factors that are wrong make none.
pub fn make_variations(content: &mut Map<String, Value>) {
    let Some(Ok(factors)) = Factors::of(content) else { return };
    let shows = match (content.contains_key("feature"), content.contains_key("slot")) {
        (true, _) => Shows::Values,
        (false, true) => Shows::Content,
        (false, false) => Shows::Changes,
    };
    let runs = factors.design.runs();
    let variations: Vec<Value> = runs.iter().map(|run| factors.variation(run, shows)).collect();
    let key = |run: &Vec<usize>| {
        let levels: Vec<String> = run.iter().map(|level| (level + 1).to_string()).collect();
        json!({ "key": levels.join("-") })
    };
    content.insert("meta".to_owned(), runs.iter().map(key).collect());
    content.insert("variations".to_owned(), Value::Array(variations));
}

/// Changes of a page, one behind the other.
fn together<'v>(changes: impl Iterator<Item = &'v Value>) -> Value {
    let (mut mutations, mut css, mut all) = (Vec::new(), Vec::new(), Map::new());
    for (name, value) in changes.filter_map(Value::as_object).flatten() {
        match (name.as_str(), value) {
            ("domMutations", Value::Array(own)) => mutations.extend(own.iter().cloned()),
            ("css", Value::String(own)) => css.push(own.as_str()),
            _ => _ = all.insert(name.clone(), value.clone()),
        }
    }
    if !mutations.is_empty() {
        all.insert("domMutations".to_owned(), Value::Array(mutations));
    }
    if !css.is_empty() {
        all.insert("css".to_owned(), Value::from(css.join("\n")));
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(content: Value) -> Map<String, Value> {
        let mut content = content.as_object().unwrap().clone();
        make_variations(&mut content);
        content
    }

    #[test]
    fn every_combination_is_a_variation_or_a_fraction_of_them() {
        let factors =
            json!([{ "key": "a", "levels": [1, 2] }, { "key": "b", "levels": ["x", "y", "z"] }]);
        let full = made(json!({ "feature": "hero", "factors": factors }));
        assert_eq!(full["variations"].as_array().unwrap().len(), 6);
        assert_eq!(full["variations"][1], json!({ "a": 2, "b": "x" }));
        assert_eq!(full["meta"][5], json!({ "key": "2-3" }));
        let slot = made(json!({ "slot": "hero", "factors": factors }));
        assert_eq!(slot["variations"][0], json!({ "type": "json", "json": { "a": 1, "b": "x" } }));
        let two = |key: &str| json!({ "key": key, "levels": [0, 1] });
        let half = json!({ "feature": "f", "factors": [two("a"), two("b"), two("c")], "generators": ["C=AB"] });
        assert_eq!(made(half)["variations"].as_array().unwrap().len(), 4);
    }

    #[test]
    fn changes_of_a_page_are_put_together() {
        let mutation = |selector: &str| json!({ "selector": selector, "action": "set", "attribute": "html", "value": "x" });
        let changes = |selector: &str| json!({ "domMutations": [mutation(selector)], "css": format!("{selector} {{}}") });
        let page = made(json!({ "factors": [
            { "key": "a", "levels": [{}, changes("h1")] },
            { "key": "b", "levels": [{}, changes("h2")] },
        ] }));
        assert_eq!(page["variations"][0], json!({}));
        assert_eq!(
            page["variations"][3],
            json!({ "domMutations": [mutation("h1"), mutation("h2")], "css": "h1 {}\nh2 {}" })
        );
    }
}
