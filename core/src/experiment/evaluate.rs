//! Deciding.

use super::flags::{Effect, Experiment, Filter, Flags, Hashing, Leaf, Parent, Rollout, Variation};
use super::page::{Address, query_override, targeted};
use super::ranges::chosen;
use super::{StickyBuckets, Visitor, sticky};
use crate::targeting::{Condition, Scope, Value};
use std::borrow::Cow;

/// What a feature is for a visitor.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome<'f> {
    pub value: Cow<'f, Value<'static>>,
    pub source: Source,
    /// The id of the rule that decided; may be empty.
    pub rule: &'f str,
    /// Its number among the feature's rules.
    pub rule_number: Option<usize>,
    pub assignment: Option<Assignment<'f>>,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Source {
    UnknownFeature,
    Default,
    Force,
    Experiment,
    Prerequisite,
    CyclicPrerequisite,
}

impl Source {
    /// GrowthBook's word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::UnknownFeature => "unknownFeature",
            Self::Default => "defaultValue",
            Self::Force => "force",
            Self::Experiment => "experiment",
            Self::Prerequisite => "prerequisite",
            Self::CyclicPrerequisite => "cyclicPrerequisite",
        }
    }
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

/// Why a visitor is in an experiment, or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Why {
    /// The visitor's place says so.
    Placed,
    /// The visitor got it before.
    Remembered,
    /// The address's query asks for it.
    ByAddress,
    /// Somebody chose it by hand.
    ByHand,
    /// The experiment gives it to all.
    ByExperiment,
    TooFewVariations,
    Disabled,
    OtherPage,
    Inactive,
    /// The visitor lacks the attribute that would be hashed.
    NoValue,
    FilteredOut,
    OtherNamespace,
    ConditionFailed,
    PrerequisiteFailed,
    UnknownHash,
    /// An earlier version of the experiment had the visitor.
    EarlierVersion,
    /// The visitor falls where no variation is.
    NotCovered,
    OnlyForced,
}

impl Why {
    /// A sentence for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Placed => "the visitor's place falls to this variation",
            Self::Remembered => "the visitor got this variation before",
            Self::ByAddress => "the address asks for this variation",
            Self::ByHand => "somebody chose this variation by hand",
            Self::ByExperiment => "the experiment gives this variation to all",
            Self::TooFewVariations => "there are fewer than two variations",
            Self::Disabled => "experiments are switched off",
            Self::OtherPage => "the experiment is for other pages",
            Self::Inactive => "the experiment does not run",
            Self::NoValue => "the visitor lacks the attribute that decides the variation",
            Self::FilteredOut => "the visitor is outside the experiment's share",
            Self::OtherNamespace => "the visitor belongs to another experiment of the namespace",
            Self::ConditionFailed => "the experiment is for others",
            Self::PrerequisiteFailed => "a feature that it depends on has another value",
            Self::UnknownHash => "the experiment's hash version is not known here",
            Self::EarlierVersion => "the visitor took part in an earlier version",
            Self::NotCovered => "the visitor falls outside the covered share",
            Self::OnlyForced => "only what is forced happens",
        }
    }
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

/// One evaluation, under way.
struct Evaluation<'f, 'v> {
    flags: &'f Flags,
    visitor: &'v Visitor<'v>,
    address: Address<'v>,
    /// The features that are being decided, one for the other.
    open: Vec<&'f str>,
    /// The values of prerequisites that are decided already.
    decided: Vec<(&'f str, Source, Cow<'f, Value<'static>>)>,
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
        let features = &self.flags.features;
        let found = features.binary_search_by(|feature| (*feature.key).cmp(key));
        let Some(feature) = found.ok().and_then(|at| features.get(at)) else {
            return Outcome::nothing(Source::UnknownFeature);
        };
        self.open(feature)
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
        for (number, rule) in feature.rules.iter().enumerate() {
            match self.parents(&rule.parents) {
                Parents::Hold => {}
                Parents::Gate => return Outcome::nothing(Source::Prerequisite),
                Parents::Cycle => return Outcome::nothing(Source::CyclicPrerequisite),
                Parents::Fail => continue,
            }
            if self.filtered_out(&rule.filters) {
                continue;
            }
            match &rule.effect {
                Effect::Nothing => {}
                Effect::Force { value, condition, rollout } => {
                    let applies = self.holds(condition)
                        && rollout.as_ref().is_none_or(|rollout| self.rolled_out(rollout));
                    if applies {
                        let value = Cow::Borrowed(value);
                        let (source, rule) = (Source::Force, &*rule.id);
                        let rule_number = Some(number);
                        return Outcome { value, source, rule, rule_number, assignment: None };
                    }
                }
                Effect::Run(experiment) => {
                    let assignment = self.run(experiment, &feature.key);
                    if assignment.in_experiment && !assignment.passes_through() {
                        let value = experiment.variations.get(assignment.variation);
                        return Outcome {
                            value: value.map_or(Cow::Owned(Value::Null), |variation| {
                                Cow::Borrowed(&variation.value)
                            }),
                            source: Source::Experiment,
                            rule: &rule.id,
                            rule_number: Some(number),
                            assignment: Some(assignment),
                        };
                    }
                }
            }
        }
        let value = Cow::Borrowed(&feature.default);
        Outcome { value, source: Source::Default, rule: "", rule_number: None, assignment: None }
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
        if let Some(variation) = query_override(&experiment.key, visitor.address, count) {
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
                Some((_, source, value)) => (*source, value.clone()),
                None => {
                    let outcome = self.feature(&parent.feature);
                    self.decided.push((&parent.feature, outcome.source, outcome.value.clone()));
                    (outcome.source, outcome.value)
                }
            };
            if source == Source::CyclicPrerequisite {
                return Parents::Cycle;
            }
            let object = Value::Map(vec![("value".into(), value.into_owned())]);
            if !parent.condition.holds(Scope::Item(&object), &self.flags.groups) {
                return if parent.gate { Parents::Gate } else { Parents::Fail };
            }
        }
        Parents::Hold
    }
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
            value: Cow::Owned(Value::Null),
            source,
            rule: "",
            rule_number: None,
            assignment: None,
        }
    }

    /// Whether the feature is on: its value is neither null, false, 0 nor empty text.
    pub fn on(&self) -> bool {
        self.value.truthy()
    }
}
