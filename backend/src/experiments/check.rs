//! What is wrong with a definition, said where it is authored.

use super::bandit::{Bandit, SCORE};
use super::definition::{Definition, Kind, Status};
use super::factors::Factors;
use super::payload::{Payload, Wrong, audience_names, place};
use super::winner::{SHIPPED, wrong_winner};
use rapport_core::experiment::compile_flags;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What is nested deeper is for nobody to read; core stores up to 48.
const DEEPEST: usize = 32;
const MAX_NAME: usize = 200;
const MAX_VARIATIONS: usize = 100;

/// What is wrong because of a change: with `next` itself, or with what of `before` it touches.
pub fn check(before: &[Definition], next: &[Definition]) -> Vec<Wrong> {
    let mut wrong: Vec<Wrong> = next.iter().flat_map(shape).collect();
    if !wrong.is_empty() {
        return wrong;
    }
    let is_next =
        |one: &Definition| next.iter().any(|next| (next.kind, &next.key) == (one.kind, &one.key));
    let others = || before.iter().filter(|one| !is_next(one)).cloned();
    // What is to run later is looked at as if it ran, and the others as what they are left with.
    let later = next.iter().cloned().map(|one| match one.status {
        Status::Archived => one,
        _ => Definition { status: Status::Running, ..one },
    });
    wrong = together(&others().chain(later).collect::<Vec<_>>());
    wrong.extend(together(&others().chain(next.iter().cloned()).collect::<Vec<_>>()));
    wrong.sort();
    wrong.dedup();
    let known: BTreeSet<_> = together(before).into_iter().collect();
    wrong.retain(|wrong| !known.contains(wrong));
    wrong
}

/// What is wrong with all that runs, taken together.
fn together(definitions: &[Definition]) -> Vec<Wrong> {
    let mut wrong = references(definitions);
    wrong.extend(cycles(definitions));
    wrong.extend(harmful_changes(definitions));
    match Payload::of(definitions).compile() {
        Ok((_, problems)) => wrong.extend(problems),
        Err(error) => wrong.push(Wrong::new("", error.to_string())),
    }
    wrong
}

/// What a member is.
#[derive(Clone, Copy, PartialEq)]
enum Is {
    Text,
    Texts,
    TextOrTexts,
    Number,
    Truth,
    List,
    Object,
    Anything,
}

impl Is {
    fn holds(self, value: &Value) -> bool {
        let texts = |value: &Value| {
            value.as_array().is_some_and(|items| items.iter().all(Value::is_string))
        };
        match self {
            Self::Text => value.is_string(),
            Self::Texts => texts(value),
            Self::TextOrTexts => value.is_string() || texts(value),
            Self::Number => value.is_number(),
            Self::Truth => value.is_boolean(),
            Self::List => value.is_array(),
            Self::Object => value.is_object(),
            Self::Anything => true,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Texts => "a list of texts",
            Self::TextOrTexts => "a text or a list of texts",
            Self::Number => "a number",
            Self::Truth => "true or false",
            Self::List => "a list",
            Self::Object => "an object",
            Self::Anything => "anything",
        }
    }
}

type Members = &'static [(&'static str, Is)];

const EVERY: Members = &[("name", Is::Text), ("description", Is::Text)];
/// What GrowthBook's rules and experiments say of whom they are for and how they split.
const SPLIT: Members = &[
    ("audience", Is::TextOrTexts),
    ("bandit", Is::Object),
    ("bucketVersion", Is::Number),
    ("condition", Is::Object),
    ("contextualBandit", Is::Object),
    ("coverage", Is::Number),
    ("disableStickyBucketing", Is::Truth),
    ("factors", Is::List),
    ("fallbackAttribute", Is::Text),
    ("filters", Is::List),
    ("generators", Is::Texts),
    ("goals", Is::Texts),
    ("hashAttribute", Is::Text),
    ("hashVersion", Is::Number),
    ("meta", Is::List),
    ("minBucketVersion", Is::Number),
    ("namespace", Is::List),
    ("namespaces", Is::List),
    ("parentConditions", Is::List),
    ("persistQueryString", Is::Truth),
    ("phase", Is::Text),
    ("priority", Is::Number),
    ("ranges", Is::List),
    ("seed", Is::Text),
    ("segments", Is::Texts),
    ("urlPatterns", Is::List),
    ("variations", Is::List),
    ("weights", Is::List),
];

