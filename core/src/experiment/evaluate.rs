//! Deciding.

use super::flags::{
    Effect, Experiment, Filter, Flags, Hashing, Leaf, Parent, Rollout, Rule, Variation,
};
use super::page::{Address, targeted};
use super::ranges::chosen;
use super::why::{Source, Why};
use super::{StickyBuckets, Visitor, sticky};
use crate::targeting::{Condition, Scope, Value};
use std::borrow::Cow;

/// What a feature is for a visitor.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome<'f> {
    pub value: &'f Value<'static>,
    pub source: Source,
    /// The id of the rule that decided; may be empty.
    pub rule: &'f str,
    /// Its number among the feature's rules.
    pub rule_number: Option<usize>,
    pub assignment: Option<Assignment<'f>>,
    /// Of each rule before it, why it did not apply.
    pub passed: Vec<Why>,
}

/// What an experiment is for a visitor.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment<'f> {
    pub experiment: &'f Experiment,
    /// The feature that it was decided for; empty where it runs by itself.
    pub feature: &'f str,
    pub why: Why,
    /// The number of the variation; the first one for whoever is not in the experiment.
    pub variation: usize,
    pub in_experiment: bool,
    /// Whether the visitor's place decided: those are the exposures that results count.
    pub by_hash: bool,
    pub sticky: bool,
    /// The number of the attribute that stands for the visitor, and its value as it is hashed.
    pub attribute: u16,
    pub value: String,
    /// Where the visitor falls.
    pub place: Option<f64>,
    /// The bandit's leaf; its weights are the propensities.
    pub leaf: Option<&'f Leaf>,
}

impl Assignment<'_> {
    /// The variation.
    pub fn chosen(&self) -> Option<&Variation> {
        self.experiment.variations.get(self.variation)
    }

    /// Whether the visitor goes on to the next rule.
    pub fn passes_through(&self) -> bool {
        self.chosen().is_some_and(|variation| variation.passthrough)
    }

    /// How the variation is called: its key, or else its number.
    pub fn key(&self) -> Cow<'_, str> {
        match self.chosen().and_then(|variation| variation.key.as_deref()) {
            Some(key) => key.into(),
            None => crate::targeting::number_text(self.variation as f64).into(),
        }
    }

    /// Notes the assignment among what is remembered, where the experiment wants that; whether it is news.
    pub fn remember(&self, flags: &Flags, memory: &mut StickyBuckets) -> bool {
        let Some(sticky) = self.experiment.sticky.filter(|_| self.by_hash && self.in_experiment)
        else {
            return false;
        };
        let Some(attribute) = flags.attributes.get(usize::from(self.attribute)) else {
            return false;
        };
        let name = sticky::name(&self.experiment.key, sticky.version);
        memory.put(attribute, &self.value, &name, &self.key())
    }
}

/// Features depend on one another at most this deep.
const MAX_DEPTH: usize = 64;
/// What is remembered of earlier versions counts for at most so many.
const MAX_VERSIONS: u32 = 1000;

/// What everything is for a visitor.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers<'f> {
    /// By the numbers of the features.
    pub features: Vec<Outcome<'f>>,
    /// By the numbers of the experiments of pages.
    pub pages: Vec<Assignment<'f>>,
    /// Each experiment once.
    pub exposures: Vec<Assignment<'f>>,
}

/// One evaluation, under way.
struct Evaluation<'f, 'v> {
    flags: &'f Flags,
    visitor: &'v Visitor<'v>,
    address: Address<'v>,
    /// The features that are being decided, one for the other.
    open: Vec<&'f str>,
    /// The values of prerequisites that are decided already.
    decided: Vec<(&'f str, Source, &'f Value<'static>)>,
    exposures: Vec<Assignment<'f>>,
}

impl Flags {
    /// What a feature is for a visitor, and the exposures on the way: assignments by hash, of
    /// holdouts and prerequisites too.
    pub fn feature(&self, key: &str, visitor: &Visitor<'_>) -> (Outcome<'_>, Vec<Assignment<'_>>) {
        let mut evaluation = Evaluation::new(self, visitor);
        let outcome = evaluation.feature(key);
        (outcome, evaluation.exposures)
    }

