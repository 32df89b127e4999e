//! What is remembered of a visitor without saying of whom, for where it stands in the open: a mark is
//! understood only by who knows the visitor and the experiment already.

use super::{Effect, Experiment, Flags, StickyBuckets, sticky};
use crate::binary::hash_on;

/// Who got which variation: a hash of attribute, value, experiment and version, and one of the variation's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub asked: u32,
    pub given: u32,
}

/// Of earlier versions of an experiment so many are looked for.
const VERSIONS: u32 = 20;

impl Flags {
    /// Notes that a visitor saw a variation, by the keys of experiment and variation, where the
    /// experiment wants that. `value` says what stands for the visitor, by an attribute's name.
    pub fn mark(
        &self,
        memory: &mut StickyBuckets,
        experiment: &str,
        variation: &str,
        value: impl Fn(&str) -> Option<String>,
    ) {
        for found in self.experiments_of_all().filter(|one| *one.key == *experiment) {
            let Some(sticky) = found.sticky else { continue };
            let asked = self.hashed_by(found).find_map(|name| Some((name, value(name)?)));
            if let Some((name, value)) = asked {
                memory.put(name, &value, &sticky::name(experiment, sticky.version), variation);
            }
        }
    }

    /// What of a visitor's marks this says: the reverse of [`StickyBuckets::marks`] with the same salt.
    pub fn recall(
        &self,
        marks: &[Mark],
        salt: u32,
        value: impl Fn(&str) -> Option<String>,
    ) -> StickyBuckets {
        let mut memory = StickyBuckets::default();
        if marks.is_empty() {
            return memory;
        }
        for experiment in self.experiments_of_all() {
            let Some(sticky) = experiment.sticky else { continue };
            for name in self.hashed_by(experiment) {
                let Some(value) = value(name) else { continue };
                for version in sticky.version.saturating_sub(VERSIONS)..=sticky.version {
                    let of = sticky::name(&experiment.key, version);
                    let asked = hash(salt, &[name, &value, &of]);
                    let Some(mark) = marks.iter().find(|mark| mark.asked == asked) else {
                        continue;
                    };
                    let keys = experiment.variations.iter().filter_map(|one| one.key.as_deref());
                    if let Some(key) = keys.into_iter().find(|key| hash(salt, &[key]) == mark.given)
                    {
                        memory.put(name, &value, &of, key);
                    }
                }
            }
        }
        memory
    }

    fn experiments_of_all(&self) -> impl Iterator<Item = &Experiment> {
        let of_rules =
            self.features.iter().flat_map(|feature| &feature.rules).filter_map(|rule| match &rule
                .effect
            {
                Effect::Run(experiment) => Some(&**experiment),
                _ => None,
            });
        of_rules.chain(&self.experiments)
    }

    /// The names of the attributes that an experiment splits by, the first that there is.
    fn hashed_by<'f>(&'f self, experiment: &Experiment) -> impl Iterator<Item = &'f str> {
        let numbers = [Some(experiment.hashing.attribute), experiment.hashing.fallback];
        let named = |number| self.attributes.get(usize::from(number)).map(String::as_str);
        numbers.into_iter().flatten().filter_map(named)
    }
}

impl StickyBuckets {
    /// What is remembered, as marks; who does not know the salt cannot try whose they are.
    pub fn marks(&self, salt: u32) -> impl Iterator<Item = Mark> {
        self.iter().map(move |[attribute, value, experiment, variation]| Mark {
            asked: hash(salt, &[attribute, value, experiment]),
            given: hash(salt, &[variation]),
        })
    }
}

fn hash(salt: u32, texts: &[&str]) -> u32 {
    hash_on(salt, texts.join("\0").as_bytes())
}
