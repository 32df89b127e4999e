//! One payload of all that is authored: GrowthBook's, and what Rapport adds to it
//! (`docs/flags-format.md`).

use super::bandit::{context_attributes, first_weights, fits, reference};
use super::definition::{Definition, Kind, Status};
use super::learnt::{LearntLeaf, Weights};
use super::service::variation_keys;
use super::winner::{SHIPPED, shipped};
use rapport_core::experiment::{Flags, compile_flags};
use rapport_core::targeting::Value as CoreValue;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What hosts decide from, and who wrote which part of it.
#[derive(Debug)]
pub struct Payload {
    pub value: Value,
    /// Where each definition went, and what its place is called.
    origins: Vec<(String, String)>,
}

/// Something that is wrong with what is authored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wrong {
    /// Where it stands, such as `experiments.checkout.condition.country.$regex`.
    pub at: String,
    pub reason: String,
}

impl Wrong {
    pub fn new(at: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { at: at.into(), reason: reason.into() }
    }
}

/// What of an experiment is for those who author it; hosts know nothing of it.
const OWN: [&str; 10] = [
    "description",
    "feature",
    "audience",
    "goals",
    "priority",
    "contextualBandit",
    "bandit",
    "factors",
    "generators",
    "segments",
];
/// The same of an experience.
const OWN_OF_EXPERIENCE: [&str; 6] =
    ["description", "goals", "bandit", "factors", "generators", "segments"];

impl Payload {
    /// Of what runs among these, before anything is learnt.
    pub fn of(definitions: &[Definition]) -> Self {
        Self::with(definitions, Vec::new())
    }

    /// Of what runs among these, with the newest weights of what learns.
    pub fn with(definitions: &[Definition], learnt: Vec<(Kind, String, Weights)>) -> Self {
        let running = || definitions.iter().filter(|one| one.status == Status::Running);
        let of_kind = move |kind| running().filter(move |one| one.kind == kind);
        let mut origins = Vec::new();
        let mut origin = |at: String, place: String| origins.push((at, place));
        let audiences: Map<String, Value> = of_kind(Kind::Audience)
            .map(|one| {
                origin(format!("audiences.{}", one.key), place(one));
                (one.key.clone(), one.content.get("condition").cloned().unwrap_or_default())
            })
            .collect();

        let mut rules: BTreeMap<&str, Vec<&Definition>> = BTreeMap::new();
        let (mut alone, mut bandits) = (Vec::new(), Map::new());
        for one in of_kind(Kind::Experiment) {
            match one.content.get("feature").and_then(Value::as_str) {
                Some(feature) => rules.entry(feature).or_default().push(one),
                None => {
                    origin(format!("experiments.{}", alone.len()), place(one));
                    alone.push(experiment(one, &audiences));
                }
            }
        }
        for one in running().filter(|one| learns(one)) {
            let newest = learnt.iter().find(|(kind, key, _)| (*kind, key) == (one.kind, &one.key));
            let leaves = match one.content.get("contextualBandit") {
                Some(authored) => authored.clone(),
                None => leaves_in_force(one, newest.map(|(.., weights)| weights)),
            };
            bandits.insert(reference(one), leaves);
        }
        let mut features = Map::new();
        for one in of_kind(Kind::Feature) {
            let at = format!("features.{}", one.key);
            origin(at.clone(), place(one));
            let mut experiments = rules.remove(one.key.as_str()).unwrap_or_default();
            experiments.sort_by(|left, right| priority(right).total_cmp(&priority(left)));
            let mut all = Vec::new();
            for of_experiment in experiments {
                origin(format!("{at}.rules.{}", all.len()), place(of_experiment));
                all.push(experiment(of_experiment, &audiences));
            }
            let authored = one.content.get("rules").and_then(Value::as_array);
            for (number, rule) in authored.into_iter().flatten().enumerate() {
                let from = format!("{at}.rules.{}", all.len());
                origin(from, format!("{}.rules.{number}", place(one)));
                all.push(rule.clone());
            }
            let default = one.content.get("defaultValue").cloned().unwrap_or_default();
            features.insert(one.key.clone(), json!({ "defaultValue": default, "rules": all }));
        }
        let mut experiences = Vec::new();
        for one in of_kind(Kind::Experience) {
            origin(format!("experiences.{}", one.key), place(one));
            experiences.push(experience(one));
        }
        let mut value = json!({ "features": features, "experiments": alone });
        for (name, part) in [
            ("audiences", Value::Object(audiences)),
            ("contextualBandits", Value::Object(bandits)),
            ("experiences", Value::Array(experiences)),
        ] {
            let empty = part.as_object().is_none_or(Map::is_empty)
                && part.as_array().is_none_or(Vec::is_empty);
            if !empty {
                value[name] = part;
            }
        }
        Self { value, origins }
    }