/// What a kind has besides, and what of all it must have.
fn members(kind: Kind) -> (&'static [Members], &'static [&'static str]) {
    match kind {
        Kind::Audience => (&[&[("condition", Is::Object)]], &["condition"]),
        Kind::Feature => {
            (&[&[("defaultValue", Is::Anything), ("rules", Is::List)]], &["defaultValue"])
        }
        Kind::Experiment => (&[SPLIT, &[("feature", Is::Text)]], &["variations"]),
        Kind::Experience => (
            &[
                SPLIT,
                &[
                    ("cap", Is::Object),
                    ("changes", Is::Anything),
                    ("content", Is::Object),
                    ("schedule", Is::Object),
                    (SHIPPED, Is::Text),
                    ("slot", Is::Text),
                ],
            ],
            &[],
        ),
        Kind::Goal => (
            &[&[
                ("event", Is::Text),
                ("page", Is::Text),
                ("value", Is::Text),
                ("windowDays", Is::Number),
                ("lessIsBetter", Is::Truth),
            ]],
            &[],
        ),
    }
}

/// What is wrong with a definition whatever else there is.
fn shape(one: &Definition) -> Vec<Wrong> {
    let (own, required) = members(one.kind);
    let (content, at) = (&one.content, place(one));
    let mut wrong = Vec::new();
    let mut problem = |name: &str, reason: String| {
        wrong.push(Wrong::new(format!("{at}.{name}"), reason));
    };
    for (name, value) in content {
        let known = own.iter().copied().chain([EVERY]).flatten().find(|(known, _)| known == name);
        match known {
            None => problem(name, format!("{} has no such member", with_article(one.kind))),
            Some((_, is)) if !is.holds(value) => {
                problem(name, format!("it must be {}", is.words()))
            }
            Some(_) if deeper(value, DEEPEST) => {
                problem(name, format!("it is nested deeper than {DEEPEST}"));
            }
            Some((_, Is::Text))
                if name == "name" && value.as_str().is_some_and(|name| name.len() > MAX_NAME) =>
            {
                problem(name, format!("it is longer than {MAX_NAME} bytes"));
            }
            Some(_) => {}
        }
    }
    for name in required.iter().filter(|name| !content.contains_key(**name)) {
        problem(name, format!("{} needs it", with_article(one.kind)));
    }
    let has = |name: &str| content.contains_key(name);
    let count = content.get("variations").and_then(Value::as_array).map_or(0, Vec::len);
    if count > MAX_VARIATIONS {
        problem("variations", format!("there are more than {MAX_VARIATIONS}"));
    }
    if one.kind == Kind::Goal && has("event") == has("page") {
        problem(
            "event",
            "a goal has either the name of an `event` or the path of a `page`".to_owned(),
        );
    }
    if let Some(Err(error)) = Factors::of(content) {
        problem(if error.is_of_generators() { "generators" } else { "factors" }, error.to_string());
    }
    if let Some(reason) = wrong_winner(content) {
        problem(SHIPPED, reason.to_owned());
    }
    for (name, reason) in wrong_bandit(one, count) {
        problem(&name, reason);
    }
    let window = content.get("windowDays").and_then(Value::as_f64);
    if window.is_some_and(|days| !(days > 0.0 && days <= 366.0)) {
        problem("windowDays", "it is more than 0 and at most 366".to_owned());
    }
    wrong
}

/// What is wrong with how something learns, by the names of members.
fn wrong_bandit(one: &Definition, arms: usize) -> Vec<(String, String)> {
    let wrong = match Bandit::of(one) {
        None => return Vec::new(),
        Some(Err(error)) => return vec![("bandit".to_owned(), error.to_string())],
        Some(Ok(bandit)) => bandit.wrong(arms),
    };
    let mut wrong: Vec<_> =
        wrong.into_iter().map(|(name, reason)| (format!("bandit.{name}"), reason)).collect();
    if one.content.contains_key("contextualBandit") {
        let reason = "what learns has no leaves of its own";
        wrong.push(("contextualBandit".to_owned(), reason.to_owned()));
    }
    wrong
}

fn with_article(kind: Kind) -> String {
    let article = if matches!(kind, Kind::Feature | Kind::Goal) { "a" } else { "an" };
    format!("{article} {}", kind.word())
}

fn deeper(value: &Value, limit: usize) -> bool {
    match value {
        Value::Array(items) => limit == 0 || items.iter().any(|item| deeper(item, limit - 1)),
        Value::Object(members) => {
            limit == 0 || members.values().any(|member| deeper(member, limit - 1))
        }
        _ => false,
    }
}

/// What names something that is not there.
fn references(definitions: &[Definition]) -> Vec<Wrong> {
    let there: BTreeSet<_> = definitions
        .iter()
        .filter(|one| one.status == Status::Running)
        .map(|one| (one.kind, one.key.as_str()))
        .collect();
    let slots: BTreeSet<_> =
        definitions.iter().filter_map(|one| one.content.get("slot")?.as_str()).collect();
    let mut wrong = Vec::new();
    for one in definitions.iter().filter(|one| one.status == Status::Running) {
        let mut need = |kind: Kind, key: &str, at: &str| {
            let is_slot = kind == Kind::Feature && slots.contains(key);
            if !there.contains(&(kind, key)) && !is_slot {
                let reason = format!("there is no {} `{key}` that runs", kind.word());
                wrong.push(Wrong::new(format!("{}.{at}", place(one)), reason));
            }
        };
        if let Some(feature) = one.content.get("feature").and_then(Value::as_str) {
            need(Kind::Feature, feature, "feature");
        }
        if matches!(one.kind, Kind::Experiment | Kind::Experience) {
            audience_names(&one.content)
                .iter()
                .for_each(|name| need(Kind::Audience, name, "audience"));
            let goals = one.content.get("goals").and_then(Value::as_array);
            let goals = goals.into_iter().flatten().filter_map(Value::as_str);
            goals.for_each(|goal| need(Kind::Goal, goal, "goals"));
            let objective = one.content.get("bandit").and_then(|bandit| bandit.get("objective"));
            let goal = objective.and_then(Value::as_str).filter(|objective| *objective != SCORE);
            goal.into_iter().for_each(|goal| need(Kind::Goal, goal, "bandit.objective"));
        }
        for (at, parent) in parents(one) {
            need(Kind::Feature, parent, &at);
        }
    }
    wrong
}

/// The features that a definition depends on, and where it says so.
fn parents(one: &Definition) -> Vec<(String, &str)> {
    let rules = one.content.get("rules").and_then(Value::as_array).into_iter().flatten();
    let of_rules = rules
        .enumerate()
        .map(|(number, rule)| (format!("rules.{number}."), rule.get("parentConditions")));
    let holders =
        [(String::new(), one.content.get("parentConditions"))].into_iter().chain(of_rules);
    holders
        .flat_map(|(before, parents)| {
            let parents = parents.and_then(Value::as_array).into_iter().flatten().enumerate();
            parents.filter_map(move |(number, parent)| {
                let id = parent.get("id").and_then(Value::as_str)?;
                Some((format!("{before}parentConditions.{number}.id"), id))
            })
        })
        .collect()
}

/// Features that depend on themselves: nobody could say what they are.
fn cycles(definitions: &[Definition]) -> Vec<Wrong> {
    let mut edges: BTreeMap<&str, Vec<(String, &str)>> = BTreeMap::new();
    for one in definitions.iter().filter(|one| one.status == Status::Running) {
        // An experiment is a rule of its feature.
        let feature = match one.kind {
            Kind::Feature => Some(one.key.as_str()),
            Kind::Experiment => one.content.get("feature").and_then(Value::as_str),
            Kind::Experience => one.content.get("slot").and_then(Value::as_str),
            Kind::Audience | Kind::Goal => None,
        };
        let Some(feature) = feature else { continue };
        let parents = parents(one).into_iter();
        let parents = parents.map(|(at, parent)| (format!("{}.{at}", place(one)), parent));
        edges.entry(feature).or_default().extend(parents);
    }
    let mut wrong = Vec::new();
    for (start, parents) in &edges {
        for (at, parent) in parents {
            let (mut seen, mut ahead) = (BTreeSet::new(), vec![*parent]);
            while let Some(feature) = ahead.pop() {
                if feature == *start {
                    let reason = format!("feature `{start}` depends on itself by `{parent}`");
                    wrong.push(Wrong::new(at.clone(), reason));
                    break;
                }
                if seen.insert(feature) {
                    ahead.extend(edges.get(feature).into_iter().flatten().map(|(_, next)| *next));
                }
            }
        }
    }
    wrong
}

/// What of an experiment's changes does harm to pages: core says so of an experience's.
fn harmful_changes(definitions: &[Definition]) -> Vec<Wrong> {
    let alone = definitions.iter().filter(|one| {
        let running = one.status == Status::Running;
        running && one.kind == Kind::Experiment && !one.content.contains_key("feature")
    });
    let mut wrong = Vec::new();
    for one in alone {
        let variations = one.content.get("variations");
        let probe = json!({ "experiences": [{ "key": "x", "variations": variations }] });
        let Ok(probe) = Deserialize::deserialize(&probe) else { continue };
        let reasons = compile_flags(&probe).1.into_iter().map(|problem| problem.reason);
        let at = format!("{}.variations", place(one));
        wrong.extend(reasons.map(|reason| Wrong::new(at.clone(), reason)));
    }
    wrong
}
