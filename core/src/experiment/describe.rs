//! What a host needs to know of flags to ask and to understand the answers.

use super::flags::{Effect, Experience, Experiment, Feature, Filter, Flags, Parent};
use crate::targeting::{Condition, Own, Value};
use std::borrow::Cow;

type Members = Vec<(Cow<'static, str>, Value<'static>)>;

impl Flags {
    /// The names of the attributes by their numbers, core's own first; of each feature its key, the attributes that it
    /// reads, its default, and of each rule its id and its value; of each experiment by its number its
    /// key, its feature, what was authored, and of its variations key, name and value; of each experience
    /// its key, name, slot and cap.
    pub fn describe(&self) -> Value<'static> {
        let texts = |texts: &[String]| texts.iter().map(|text| owned(text)).collect();
        let mut experiments = Vec::new();
        let features = self.features.iter().map(|feature| {
            let rules = feature.rules.iter().map(|rule| {
                let mut shown: Members = vec![("id".into(), owned(&rule.id))];
                match &rule.effect {
                    Effect::Force { value, .. } => shown.push(("value".into(), value.clone())),
                    Effect::Run(experiment) => {
                        experiments.push(shown_experiment(experiment, &feature.key))
                    }
                    Effect::Nothing => {}
                }
                Value::Map(shown)
            });
            Value::Map(vec![
                ("key".into(), owned(&feature.key)),
                ("default".into(), feature.default.clone()),
                ("rules".into(), Value::List(rules.collect())),
                ("reads".into(), self.reads(feature)),
            ])
        });
        let features: Vec<_> = features.collect();
        experiments
            .extend(self.experiments.iter().map(|experiment| shown_experiment(experiment, "")));
        let pages = self.experiments.iter().map(|experiment| {
            let mut read = Reads::new(self);
            read.experiment(experiment);
            read.numbers()
        });
        Value::Map(vec![
            ("attributes".into(), Value::List(texts(&self.attributes))),
            ("features".into(), Value::List(features)),
            ("pages".into(), Value::List(pages.collect())),
            ("experiments".into(), Value::List(experiments)),
            (
                "experiences".into(),
                Value::List(self.experiences.iter().map(shown_experience).collect()),
            ),
        ])
    }

    /// Whether deciding a feature takes what core itself feeds.
    pub fn takes(&self, feature: &Feature, own: Own) -> bool {
        let mut read = Reads::new(self);
        read.feature(feature);
        read.own(own)
    }

    /// Whether deciding an experiment takes what core itself feeds.
    pub fn page_takes(&self, experiment: &Experiment, own: Own) -> bool {
        let mut read = Reads::new(self);
        read.experiment(experiment);
        read.own(own)
    }

    fn reads(&self, feature: &Feature) -> Value<'static> {
        let mut read = Reads::new(self);
        read.feature(feature);
        read.numbers()
    }
}

fn owned(text: &str) -> Value<'static> {
    Value::Text(Cow::Owned(text.to_owned()))
}

fn shown_experience(experience: &Experience) -> Value<'static> {
    let Experience { key, name, slot, cap } = experience;
    let mut shown: Members = vec![("key".into(), owned(key))];
    for (member, text) in [("name", name), ("slot", slot)] {
        shown.extend(text.as_deref().map(|text| (member.into(), owned(text))));
    }
    shown.extend(cap.map(|cap| {
        let mut counts: Members = vec![("times".into(), Value::Number(cap.times))];
        counts.extend(cap.days.map(|days| ("days".into(), Value::Number(days))));
        ("cap".into(), Value::Map(counts))
    }));
    Value::Map(shown)
}

