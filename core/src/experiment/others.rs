//! The payload for clients that know GrowthBook's language and nothing of Rapport's.

use super::compile::{compile, items, members};
use super::experience::Spelled;
use crate::targeting::{Own, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;

type Members = Vec<(Cow<'static, str>, Value<'static>)>;

/// A payload in which experiences stand as rules of the features that their slots name, and as experiments
/// of pages, the most important first. Rules and experiments that ask for what only core knows, such as
/// a score, are left out: to others the next rule applies, or the default. So does an experience with a fault.
pub fn for_others(payload: &Value<'_>) -> Value<'static> {
    let (_, _, spelled) = compile(payload);
    let bandits = payload.member("contextualBandits").unwrap_or(&Value::Null);
    let known = |authored: &Value<'_>| {
        let bandit = authored.member("contextualBanditRef").and_then(|name| match name {
            Value::Text(name) => bandits.member(name),
            _ => None,
        });
        let parts = [authored.member("condition"), bandit];
        !parts.into_iter().flatten().any(asks_core)
    };
    let (mut rules, mut pages): (BTreeMap<_, Vec<_>>, Vec<_>) = (BTreeMap::new(), Vec::new());
    for Spelled { slot, authored } in spelled.into_iter().filter(|one| known(&one.authored)) {
        match slot {
            Some(slot) => rules.entry(String::from(slot)).or_default().push(authored),
            None => pages.push(authored),
        }
    }
    let owned = |all: &[Value<'_>]| -> Vec<Value<'static>> {
        all.iter().filter(|one| known(one)).map(|one| one.clone().into_owned()).collect()
    };
    let mut features: Members = members(payload.member("features"))
        .iter()
        .map(|(key, feature)| {
            let mut all = rules.remove(&**key).unwrap_or_default();
            all.extend(owned(items(feature.member("rules"))));
            (Cow::Owned(key.clone().into_owned()), with_rules(feature, all))
        })
        .collect();
    let slots = rules.into_iter();
    features.extend(slots.map(|(slot, rules)| (slot.into(), with_rules(&Value::Null, rules))));
    let mut experiments = owned(items(payload.member("experiments")));
    experiments.append(&mut pages);

    let ours = ["features", "experiments", "experiences", "audiences"];
    let rest = members(Some(payload)).iter().filter(|(name, _)| !ours.contains(&&**name));
    let mut shown: Members = vec![
        ("features".into(), Value::Map(features)),
        ("experiments".into(), Value::List(experiments)),
    ];
    shown.extend(
        rest.map(|(name, value)| {
            (Cow::Owned(name.clone().into_owned()), value.clone().into_owned())
        }),
    );
    Value::Map(shown)
}

fn with_rules(feature: &Value<'_>, rules: Vec<Value<'static>>) -> Value<'static> {
    let mut shown: Members = members(Some(feature))
        .iter()
        .filter(|(name, _)| name != "rules")
        .map(|(name, value)| (Cow::Owned(name.clone().into_owned()), value.clone().into_owned()))
        .collect();
    if feature.member("defaultValue").is_none() {
        shown.push(("defaultValue".into(), Value::Null));
    }
    shown.push(("rules".into(), Value::List(rules)));
    Value::Map(shown)
}

/// Whether a condition asks for an attribute that no caller sets.
fn asks_core(condition: &Value<'_>) -> bool {
    match condition {
        Value::Map(members) => members.iter().any(|(name, value)| {
            let attribute = name.split('.').next().unwrap_or_default();
            Own::NAMES.contains(&attribute) || asks_core(value)
        }),
        Value::List(all) => all.iter().any(asks_core),
        _ => false,
    }
}
