//! Asking in JSON, as GrowthBook's SDKs put it: for servers, tools and tests; pages ask in bytes.

use super::known::stand_ins;
use super::view::{assignment_json, experiment_json, outcome_json, why_json};
use super::{Answers, Assignment, Feature, Flags, Known, Outcome, Shown, StickyBuckets, Visitor};
use crate::event::Millis;
use crate::scoring::Band;
use crate::targeting::Value;
use std::borrow::Cow;

/// A visitor as GrowthBook's SDKs describe one: `attributes`, `url`, `enabled`, `qaMode`,
/// `forcedVariations`, `stickyBucketAssignmentDocs` (a list of documents, or an object of them). Beside
/// that `anonymousId` and `userId`, which stand for attributes of these names where there are none, and
/// the first one that there is for `id`; and what the host knows: `now` (milliseconds or ISO 8601),
/// `score`, `band`, `grade`, and `shown`, by the keys of experiences `{"times", "last"}`.
#[derive(Debug)]
pub struct Asker<'c> {
    context: &'c Value<'c>,
    memory: Option<StickyBuckets>,
    /// What conditions read as `$…`: what the context says, unless the host puts better in.
    pub known: Known<'c>,
}

impl<'c> Asker<'c> {
    /// Reads what is remembered of the visitor.
    pub fn new(context: &'c Value<'c>) -> Self {
        let memory = context.member("stickyBucketAssignmentDocs").map(StickyBuckets::of);
        Self { context, memory, known: known(context) }
    }

    fn visitor<'a>(&'a self, flags: &'a Flags) -> Visitor<'a> {
        let given = self.context.member("attributes").unwrap_or(&Value::Null);
        let attribute = |name: &String| {
            let ids = || stand_ins(name).iter().find_map(|id| self.context.member(id));
            given.member(name).or_else(ids).cloned().unwrap_or_default()
        };
        let forced = match self.context.member("forcedVariations") {
            Some(Value::Map(forced)) => {
                forced.iter().map(|(key, at)| (&**key, at.to_number() as usize)).collect()
            }
            _ => Vec::new(),
        };
        let mut visitor = Visitor {
            attributes: flags.attributes.iter().map(attribute).collect(),
            address: match self.context.member("url") {
                Some(Value::Text(address)) => address,
                _ => "",
            },
            disabled: self.context.member("enabled") == Some(&Value::Bool(false)),
            only_forced: self.context.member("qaMode").is_some_and(Value::truthy),
            forced,
            sticky: self.memory.as_ref(),
        };
        flags.tell(&mut visitor, &self.known);
        visitor
    }

    /// What a feature is: `value`, `on`, `off`, `source`, `ruleId`, `experiment`, `experimentResult`,
    /// `why` in sentences, and `exposures` and, where it was given, `stickyBucketAssignmentDocs` as they are then.
    pub fn feature(&self, flags: &Flags, key: &str) -> Value<'static> {
        let visitor = self.visitor(flags);
        let (outcome, exposures) = flags.feature(key, &visitor);
        let mut shown = explained(&outcome, flags.named(key), flags, &visitor);
        self.add(&mut shown, flags, &visitor, &exposures);
        shown
    }

    /// What the experiment of that number among [`Flags::experiments`] is: `experiment`,
    /// `experimentResult`, `why` in a sentence, and the same beside it; null where there is none.
    pub fn experiment(&self, flags: &Flags, number: usize) -> Value<'static> {
        let visitor = self.visitor(flags);
        let Some(experiment) = flags.experiments.get(number) else { return Value::Null };
        let (assignment, exposures) = flags.run(experiment, &visitor);
        let mut shown = Value::Map(vec![
            ("experiment".into(), experiment_json(&assignment)),
            ("experimentResult".into(), assignment_json(&assignment, flags, &visitor.attributes)),
            ("why".into(), Value::Text(assignment.why.sentence().into())),
        ]);
        self.add(&mut shown, flags, &visitor, &exposures);
        shown
    }

    /// Everything in one: `score`, `band` and `grade` where they are known, `audiences`, `features` by
    /// their keys as [`Self::feature`] has them, `changes` of the page that the visitor gets, each with
    /// its `experiment`, `result` and `why`, and what [`Self::feature`] adds.
    pub fn all(&self, flags: &Flags) -> Value<'static> {
        let visitor = self.visitor(flags);
        let Answers { features, pages, exposures } = flags.all(&visitor);
        let text = |text: &str| Value::Text(text.to_owned().into());
        let Known { score, band, grade, .. } = &self.known;
        let mut shown = vec![
            ("score".into(), score.map_or(Value::Null, |score| Value::Number(f64::from(score)))),
            ("band".into(), band.map_or(Value::Null, |band| text(band.name()))),
            ("grade".into(), grade.map_or(Value::Null, text)),
            (
                "audiences".into(),
                Value::List(flags.audiences_of(&visitor).into_iter().map(text).collect()),
            ),
        ];
        let answers = flags.features.iter().zip(&features).map(|(feature, outcome)| {
            let shown = explained(outcome, Some(feature), flags, &visitor);
            (feature.key.clone().into_string().into(), shown)
        });
        shown.push(("features".into(), Value::Map(answers.collect())));
        let changes = pages.iter().filter(|assignment| assignment.in_experiment);
        let changes = changes.map(|assignment| {
            let mut shown = assigned(assignment, flags, &visitor);
            shown.push(("why".into(), text(assignment.why.sentence())));
            Value::Map(shown)
        });
        shown.push(("changes".into(), Value::List(changes.collect())));
        let mut shown = Value::Map(shown);
        self.add(&mut shown, flags, &visitor, &exposures);
        shown
    }

    fn add(
        &self,
        shown: &mut Value<'static>,
        flags: &Flags,
        visitor: &Visitor<'_>,
        exposures: &[Assignment<'_>],
    ) {
        let Value::Map(shown) = shown else { return };
        let exposed =
            exposures.iter().map(|assignment| Value::Map(assigned(assignment, flags, visitor)));
        shown.push(("exposures".into(), Value::List(exposed.collect())));
        if let Some(mut memory) = self.memory.clone() {
            for assignment in exposures {
                assignment.remember(flags, &mut memory);
            }
            shown.push(("stickyBucketAssignmentDocs".into(), memory.documents()));
        }
    }
}

