//! Asking in JSON, as GrowthBook's SDKs put it: for servers, tools and tests; pages ask in bytes.

use super::view::{assignment_json, experiment_json, outcome_json};
use super::{Assignment, Flags, StickyBuckets, Visitor};
use crate::targeting::Value;
use std::borrow::Cow;

/// A visitor as GrowthBook's SDKs describe one: `attributes`, `url`, `enabled`, `qaMode`,
/// `forcedVariations`, `stickyBucketAssignmentDocs` (a list of documents, or an object of them).
#[derive(Debug)]
pub struct Asker<'c> {
    context: &'c Value<'c>,
    memory: Option<StickyBuckets>,
}

impl<'c> Asker<'c> {
    /// Reads what is remembered of the visitor.
    pub fn new(context: &'c Value<'c>) -> Self {
        let memory = context.member("stickyBucketAssignmentDocs").map(|documents| {
            let mut memory = StickyBuckets::default();
            match documents {
                Value::List(documents) => {
                    documents.iter().for_each(|one| take_up(&mut memory, one))
                }
                Value::Map(documents) => {
                    documents.iter().for_each(|(_, one)| take_up(&mut memory, one));
                }
                _ => {}
            }
            memory
        });
        Self { context, memory }
    }

    fn visitor(&self, flags: &Flags) -> Visitor<'_> {
        let given = self.context.member("attributes").unwrap_or(&Value::Null);
        let attribute = |name: &String| given.member(name).cloned().unwrap_or_default();
        let forced = match self.context.member("forcedVariations") {
            Some(Value::Map(forced)) => {
                forced.iter().map(|(key, at)| (&**key, at.to_number() as usize)).collect()
            }
            _ => Vec::new(),
        };
        Visitor {
            attributes: flags.attributes.iter().map(attribute).collect(),
            address: match self.context.member("url") {
                Some(Value::Text(address)) => address,
                _ => "",
            },
            disabled: self.context.member("enabled") == Some(&Value::Bool(false)),
            only_forced: self.context.member("qaMode").is_some_and(Value::truthy),
            forced,
            sticky: self.memory.as_ref(),
        }
    }

    /// What a feature is: `value`, `on`, `off`, `source`, `ruleId`, `experiment`, `experimentResult`,
    /// and `exposures` and, where it was given, `stickyBucketAssignmentDocs` as they are then.
    pub fn feature(&self, flags: &Flags, key: &str) -> Value<'static> {
        let visitor = self.visitor(flags);
        let (outcome, exposures) = flags.feature(key, &visitor);
        let mut shown = outcome_json(&outcome, flags, &visitor.attributes);
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

    fn add(
        &self,
        shown: &mut Value<'static>,
        flags: &Flags,
        visitor: &Visitor<'_>,
        exposures: &[Assignment<'_>],
    ) {
        let Value::Map(shown) = shown else { return };
        let exposed = exposures.iter().map(|assignment| {
            Value::Map(vec![
                ("experiment".into(), experiment_json(assignment)),
                ("result".into(), assignment_json(assignment, flags, &visitor.attributes)),
            ])
        });
        shown.push(("exposures".into(), Value::List(exposed.collect())));
        if let Some(mut memory) = self.memory.clone() {
            for assignment in exposures {
                assignment.remember(flags, &mut memory);
            }
            shown.push(("stickyBucketAssignmentDocs".into(), documents(&memory)));
        }
    }
}

fn take_up(memory: &mut StickyBuckets, document: &Value<'_>) {
    let text = |name: &str| document.member(name).map(Value::to_text).unwrap_or_default();
    let Some(Value::Map(assignments)) = document.member("assignments") else { return };
    for (experiment, variation) in assignments {
        memory.put(
            &text("attributeName"),
            &text("attributeValue"),
            experiment,
            &variation.to_text(),
        );
    }
}

/// What is remembered, as documents by `attribute||value`.
fn documents(memory: &StickyBuckets) -> Value<'static> {
    type Members = Vec<(Cow<'static, str>, Value<'static>)>;
    let owned = |text: &str| Value::Text(text.to_owned().into());
    let mut documents: Vec<([&str; 2], Members)> = Vec::new();
    for [attribute, value, experiment, variation] in memory.iter() {
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
