//! Audiences and experiences, as rules of features and experiments of pages: nothing else decides.

use super::compile::{CONTEXT, Work, items, members, number, text};
use super::flags::{Audience, Cap, Experience, Experiment, Feature, Rule};
use super::harm;
use crate::event::Millis;
use crate::targeting::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

type Members<'v> = Vec<(Cow<'v, str>, Value<'v>)>;

/// What only an experience has; all else is a rule's or an experiment's.
const OWN: [&str; 11] = [
    "key",
    "name",
    "slot",
    "changes",
    "priority",
    "audience",
    "condition",
    "schedule",
    "cap",
    "content",
    "variations",
];
/// What a rule or an experiment takes as it is.
const PASSED_ON: [&str; 20] = [
    "active",
    "bucketVersion",
    CONTEXT,
    "contextualBanditRef",
    "coverage",
    "disableStickyBucketing",
    "fallbackAttribute",
    "filters",
    "hashAttribute",
    "hashVersion",
    "meta",
    "minBucketVersion",
    "namespace",
    "namespaces",
    "parentConditions",
    "persistQueryString",
    "ranges",
    "seed",
    "urlPatterns",
    "weights",
];
const MAX_KEY: usize = 64;
/// The hash of experiences that ask for none: GrowthBook's newer one.
const HASH: f64 = 2.0;

/// What an experience becomes.
enum Made {
    Rule(Rule),
    Page(Experiment),
}

/// An experience as it would be authored without experiences: a rule of the feature that its slot
/// names, or an experiment of pages.
pub(super) struct Spelled {
    pub slot: Option<Box<str>>,
    pub authored: Value<'static>,
}

