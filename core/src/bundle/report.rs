//! What a published bundle tells everybody who cares to read it.

use super::BundleWire;
use crate::profile::{KindWire, OneOrMany};
use crate::targeting::Value;

/// One fact that a competitor could read from a bundle's public parts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct PublicFact {
    /// Such as `signal name`, `words`, `level`, `field`, `event name`, `condition`, `model`, `feature`,
    /// `experiment`, `experience`, `audience`, `saved group`.
    pub what: &'static str,
    /// What it belongs to: a signal, a model, a feature …; private signals are named by their ids.
    pub of: String,
    pub text: String,
    /// Whether only a hash travels, from which a guess can be confirmed but nothing read.
    pub hashed: bool,
}

/// Everything that a competitor could read once the bundle is published.
pub fn public_report(wire: &BundleWire) -> Vec<PublicFact> {
    let mut facts = Vec::new();
    for signal in &wire.signals {
        let of = if signal.public { signal.name.clone() } else { format!("#{}", signal.id) };
        let mut add = |what, text: &str, hashed| {
            facts.push(PublicFact { what, of: of.clone(), text: text.to_owned(), hashed });
        };
        if signal.public {
            add("signal name", &signal.name, false);
            add("label", &signal.label, false);
            signal.words.values().for_each(|text| add("words", text, false));
            for level in &signal.levels {
                add("level", signal.shown.get(level).unwrap_or(level), false);
            }
        }
        if let Some(field) = signal.kind.field() {
            add("field", field, false);
        }
        match &signal.kind {
            KindWire::Decayed { half_life_days, .. } => {
                add("half-life in days", &half_life_days.to_string(), false)
            }
            KindWire::Window { days } => add("window in days", &days.to_string(), false),
            _ => {}
        }
        for name in signal.when.event.as_ref().map(OneOrMany::as_slice).unwrap_or_default() {
            add("event name", name, true);
        }
        for condition in &signal.when.conditions {
            add("field", &condition.field, false);
            let values = condition
                .one_of
                .as_deref()
                .or(condition.equals.as_ref().map(core::slice::from_ref));
            for value in values.unwrap_or_default() {
                add("condition", &value.to_string(), true);
            }
            condition.prefix.iter().for_each(|prefix| add("condition", prefix, true));
            condition.contains.iter().for_each(|part| add("condition", part, false));
            for bound in [condition.at_least, condition.at_most].into_iter().flatten() {
                add("condition", &bound.to_string(), false);
            }
        }
    }
    for (name, words) in wire.words.iter().flat_map(|locale| &locale.signals) {
        if wire.signals.iter().any(|signal| signal.public && signal.name == *name) {
            let said = words.label.iter().chain(words.words.values()).chain(words.shown.values());
            let fact = |text: &String| PublicFact {
                what: "words",
                of: name.clone(),
                text: text.clone(),
                hashed: false,
            };
            facts.extend(said.map(fact));
        }
    }
    for model in wire.models.iter().filter(|model| model.score_in_page == super::ScoreInPage::Local)
    {
        let text = "which signals it reads, every threshold, weight and band".to_owned();
        facts.push(PublicFact { what: "model", of: model.name.clone(), text, hashed: false });
    }
    wire.flags.iter().for_each(|payload| flag_facts(payload, &mut facts));
    facts
}

/// Flags travel as they were written: each feature with its rules, each experiment with its
/// variations and weights, whom they are for, and the members of saved groups.
fn flag_facts(payload: &Value<'_>, facts: &mut Vec<PublicFact>) {
    for (list, what) in [
        ("features", "feature"),
        ("experiments", "experiment"),
        ("savedGroups", "saved group"),
        ("contextualBandits", "contextual bandit"),
        ("audiences", "audience"),
        ("experiences", "experience"),
    ] {
        let mut add = |of: &str, authored: &Value<'_>| {
            let text = serde_json::to_string(authored).unwrap_or_default();
            facts.push(PublicFact { what, of: of.to_owned(), text, hashed: false });
        };
        match payload.member(list) {
            Some(Value::Map(members)) => members.iter().for_each(|(name, one)| add(name, one)),
            Some(Value::List(items)) => items.iter().for_each(|one| {
                let key = one.member("key").map(Value::to_text).unwrap_or_default();
                add(&key, one);
            }),
            _ => {}
        }
    }
}
