//! Results as GrowthBook's SDKs show them.

use super::compile::{CONTEXT, items};
use super::evaluate::{Assignment, Outcome};
use super::flags::{Effect, Feature, Flags};
use super::{Source, Visitor, Why};
use crate::targeting::{Scope, Value};
use std::borrow::Cow;

type Members = Vec<(Cow<'static, str>, Value<'static>)>;

/// An outcome: `value`, `on`, `off`, `source`, `ruleId`, and of an experiment `experiment` and
/// `experimentResult`. `raw` finds an attribute's value as it was given.
pub fn outcome_json(outcome: &Outcome<'_>, flags: &Flags, raw: &[Value<'_>]) -> Value<'static> {
    let mut shown: Members = vec![
        ("value".into(), outcome.value.clone()),
        ("on".into(), Value::Bool(outcome.on())),
        ("off".into(), Value::Bool(!outcome.on())),
        ("source".into(), Value::Text(outcome.source.word().into())),
        ("ruleId".into(), Value::Text(outcome.rule.to_owned().into())),
    ];
    if let Some(assignment) = &outcome.assignment {
        shown.push(("experiment".into(), experiment_json(assignment)));
        shown.push(("experimentResult".into(), assignment_json(assignment, flags, raw)));
    }
    Value::Map(shown)
}

/// The experiment as it was for this visitor.
pub fn experiment_json(assignment: &Assignment<'_>) -> Value<'static> {
    let mut shown = assignment.experiment.authored.0.clone();
    if let (Value::Map(members), Some(leaf)) = (&mut shown, assignment.leaf) {
        members.retain(|(name, _)| name != "weights");
        members.push(("weights".into(), weights(leaf)));
        if assignment.by_hash {
            members.push(("contextualBandit".into(), Value::Map(bandit(assignment))));
        }
    }
    shown
}

fn weights(leaf: &super::Leaf) -> Value<'static> {
    Value::List(leaf.weights.iter().map(|weight| Value::Number(*weight)).collect())
}

fn bandit(assignment: &Assignment<'_>) -> Members {
    let Some(leaf) = assignment.leaf.filter(|_| assignment.by_hash) else { return Vec::new() };
    let mut shown: Members =
        vec![("leafId".into(), leaf.id.clone()), ("variationWeights".into(), weights(leaf))];
    let version = assignment.experiment.bandit.as_ref().and_then(|bandit| bandit.version.clone());
    shown.extend(version.map(|version| ("banditVersion".into(), version)));
    shown
}

/// An assignment: `experimentResult` in GrowthBook's words.
pub fn assignment_json(
    assignment: &Assignment<'_>,
    flags: &Flags,
    raw: &[Value<'_>],
) -> Value<'static> {
    let number = usize::from(assignment.attribute);
    let name = flags.attributes.get(number).cloned().unwrap_or_default();
    let value = if assignment.value.is_empty() { None } else { raw.get(number) };
    let value = value.cloned().map_or(Value::Text("".into()), Value::into_owned);
    let chosen = assignment.chosen();
    let mut shown: Members = vec![
        ("key".into(), Value::Text(assignment.key().into_owned().into())),
        (
            "featureId".into(),
            match assignment.feature {
                "" => Value::Null,
                feature => Value::Text(feature.to_owned().into()),
            },
        ),
        ("inExperiment".into(), Value::Bool(assignment.in_experiment)),
        ("hashUsed".into(), Value::Bool(assignment.by_hash)),
        ("variationId".into(), Value::Number(assignment.variation as f64)),
        ("value".into(), chosen.map(|variation| variation.value.clone()).unwrap_or_default()),
        ("hashAttribute".into(), Value::Text(name.into())),
        ("hashValue".into(), value),
        ("stickyBucketUsed".into(), Value::Bool(assignment.sticky)),
    ];
    if let Some(name) = chosen.and_then(|variation| variation.name.as_deref()) {
        shown.push(("name".into(), Value::Text(name.to_owned().into())));
    }
    if let Some(place) = assignment.place {
        shown.push(("bucket".into(), Value::Number(place)));
    }
    if assignment.passes_through() {
        shown.push(("passthrough".into(), Value::Bool(true)));
    }
    shown.extend(bandit(assignment));
    let context = context(assignment, flags, raw);
    if !context.is_empty() {
        shown.push((CONTEXT.into(), Value::Map(context)));
    }
    Value::Map(shown)
}

/// What of the visitor the exposure carries along: what is learnt, it is learnt by that.
fn context(assignment: &Assignment<'_>, flags: &Flags, raw: &[Value<'_>]) -> Members {
    let names = items(assignment.experiment.authored.0.member(CONTEXT));
    let known = names.iter().filter_map(|name| {
        let name = name.to_text();
        let number = flags.attributes.iter().position(|attribute| **attribute == *name)?;
        let value = raw.get(number).filter(|value| **value != Value::Null)?;
        Some((name.into_owned().into(), value.clone().into_owned()))
    });
    known.collect()
}

/// Why a feature is what it is: a sentence a rule that was looked at, the last one of what decided.
pub fn why_json(
    outcome: &Outcome<'_>,
    feature: Option<&Feature>,
    flags: &Flags,
    visitor: &Visitor<'_>,
) -> Value<'static> {
    let rules = feature.map_or(&[][..], |feature| &feature.rules);
    let name = |number: usize| match rules.get(number) {
        Some(rule) if !rule.id.is_empty() => format!("`{}`", rule.id),
        _ => format!("rule {}", number + 1),
    };
    let scope = Scope::Visitor(&visitor.attributes);
    let mut sentences: Vec<String> = Vec::new();
    for (number, why) in outcome.passed.iter().enumerate() {
        let condition = match rules.get(number).map(|rule| &rule.effect) {
            Some(Effect::Force { condition, .. }) => Some(condition),
            Some(Effect::Run(experiment)) => Some(&experiment.condition),
            _ => None,
        };
        let failed = condition
            .filter(|_| *why == Why::ConditionFailed)
            .and_then(|condition| condition.failing(scope, &flags.groups));
        let because = failed.map_or(String::new(), |(attribute, path)| {
            let name = attribute.and_then(|number| flags.attributes.get(usize::from(number)));
            let value = attribute.and_then(|number| visitor.attributes.get(usize::from(number)));
            let value = value
                .map_or(&Value::Null, |value| if path.is_empty() { value } else { value.at(path) });
            let parted = if path.is_empty() { "" } else { "." };
            let value = serde_json::to_string(value).unwrap_or_default();
            format!(": `{}{parted}{path}` is {value}", name.map_or("", String::as_str))
        });
        sentences.push(format!("{}: {}{because}", name(number), why.sentence()));
    }
    let last = match outcome.source {
        Source::Force | Source::Experiment => {
            let why = outcome.assignment.as_ref().map(|assignment| assignment.why.sentence());
            let why = why.unwrap_or(outcome.source.sentence());
            format!("{}: {why}", name(outcome.rule_number.unwrap_or_default()))
        }
        source => source.sentence().to_owned(),
    };
    sentences.push(last);
    Value::List(sentences.into_iter().map(|sentence| Value::Text(sentence.into())).collect())
}