type Members = Vec<(Cow<'static, str>, Value<'static>)>;

/// An outcome, and why it is so.
fn explained(
    outcome: &Outcome<'_>,
    feature: Option<&Feature>,
    flags: &Flags,
    visitor: &Visitor<'_>,
) -> Value<'static> {
    let mut shown = outcome_json(outcome, flags, &visitor.attributes);
    if let Value::Map(members) = &mut shown {
        members.push(("why".into(), why_json(outcome, feature, flags, visitor)));
    }
    shown
}

/// An assignment, and the experiment that it is one of.
fn assigned(assignment: &Assignment<'_>, flags: &Flags, visitor: &Visitor<'_>) -> Members {
    vec![
        ("experiment".into(), experiment_json(assignment)),
        ("result".into(), assignment_json(assignment, flags, &visitor.attributes)),
    ]
}

fn known<'c>(context: &'c Value<'c>) -> Known<'c> {
    let time = |value: &Value<'_>| match value {
        Value::Number(millis) => Some(Millis(*millis as i64)),
        Value::Text(text) => Millis::parse(text),
        _ => None,
    };
    let text = |name: &str| match context.member(name) {
        Some(Value::Text(text)) => Some(&**text),
        _ => None,
    };
    let shown = match context.member("shown") {
        Some(Value::Map(shown)) => shown
            .iter()
            .map(|(experience, shown)| Shown {
                experience,
                times: shown.at("times").to_number() as u32,
                last: time(shown.at("last")).unwrap_or_default(),
            })
            .collect(),
        _ => Vec::new(),
    };
    Known {
        now: context.member("now").and_then(time),
        score: match context.member("score") {
            Some(Value::Number(score)) => Some(score.clamp(0.0, 100.0) as u8),
            _ => None,
        },
        band: text("band").and_then(Band::named),
        grade: text("grade"),
        shown,
    }
}

impl StickyBuckets {
    /// Reads GrowthBook's documents, a list or an object of them; what is none counts as absent.
    pub fn of(documents: &Value<'_>) -> Self {
        let mut memory = Self::default();
        match documents {
            Value::List(documents) => documents.iter().for_each(|one| memory.take_up(one)),
            Value::Map(documents) => documents.iter().for_each(|(_, one)| memory.take_up(one)),
            _ => {}
        }
        memory
    }

    fn take_up(&mut self, document: &Value<'_>) {
        let text = |name: &str| document.member(name).map(Value::to_text).unwrap_or_default();
        let Some(Value::Map(assignments)) = document.member("assignments") else { return };
        for (experiment, variation) in assignments {
            let variation = variation.to_text();
            self.put(&text("attributeName"), &text("attributeValue"), experiment, &variation);
        }
    }

    /// What is remembered, as GrowthBook's documents by `attribute||value`.
    pub fn documents(&self) -> Value<'static> {
        let owned = |text: &str| Value::Text(text.to_owned().into());
        let mut documents: Vec<([&str; 2], Members)> = Vec::new();
        for [attribute, value, experiment, variation] in self.iter() {
            let entry = (experiment.to_owned().into(), owned(variation));
            match documents.iter_mut().find(|(of, _)| *of == [attribute, value]) {
                Some((_, entries)) => entries.push(entry),
                None => documents.push(([attribute, value], vec![entry])),
            }
        }
        let shown = documents.into_iter().map(|([attribute, value], assignments)| {
            let document = Value::Map(vec![
                ("attributeName".into(), owned(attribute)),
                ("attributeValue".into(), owned(value)),
                ("assignments".into(), Value::map(assignments)),
            ]);
            (format!("{attribute}||{value}").into(), document)
        });
        Value::Map(shown.collect())
    }
}
