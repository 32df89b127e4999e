//! Answers as servers give them, for who has no engine: everything at once, the same in brief for pages, and
//! flags in OpenFeature's words.

use super::{Asker, Flags};
use crate::targeting::Value;
use std::borrow::Cow;

type Members = Vec<(Cow<'static, str>, Value<'static>)>;

/// What is decided for a visitor.
#[derive(Debug, Clone, PartialEq)]
pub struct Everything {
    /// By their keys, each as [`Asker::feature`] has it.
    pub features: Members,
    /// The experiments of pages, by their numbers, each as [`Asker::experiment`] has it.
    pub pages: Vec<Value<'static>>,
}

impl Everything {
    /// What everybody gets whom nothing is chosen for: who refuses is in no experiment, and nothing is told
    /// of them.
    pub fn refused(flags: &Flags) -> Self {
        let features = flags.features.iter().map(|feature| {
            let on = feature.default.truthy();
            let members = vec![
                ("value".into(), feature.default.clone()),
                ("on".into(), Value::Bool(on)),
                ("off".into(), Value::Bool(!on)),
                ("source".into(), Value::Text("defaultValue".into())),
                ("ruleId".into(), Value::Text("".into())),
                ("exposures".into(), Value::List(Vec::new())),
            ];
            (feature.key.to_string().into(), Value::Map(members))
        });
        Self { features: features.collect(), pages: Vec::new() }
    }

    /// Without what a page knows that has the flags: `features` and `experiments` by their keys, experiments
    /// by their keys alone. Why is the sentence of what decided.
    pub fn brief(self) -> Value<'static> {
        let keyed = |page: Value<'static>| {
            (Cow::Owned(page.at("experiment.key").to_text().into_owned()), brief(page))
        };
        let features = self.features.into_iter().map(|(key, answer)| (key, brief(answer)));
        Value::Map(vec![
            ("features".into(), Value::Map(features.collect())),
            ("experiments".into(), Value::Map(self.pages.into_iter().map(keyed).collect())),
        ])
    }
}

impl Asker<'_> {
    /// All features, and all experiments of pages.
    pub fn everything(&self, flags: &Flags) -> Everything {
        let features = flags.features.iter();
        let features = features
            .map(|feature| (feature.key.to_string().into(), self.feature(flags, &feature.key)));
        let pages = 0..flags.experiments.len();
        Everything {
            features: features.collect(),
            pages: pages.map(|number| self.experiment(flags, number)).collect(),
        }
    }

    /// A feature as OpenFeature's remote evaluation protocol has it: `key`, `reason`, `variant`, `metadata` and,
    /// unless the caller's own default counts, `value`; or `errorCode` and `errorDetails`.
    pub fn resolution(&self, flags: &Flags, key: &str) -> Value<'static> {
        let text = |text: &str| Value::Text(text.to_owned().into());
        let failure = |code: &str, details: &str| {
            Value::Map(vec![
                ("key".into(), text(key)),
                ("errorCode".into(), text(code)),
                ("errorDetails".into(), text(details)),
            ])
        };
        let Some(feature) = flags.named(key) else {
            return failure("FLAG_NOT_FOUND", &format!("there is no flag `{key}`"));
        };
        let answer = self.feature(flags, key);
        let named = |place: &str| match answer.at(place) {
            Value::Text(name) if !name.is_empty() => Some(name.clone().into_owned()),
            _ => None,
        };
        let reason = match named("source").as_deref() {
            Some("experiment") => "SPLIT",
            Some("force") => "TARGETING_MATCH",
            Some("defaultValue") if feature.rules.is_empty() => "STATIC",
            Some("cyclicPrerequisite") => {
                return failure("GENERAL", "its prerequisites go in a circle");
            }
            _ => "DEFAULT",
        };
        let rule = named("ruleId");
        let variant = named("experimentResult.key").filter(|_| reason == "SPLIT");
        let variant = variant.or_else(|| rule.clone()).unwrap_or_else(|| "default".to_owned());
        let metadata = [("ruleId", rule), ("experimentId", named("experiment.key"))];
        let metadata = metadata.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let metadata = metadata.map(|(name, value)| (name.into(), Value::Text(value.into())));
        let mut shown = vec![
            ("key".into(), text(key)),
            ("reason".into(), text(reason)),
            ("variant".into(), Value::Text(variant.into())),
            ("metadata".into(), Value::Map(metadata.collect())),
        ];
        if *answer.at("value") != Value::Null {
            shown.push(("value".into(), answer.at("value").clone()));
        }
        Value::Map(shown)
    }
}

fn brief(answer: Value<'static>) -> Value<'static> {
    let Value::Map(members) = answer else { return answer };
    let mut why = Value::Null;
    let mut kept: Members = Vec::new();
    for (name, value) in members {
        match (&*name, value) {
            ("why", Value::List(mut sentences)) => why = sentences.pop().unwrap_or_default(),
            ("why", sentence) => why = sentence,
            ("stickyBucketAssignmentDocs", _) => {}
            ("experiment", experiment) => kept.push((name, key_alone(&experiment))),
            ("exposures", Value::List(exposures)) => {
                let short = exposures.into_iter().map(|exposure| match exposure {
                    Value::Map(members) => Value::Map(members.into_iter().map(shortened).collect()),
                    other => other,
                });
                kept.push((name, Value::List(short.collect())));
            }
            (_, value) => kept.push((name, value)),
        }
    }
    let result = kept.iter_mut().find(|(name, _)| name == "experimentResult");
    if let Some((_, Value::Map(result))) = result {
        result.push(("why".into(), why));
    }
    Value::Map(kept)
}

fn shortened(
    (name, value): (Cow<'static, str>, Value<'static>),
) -> (Cow<'static, str>, Value<'static>) {
    let value = if name == "experiment" { key_alone(&value) } else { value };
    (name, value)
}

fn key_alone(experiment: &Value<'_>) -> Value<'static> {
    Value::Map(vec![("key".into(), experiment.at("key").clone().into_owned())])
}