    /// The same of a feature by its number.
    pub fn feature_numbered(
        &self,
        number: usize,
        visitor: &Visitor<'_>,
    ) -> (Outcome<'_>, Vec<Assignment<'_>>) {
        let mut evaluation = Evaluation::new(self, visitor);
        let outcome = match self.features.get(number) {
            Some(feature) => evaluation.open(feature),
            None => Outcome::nothing(Source::UnknownFeature),
        };
        (outcome, evaluation.exposures)
    }

    /// What all features and all experiments of pages are for a visitor.
    pub fn all(&self, visitor: &Visitor<'_>) -> Answers<'_> {
        let mut evaluation = Evaluation::new(self, visitor);
        let features = self.features.iter().map(|feature| evaluation.open(feature)).collect();
        let pages = self.experiments.iter().map(|page| evaluation.run(page, "")).collect();
        let mut exposures: Vec<Assignment<'_>> = Vec::new();
        for exposure in evaluation.exposures {
            if exposures.iter().all(|one| one.experiment.number != exposure.experiment.number) {
                exposures.push(exposure);
            }
        }
        Answers { features, pages, exposures }
    }

    /// What an experiment is for a visitor, and the exposures on the way.
    pub fn run<'f>(
        &'f self,
        experiment: &'f Experiment,
        visitor: &Visitor<'_>,
    ) -> (Assignment<'f>, Vec<Assignment<'f>>) {
        let mut evaluation = Evaluation::new(self, visitor);
        let assignment = evaluation.run(experiment, "");
        (assignment, evaluation.exposures)
    }
}

impl<'f, 'v> Evaluation<'f, 'v> {
    fn new(flags: &'f Flags, visitor: &'v Visitor<'v>) -> Self {
        let address = Address::new(visitor.address);
        Self {
            flags,
            visitor,
            address,
            open: Vec::new(),
            decided: Vec::new(),
            exposures: Vec::new(),
        }
    }

    fn feature(&mut self, key: &str) -> Outcome<'f> {
        match self.flags.named(key) {
            Some(feature) => self.open(feature),
            None => Outcome::nothing(Source::UnknownFeature),
        }
    }