impl Work<'_> {
    /// Compiles the audiences; one with a fault is left out, and so is what asks for it.
    pub fn audiences(&mut self, payload: &Value<'_>) -> Vec<Audience> {
        self.below("audiences", |work| {
            let each =
                members(payload.member("audiences")).iter().filter_map(|(name, authored)| {
                    work.below(name, |work| {
                        let condition = work.whole(|work| {
                            let asked = core::mem::take(&mut work.compiler.asks_audiences);
                            let condition = work.condition(Some(authored));
                            if core::mem::replace(&mut work.compiler.asks_audiences, asked) {
                                work.problem(
                                    "an audience cannot ask for audiences; write out its condition",
                                );
                            }
                            Some(condition)
                        })?;
                        Some(Audience { name: Box::from(&**name), condition })
                    })
                });
            each.collect()
        })
    }

    /// Compiles the experiences into the features and experiments. One with any fault is left out whole:
    /// half an experience may be for everybody.
    pub fn experiences(
        &mut self,
        payload: &Value<'_>,
        audiences: &[Audience],
        features: &mut Vec<Feature>,
        experiments: &mut Vec<Experiment>,
    ) -> Vec<Experience> {
        let authored = items(payload.member("experiences"));
        let mut order: Vec<usize> = (0..authored.len()).collect();
        let priority = |at: &usize| authored.get(*at).and_then(|one| number(one, "priority"));
        // Equal ones stay in the order in which they are written.
        order.sort_by(|left, right| {
            priority(right).unwrap_or(0.0).total_cmp(&priority(left).unwrap_or(0.0))
        });
        let (mut keys, mut kept) = (BTreeSet::new(), Vec::new());
        let mut rules: BTreeMap<Box<str>, Vec<Rule>> = BTreeMap::new();
        for at in order {
            let Some(one) = authored.get(at) else { continue };
            let key = text(one, "key").map_or_else(|| at.to_string(), str::to_owned);
            let made = self.below("experiences", |work| {
                work.below(&key, |work| {
                    work.whole(|work| work.experience(payload, one, audiences, &mut keys))
                })
            });
            let Some((experience, made, authored)) = made else { continue };
            self.spelled.push(Spelled { slot: experience.slot.clone(), authored });
            match (made, &experience.slot) {
                (Made::Rule(rule), Some(slot)) => rules.entry(slot.clone()).or_default().push(rule),
                (Made::Page(experiment), _) => experiments.push(experiment),
                (Made::Rule(_), None) => {}
            }
            kept.push(experience);
        }
        for feature in features.iter_mut() {
            if let Some(mut rules) = rules.remove(&feature.key) {
                rules.append(&mut feature.rules);
                feature.rules = rules;
            }
        }
        let slots = rules.into_iter();
        features.extend(slots.map(|(key, rules)| Feature { key, default: Value::Null, rules }));
        kept
    }

    /// What comes of work that reports nothing; none where it does.
    fn whole<T>(&mut self, work: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let before = self.problems.len();
        work(self).filter(|_| self.problems.len() == before)
    }

    fn experience(
        &mut self,
        payload: &Value<'_>,
        one: &Value<'_>,
        audiences: &[Audience],
        keys: &mut BTreeSet<String>,
    ) -> Option<(Experience, Made, Value<'static>)> {
        let before = self.problems.len();
        let Some(key) = text(one, "key").filter(|key| is_key(key)) else {
            self.problem("an experience needs a `key` of at most 64 letters, digits, - and _");
            return None;
        };
        if !keys.insert(key.to_owned()) {
            self.problem("another experience has this key");
        }
        for (name, _) in members(Some(one)) {
            if !OWN.contains(&&**name) && !PASSED_ON.contains(&&**name) {
                self.problem(format!("`{name}` is no member of an experience"));
            }
        }
        self.condition(one.member("condition"));
        let cap = self.cap(one);
        let conditions = [
            self.audience(payload, one, audiences),
            one.member("condition").filter(|condition| condition.truthy()).cloned(),
            self.schedule(one),
            cap.map(|cap| capped(key, cap)),
        ];
        let mut fields: Members<'_> =
            vec![("key".into(), Value::Text(key.into())), ("id".into(), Value::Text(key.into()))];
        for (name, value) in
            [("seed", Value::Text(key.into())), ("hashVersion", Value::Number(HASH))]
        {
            if one.member(name).is_none() {
                fields.push((name.into(), value));
            }
        }
        let own = members(Some(one))
            .iter()
            .filter(|(name, _)| PASSED_ON.contains(&&**name) || name == "name");
        fields.extend(own.cloned());
        let condition = Value::joined("$and", conditions.into_iter().flatten().collect());
        fields.extend(condition.map(|one| ("condition".into(), one)));
        let slot = text(one, "slot").filter(|slot| !slot.is_empty());
        let authored = match slot {
            Some(_) => self.content(one, fields)?,
            None => self.changes(one, fields)?,
        };
        if self.problems.len() > before {
            return None;
        }
        let made = match slot {
            Some(slot) => Made::Rule(self.rule(slot, &authored)),
            None => Made::Page(self.alone(&authored)),
        };
        let name = text(one, "name").map(Box::from);
        let experience = Experience { key: key.into(), name, slot: slot.map(Box::from), cap };
        Some((experience, made, authored.into_owned()))
    }

    /// The rule of an experience with a slot: one content, or several of which each visitor gets one.
    fn content<'v>(&mut self, one: &Value<'v>, mut fields: Members<'v>) -> Option<Value<'v>> {
        let (content, variations) = (one.member("content"), one.member("variations"));
        if one.member("changes").is_some() {
            self.problem("an experience has a `slot` or `changes`, not both");
        }
        let shown = match (content, variations) {
            (Some(content), None) => {
                if one.member("urlPatterns").is_some() {
                    self.problem("`urlPatterns` needs `variations`; the page that has the slot decides otherwise");
                }
                fields.push(("force".into(), content.clone()));
                core::slice::from_ref(content)
            }
            (None, Some(variations)) => {
                let learns = one.member("contextualBanditRef").is_some();
                let name = if learns { "contextualVariations" } else { "variations" };
                fields.push((name.into(), variations.clone()));
                items(Some(variations))
            }
            _ => {
                self.problem("an experience with a `slot` needs either `content` or `variations`");
                return None;
            }
        };
        for (at, content) in shown.iter().enumerate() {
            // The variation without content leaves the slot as it is.
            if variations.is_some() && *content == Value::Null {
                continue;
            }
            if let Some(fault) = harm::content_fault(content) {
                self.problem(if variations.is_some() {
                    format!("variation {at}: {fault}")
                } else {
                    fault
                });
            }
        }
        Some(Value::Map(fields))
    }

    /// The experiment of an experience that changes pages: one change for all whom it is for, or several.
    fn changes<'v>(&mut self, one: &Value<'v>, mut fields: Members<'v>) -> Option<Value<'v>> {
        let (changes, variations) = (one.member("changes"), one.member("variations"));
        let shown = match (changes, variations) {
            (Some(changes), None) => {
                // The second one of two is forced: that is no exposure, and coverage still counts.
                let both = vec![Value::Map(Vec::new()), changes.clone()];
                let weights = vec![Value::Number(0.0), Value::Number(1.0)];
                fields.push(("variations".into(), Value::List(both)));
                fields.push(("weights".into(), Value::List(weights)));
                fields.push(("force".into(), Value::Number(1.0)));
                core::slice::from_ref(changes)
            }
            (None, Some(variations)) => {
                fields.push(("variations".into(), variations.clone()));
                items(Some(variations))
            }
            _ => {
                self.problem("an experience needs a `slot`, or either `changes` or `variations`");
                return None;
            }
        };
        if one.member("content").is_some() {
            self.problem("`content` needs a `slot` to stand in");
        }
        for (at, changes) in shown.iter().enumerate() {
            for fault in harm::change_faults(changes) {
                self.problem(if variations.is_some() {
                    format!("variation {at}: {fault}")
                } else {
                    fault
                });
            }
        }
        Some(Value::Map(fields))
    }

    /// Any of the audiences that it names.
    fn audience<'v>(
        &mut self,
        payload: &Value<'v>,
        one: &Value<'v>,
        audiences: &[Audience],
    ) -> Option<Value<'v>> {
        let named = match one.member("audience")? {
            Value::List(names) => names.as_slice(),
            name => core::slice::from_ref(name),
        };
        if named.is_empty() {
            self.problem("its `audience` names none");
        }
        let mut meant = Vec::new();
        for name in named {
            let name = name.to_text();
            let authored = payload.member("audiences").and_then(|all| all.member(&name));
            let whole = audiences.iter().any(|audience| *audience.name == *name);
            match authored {
                Some(authored) if whole => meant.push(authored.clone()),
                Some(_) => self.problem(format!("its audience `{name}` has a fault")),
                None => self.problem(format!("there is no audience `{name}`")),
            }
        }
        Value::joined("$or", meant)
    }

    /// From a time on, and before another.
    fn schedule<'v>(&mut self, one: &Value<'v>) -> Option<Value<'v>> {
        let schedule = one.member("schedule")?;
        if members(Some(schedule)).is_empty() {
            self.problem("a schedule needs `from`, `until` or both");
        }
        let mut bounds: Members<'v> = Vec::new();
        let mut times = Vec::new();
        for (name, value) in members(Some(schedule)) {
            let operator = match &**name {
                "from" => "$after",
                "until" => "$before",
                _ => {
                    self.problem(format!(
                        "`{name}` is no member of a schedule; it has `from` and `until`"
                    ));
                    continue;
                }
            };
            match Millis::parse(&value.to_text()) {
                Some(time) => times.push((operator, time)),
                None => self.problem(format!(
                    "`{name}` is no time; write one such as 2026-12-01T09:00:00Z"
                )),
            }
            bounds.push((operator.into(), value.clone()));
        }
        times.sort_unstable();
        if let [(_, from), (_, until)] = times.as_slice()
            && from >= until
        {
            self.problem("its schedule ends before it begins");
        }
        Some(map("$now", Value::Map(bounds)))
    }

    fn cap(&mut self, one: &Value<'_>) -> Option<Cap> {
        let authored = one.member("cap")?;
        let (times, days) = (number(authored, "times"), number(authored, "days"));
        let known =
            members(Some(authored)).iter().all(|(name, _)| name == "times" || name == "days");
        let good = times.is_some_and(|times| times >= 1.0)
            && days.map_or(authored.member("days").is_none(), |days| days > 0.0);
        if !(known && good) {
            self.problem("a cap is such as {\"times\": 3, \"days\": 7}: at least once, within more than no time");
        }
        Some(Cap { times: times?, days })
    }
}

/// Holds until the visitor saw an experience as often as its cap lets them.
fn capped<'v>(key: &str, cap: Cap) -> Value<'v> {
    let times = map("$lt", Value::Number(cap.times));
    Value::Map(vec![(format!("$shown.{key}.times").into(), times)])
}

fn map<'v>(name: &'static str, value: Value<'v>) -> Value<'v> {
    Value::Map(vec![(name.into(), value)])
}

/// Keys stand in addresses, in names of attributes' paths, and among remembered assignments.
fn is_key(key: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(plain)
}