fn shown_experiment(experiment: &Experiment, feature: &str) -> Value<'static> {
    let variations = experiment.variations.iter().map(|variation| {
        let mut shown: Members = vec![("value".into(), variation.value.clone())];
        for (name, text) in [("key", &variation.key), ("name", &variation.name)] {
            shown.extend(text.as_deref().map(|text| (name.into(), owned(text))));
        }
        if variation.passthrough {
            shown.push(("passthrough".into(), Value::Bool(true)));
        }
        Value::Map(shown)
    });
    let leaves = experiment.bandit.iter().flat_map(|bandit| &bandit.leaves).map(|leaf| {
        let weights = leaf.weights.iter().map(|weight| Value::Number(*weight));
        Value::Map(vec![
            ("leafId".into(), leaf.id.clone()),
            ("variationWeights".into(), Value::List(weights.collect())),
        ])
    });
    let version = experiment.bandit.as_ref().and_then(|bandit| bandit.version.clone());
    let mut shown: Members = vec![
        ("key".into(), owned(&experiment.key)),
        ("feature".into(), owned(feature)),
        ("authored".into(), experiment.authored.0.clone()),
        ("variations".into(), Value::List(variations.collect())),
        ("leaves".into(), Value::List(leaves.collect())),
    ];
    shown.extend(version.map(|version| ("banditVersion".into(), version)));
    if let Some(sticky) = experiment.sticky {
        shown.push(("bucketVersion".into(), Value::Number(f64::from(sticky.version))));
    }
    Value::Map(shown)
}

/// The attributes that something reads.
struct Reads<'f> {
    flags: &'f Flags,
    seen: Vec<bool>,
    /// Features that were looked through.
    features: Vec<&'f str>,
}

impl<'f> Reads<'f> {
    fn new(flags: &'f Flags) -> Self {
        Self { flags, seen: vec![false; flags.attributes.len()], features: Vec::new() }
    }

    fn numbers(self) -> Value<'static> {
        let seen = (0_u32..).zip(self.seen).filter(|(_, seen)| *seen);
        Value::List(seen.map(|(number, _)| Value::Number(f64::from(number))).collect())
    }

    fn own(&self, own: Own) -> bool {
        self.seen.get(own as usize).is_some_and(|seen| *seen)
    }

    fn attribute(&mut self, number: u16) {
        let Some(seen) = self.seen.get_mut(usize::from(number)) else { return };
        let news = !core::mem::replace(seen, true);
        if news && usize::from(number) == Own::Audiences as usize {
            self.flags.audiences.iter().for_each(|audience| self.condition(&audience.condition));
        }
    }

    fn feature(&mut self, feature: &'f Feature) {
        // A ring of prerequisites ends here.
        if self.features.contains(&&*feature.key) {
            return;
        }
        self.features.push(&feature.key);
        for rule in &feature.rules {
            self.parents(&rule.parents);
            self.filters(&rule.filters);
            match &rule.effect {
                Effect::Nothing => {}
                Effect::Force { condition, rollout, .. } => {
                    self.condition(condition);
                    for hashing in rollout.iter().map(|rollout| &rollout.hashing) {
                        self.attribute(hashing.attribute);
                        hashing.fallback.into_iter().for_each(|number| self.attribute(number));
                    }
                }
                Effect::Run(experiment) => self.experiment(experiment),
            }
        }
    }

    fn experiment(&mut self, experiment: &'f Experiment) {
        self.attribute(experiment.hashing.attribute);
        experiment.hashing.fallback.into_iter().for_each(|number| self.attribute(number));
        self.filters(&experiment.filters);
        self.condition(&experiment.condition);
        self.parents(&experiment.parents);
        let leaves = experiment.bandit.iter().flat_map(|bandit| &bandit.leaves);
        leaves.for_each(|leaf| self.condition(&leaf.condition));
    }

    fn filters(&mut self, filters: &[Filter]) {
        filters.iter().for_each(|filter| self.attribute(filter.attribute));
    }

    fn parents(&mut self, parents: &'f [Parent]) {
        for parent in parents {
            self.flags.named(&parent.feature).into_iter().for_each(|feature| self.feature(feature));
        }
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::All(several) | Condition::Any(several) => {
                several.iter().for_each(|one| self.condition(one));
            }
            Condition::Not(one) => self.condition(one),
            Condition::At { attribute, .. } => {
                attribute.iter().for_each(|number| self.attribute(*number));
            }
        }
    }
}