    fn open(&mut self, feature: &'f super::Feature) -> Outcome<'f> {
        if self.open.len() >= MAX_DEPTH || self.open.contains(&&*feature.key) {
            return Outcome::nothing(Source::CyclicPrerequisite);
        }
        self.open.push(&feature.key);
        let outcome = self.first_rule(feature);
        self.open.pop();
        outcome
    }

    fn first_rule(&mut self, feature: &'f super::Feature) -> Outcome<'f> {
        let mut outcome = Outcome::nothing(Source::Default);
        for (number, rule) in feature.rules.iter().enumerate() {
            match self.rule(rule, feature, &mut outcome) {
                Ok(()) => {
                    outcome.rule = &rule.id;
                    outcome.rule_number = Some(number);
                    return outcome;
                }
                Err(Passed::Because(why)) => outcome.passed.push(why),
                Err(Passed::Nothing(source)) => return Outcome { source, ..outcome },
            }
        }
        outcome.value = &feature.default;
        outcome
    }

    /// Applies a rule to the outcome, or says why not.
    fn rule(
        &mut self,
        rule: &'f Rule,
        feature: &'f super::Feature,
        outcome: &mut Outcome<'f>,
    ) -> Result<(), Passed> {
        match self.parents(&rule.parents) {
            Parents::Hold => {}
            Parents::Gate => return Err(Passed::Nothing(Source::Prerequisite)),
            Parents::Cycle => return Err(Passed::Nothing(Source::CyclicPrerequisite)),
            Parents::Fail => return Err(Passed::Because(Why::PrerequisiteFailed)),
        }
        if self.filtered_out(&rule.filters) {
            return Err(Passed::Because(Why::FilteredOut));
        }
        match &rule.effect {
            Effect::Nothing => return Err(Passed::Because(Why::Inactive)),
            Effect::Force { value, condition, rollout } => {
                if !self.holds(condition) {
                    return Err(Passed::Because(Why::ConditionFailed));
                }
                if !rollout.as_ref().is_none_or(|rollout| self.rolled_out(rollout)) {
                    return Err(Passed::Because(Why::NotCovered));
                }
                outcome.source = Source::Force;
                outcome.value = value;
            }
            Effect::Run(experiment) => {
                let assignment = self.run(experiment, &feature.key);
                if !assignment.in_experiment || assignment.passes_through() {
                    return Err(Passed::Because(assignment.why));
                }
                let chosen = experiment.variations.get(assignment.variation);
                if let Some(variation) = chosen {
                    outcome.value = &variation.value;
                }
                outcome.source = Source::Experiment;
                outcome.assignment = Some(assignment);
            }
        }
        Ok(())
    }

    fn run(&mut self, experiment: &'f Experiment, feature: &'f str) -> Assignment<'f> {
        let (attribute, value) = self.value(
            experiment.hashing.attribute,
            experiment
                .hashing
                .fallback
                .filter(|_| experiment.sticky.is_some() && self.visitor.sticky.is_some()),
        );
        let leaf = experiment
            .bandit
            .as_ref()
            .and_then(|bandit| bandit.leaves.iter().find(|leaf| self.holds(&leaf.condition)));
        let mut assignment = Assignment {
            experiment,
            feature,
            why: Why::Placed,
            variation: 0,
            in_experiment: false,
            by_hash: false,
            sticky: false,
            attribute,
            value,
            place: None,
            leaf,
        };
        match self.judge(&assignment) {
            Ok(Judged { variation, place, why }) => {
                assignment.why = why;
                if let Some(variation) = variation.filter(|at| *at < experiment.variations.len()) {
                    assignment.variation = variation;
                    assignment.in_experiment = true;
                    assignment.by_hash = place.is_some();
                    assignment.sticky = why == Why::Remembered;
                    assignment.place = place;
                }
            }
            Err(why) => {
                assignment.why = why;
                assignment.sticky = why == Why::EarlierVersion;
            }
        }
        if assignment.by_hash {
            self.exposures.push(assignment.clone());
        }
        assignment
    }

    /// Which variation the visitor gets, or why none.
    fn judge(&mut self, asked: &Assignment<'f>) -> Result<Judged, Why> {
        let (experiment, visitor) = (asked.experiment, self.visitor);
        let count = experiment.variations.len();
        if count < 2 {
            return Err(Why::TooFewVariations);
        }
        if visitor.disabled {
            return Err(Why::Disabled);
        }
        if !experiment.pages.is_empty() && !targeted(&experiment.pages, &self.address) {
            return Err(Why::OtherPage);
        }
        if let Some(variation) = self.address.variation(&experiment.key, count) {
            return Ok(Judged::forced(Some(variation), Why::ByAddress));
        }
        if let Some((_, at)) = visitor.forced.iter().find(|(key, _)| *key == &*experiment.key) {
            return Ok(Judged::forced(Some(*at), Why::ByHand));
        }
        if !experiment.active {
            return Err(Why::Inactive);
        }
        if asked.value.is_empty() {
            return Err(Why::NoValue);
        }
        let (remembered, blocked) = self.remembered(experiment);
        if remembered.is_none() {
            self.admits(experiment, &asked.value)?;
        }
        let version = experiment.hashing.version.ok_or(Why::UnknownHash)?;
        let place = version.place(&experiment.hashing.seed, &asked.value);
        if blocked {
            return Err(Why::EarlierVersion);
        }
        let ranges = asked.leaf.map_or(&experiment.ranges, |leaf| &leaf.ranges);
        let variation = remembered.or_else(|| chosen(ranges, place)).ok_or(Why::NotCovered)?;
        if let Some(force) = experiment.force {
            return Ok(Judged::forced(force, Why::ByExperiment));
        }
        if visitor.only_forced {
            return Err(Why::OnlyForced);
        }
        let why = if remembered.is_some() { Why::Remembered } else { Why::Placed };
        Ok(Judged { variation: Some(variation), place: Some(place), why })
    }

    /// Whether an experiment is for the visitor at all.
    fn admits(&mut self, experiment: &'f Experiment, value: &str) -> Result<(), Why> {
        if experiment.filters.is_empty() {
            if !experiment.namespaces.iter().all(|namespace| namespace.holds(value)) {
                return Err(Why::OtherNamespace);
            }
        } else if self.filtered_out(&experiment.filters) {
            return Err(Why::FilteredOut);
        }
        if !self.holds(&experiment.condition) {
            return Err(Why::ConditionFailed);
        }
        match self.parents(&experiment.parents) {
            Parents::Hold => Ok(()),
            _ => Err(Why::PrerequisiteFailed),
        }
    }

    /// The variation that is remembered, and whether what is remembered keeps the visitor out.
    fn remembered(&self, experiment: &Experiment) -> (Option<usize>, bool) {
        let (Some(memory), Some(sticky)) = (self.visitor.sticky, experiment.sticky) else {
            return (None, false);
        };
        let hashing = &experiment.hashing;
        let known = |version: u32| {
            let name = sticky::name(&experiment.key, version);
            [Some(hashing.attribute), hashing.fallback].into_iter().flatten().find_map(|number| {
                let attribute = self.flags.attributes.get(usize::from(number))?;
                let (_, value) = self.value(number, None);
                memory.get(attribute, &value, &name)
            })
        };
        if (0..sticky.least.min(MAX_VERSIONS)).any(|version| known(version).is_some()) {
            return (None, true);
        }
        let Some(key) = known(sticky.version) else { return (None, false) };
        let named = |variation: &Variation| variation.key.as_deref() == Some(key);
        (experiment.variations.iter().position(named), false)
    }

    fn holds(&self, condition: &Condition) -> bool {
        condition.holds(Scope::Visitor(&self.visitor.attributes), &self.flags.groups)
    }

    /// The attribute that stands for the visitor, and its value; empty where there is none.
    fn value(&self, attribute: u16, fallback: Option<u16>) -> (u16, String) {
        let text = |number: u16| {
            let value = self.visitor.attributes.get(usize::from(number))?;
            value.truthy().then(|| value.to_text().into_owned())
        };
        if let Some(value) = text(attribute) {
            return (attribute, value);
        }
        match fallback.and_then(|number| text(number).map(|value| (number, value))) {
            Some(found) => found,
            None => (attribute, String::new()),
        }
    }

    fn place(&self, hashing: &Hashing) -> Option<f64> {
        let (_, value) = self
            .value(hashing.attribute, hashing.fallback.filter(|_| self.visitor.sticky.is_some()));
        let version = hashing.version.filter(|_| !value.is_empty())?;
        Some(version.place(&hashing.seed, &value))
    }

    fn rolled_out(&self, rollout: &Rollout) -> bool {
        self.place(&rollout.hashing).is_some_and(|place| {
            rollout.range.holds(place) || rollout.end_included && place == rollout.range.1
        })
    }

    fn filtered_out(&self, filters: &[Filter]) -> bool {
        filters.iter().any(|filter| {
            let (_, value) = self.value(filter.attribute, None);
            let place = filter
                .version
                .filter(|_| !value.is_empty())
                .map(|version| version.place(&filter.seed, &value));
            place.is_none_or(|place| chosen(&filter.ranges, place).is_none())
        })
    }

    fn parents(&mut self, parents: &'f [Parent]) -> Parents {
        for parent in parents {
            let known = self.decided.iter().find(|(key, ..)| *key == &*parent.feature);
            let (source, value) = match known {
                Some((_, source, value)) => (*source, *value),
                None => {
                    let outcome = self.feature(&parent.feature);
                    self.decided.push((&parent.feature, outcome.source, outcome.value));
                    (outcome.source, outcome.value)
                }
            };
            if source == Source::CyclicPrerequisite {
                return Parents::Cycle;
            }
            if !parent.condition.holds(Scope::Outcome(value), &self.flags.groups) {
                return if parent.gate { Parents::Gate } else { Parents::Fail };
            }
        }
        Parents::Hold
    }
}

/// Why a rule does not decide.
enum Passed {
    /// The next one is asked.
    Because(Why),
    /// Nor does any other.
    Nothing(Source),
}

struct Judged {
    variation: Option<usize>,
    place: Option<f64>,
    why: Why,
}

impl Judged {
    const fn forced(variation: Option<usize>, why: Why) -> Self {
        Self { variation, place: None, why }
    }
}

enum Parents {
    Hold,
    Fail,
    Gate,
    Cycle,
}

impl Outcome<'_> {
    const fn nothing(source: Source) -> Self {
        Self {
            value: &Value::Null,
            source,
            rule: "",
            rule_number: None,
            assignment: None,
            passed: Vec::new(),
        }
    }

    /// Whether the feature is on: its value is neither null, false, 0 nor empty text.
    pub fn on(&self) -> bool {
        self.value.truthy()
    }
}