    /// The payload as core reads it.
    ///
    /// # Errors
    /// Where core cannot read it, which takes a number that JSON has and core has not.
    pub fn for_core(&self) -> Result<CoreValue<'static>, serde_json::Error> {
        serde::Deserialize::deserialize(&self.value)
    }

    /// Compiles it; what is wrong is told by the places of the definitions.
    ///
    /// # Errors
    /// As [`Self::for_core`].
    pub fn compile(&self) -> Result<(Flags, Vec<Wrong>), serde_json::Error> {
        let (flags, problems) = compile_flags(&self.for_core()?);
        let wrong = problems
            .into_iter()
            .map(|problem| Wrong { at: self.authored_at(&problem.at), reason: problem.reason });
        Ok((flags, wrong.collect()))
    }

    /// Where a place of the payload was authored.
    fn authored_at(&self, at: &str) -> String {
        let below = |from: &str| {
            let rest = at.strip_prefix(from)?;
            (rest.is_empty() || rest.starts_with('.')).then_some(rest)
        };
        // The most exact origin counts: of a feature's rules some are an experiment's.
        let origins = self.origins.iter().filter_map(|(from, to)| Some((from, below(from)?, to)));
        let nearest = origins.max_by_key(|(from, ..)| from.len());
        nearest.map_or_else(|| at.to_owned(), |(_, rest, to)| format!("{to}{rest}"))
    }
}

/// What the place of a definition is called.
pub fn place(one: &Definition) -> String {
    format!("{}.{}", one.kind.plural(), one.key)
}

/// Higher ones stand before the others.
fn priority(one: &Definition) -> f64 {
    one.content.get("priority").and_then(Value::as_f64).unwrap_or(0.0)
}

/// The names of the audiences of something: one, or a list of them.
pub fn audience_names(content: &Map<String, Value>) -> Vec<&str> {
    match content.get("audience") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// An experiment in GrowthBook's words. Audiences stand in its condition, so that hosts that do not
/// know them decide the same.
fn experiment(one: &Definition, audiences: &Map<String, Value>) -> Value {
    let mut rule = one.content.clone();
    rule.retain(|name, _| !OWN.contains(&name.as_str()));
    rule.insert("key".to_owned(), Value::from(one.key.clone()));
    carry_context(one, &mut rule);
    if learns(one) {
        point_to_bandit(one, &mut rule);
        // GrowthBook's rules have them so; its experiments of pages have no bandits.
        if one.content.contains_key("feature") {
            let variations = rule.remove("variations").unwrap_or_default();
            rule.insert("contextualVariations".to_owned(), variations);
        }
    }
    let names = audience_names(&one.content);
    if !names.is_empty() {
        let any: Vec<_> = names.iter().filter_map(|name| audiences.get(*name)).cloned().collect();
        // An audience that does not run holds nobody.
        let of_audience =
            json!({ "$or": if any.is_empty() { vec![json!({ "$nor": [{}] })] } else { any } });
        let condition = match rule.remove("condition") {
            Some(own) => json!({ "$and": [own, of_audience] }),
            None => of_audience,
        };
        rule.insert("condition".to_owned(), condition);
    }
    Value::Object(rule)
}

/// An experience in core's words.
fn experience(one: &Definition) -> Value {
    let mut content = shipped(&one.content).unwrap_or_else(|| {
        let mut content = one.content.clone();
        content.retain(|name, _| !OWN_OF_EXPERIENCE.contains(&name.as_str()));
        carry_context(one, &mut content);
        if learns(one) {
            point_to_bandit(one, &mut content);
        }
        content
    });
    content.insert("key".to_owned(), Value::from(one.key.clone()));
    Value::Object(content)
}

/// Whether something has weights apart for each leaf, learnt or authored. Once a variation is shipped
/// there is nothing to choose.
fn learns(one: &Definition) -> bool {
    if one.content.contains_key(SHIPPED) {
        return false;
    }
    ["bandit", "contextualBandit"].iter().any(|name| one.content.contains_key(*name))
}

/// Says where the weights are. Variations are remembered by their keys: whoever has one keeps it when
/// weights move.
fn point_to_bandit(one: &Definition, content: &mut Map<String, Value>) {
    content.insert("contextualBanditRef".to_owned(), Value::from(reference(one)));
    let authored = one.content.get("meta").and_then(Value::as_array);
    let keys = variation_keys(&one.content).into_iter().enumerate();
    let meta = keys.map(|(number, key)| {
        let told = authored.and_then(|meta| meta.get(number)?.as_object());
        let mut meta = told.cloned().unwrap_or_default();
        meta.insert("key".to_owned(), Value::from(key));
        Value::Object(meta)
    });
    content.insert("meta".to_owned(), meta.collect());
}

fn carry_context(one: &Definition, content: &mut Map<String, Value>) {
    let names = context_attributes(one);
    if !names.is_empty() {
        content.insert("contextAttributes".to_owned(), json!(names));
    }
}

fn leaves_in_force(one: &Definition, learnt: Option<&Weights>) -> Value {
    let first = first_weights(one);
    let weights = learnt.filter(|learnt| fits(learnt, one)).unwrap_or(&first);
    let contexts = weights.leaves.iter().map(|LearntLeaf { leaf_id, condition, weights, .. }| {
        json!({ "leafId": leaf_id, "condition": condition, "weights": weights })
    });
    json!({ "banditVersion": weights.version, "contexts": contexts.collect::<Vec<_>>() })
}
