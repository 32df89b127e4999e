//! What was authored, compiled.

use super::hash::HashVersion;
use super::page::PagePattern;
use super::ranges::{Namespace, Range};
use crate::targeting::{Condition, Members, Value};

/// All features and experiments of a workspace's environment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Flags {
    /// The attributes that anything reads, by their numbers; the first ones are core's own ([`Own`]).
    ///
    /// [`Own`]: crate::targeting::Own
    pub attributes: Vec<String>,
    pub groups: Vec<Members>,
    /// In ascending order of their keys.
    pub features: Vec<Feature>,
    /// Experiments that run by themselves on pages: changes of the page, and redirects.
    pub experiments: Vec<Experiment>,
    pub audiences: Vec<Audience>,
    /// Whether anything asks for the visitor's audiences by their names.
    pub asks_audiences: bool,
    /// What the rules and experiments that were authored as experiences come from.
    pub experiences: Vec<Experience>,
}

/// Visitors who have something in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Audience {
    pub name: Box<str>,
    pub condition: Condition,
}

/// What shows something to an audience: a rule of the feature that is called as its slot, with the
/// experience's key for an id; or else an experiment of pages with its key.
#[derive(Debug, Clone, PartialEq)]
pub struct Experience {
    pub key: Box<str>,
    /// What people call it.
    pub name: Option<Box<str>>,
    pub slot: Option<Box<str>>,
    pub cap: Option<Cap>,
}

/// How often one visitor sees an experience.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cap {
    pub times: f64,
    /// So long after it was shown last the count begins anew; absent never.
    pub days: Option<f64>,
}

impl Flags {
    /// The feature with that key.
    pub fn named(&self, key: &str) -> Option<&Feature> {
        let found = self.features.binary_search_by(|feature| (*feature.key).cmp(key));
        found.ok().and_then(|at| self.features.get(at))
    }

    /// All experiments, in the order of their numbers.
    #[cfg(feature = "wire")]
    pub(super) fn all_experiments(&mut self) -> impl Iterator<Item = &mut Experiment> {
        let rules = self.features.iter_mut().flat_map(|feature| &mut feature.rules);
        let of_rules = rules.filter_map(|rule| match &mut rule.effect {
            Effect::Run(experiment) => Some(&mut **experiment),
            _ => None,
        });
        of_rules.chain(&mut self.experiments)
    }
}

/// A feature flag.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    pub key: Box<str>,
    pub default: Value<'static>,
    /// The first one that applies counts.
    pub rules: Vec<Rule>,
}

/// One way to get something else than the default.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub id: Box<str>,
    pub parents: Vec<Parent>,
    pub filters: Vec<Filter>,
    pub effect: Effect,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    Nothing,
    Force { value: Value<'static>, condition: Condition, rollout: Option<Rollout> },
    Run(Box<Experiment>),
}

/// A feature whose value must be like this.
#[derive(Debug, Clone, PartialEq)]
pub struct Parent {
    pub feature: Box<str>,
    /// Of an object whose `value` is the feature's.
    pub condition: Condition,
    /// Whether the feature that depends on it is off otherwise, not just this rule.
    pub gate: bool,
}

/// Only visitors in these ranges.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    pub seed: Box<str>,
    pub attribute: u16,
    pub version: Option<HashVersion>,
    pub ranges: Vec<Range>,
}

/// What decides where a visitor falls.
#[derive(Debug, Clone, PartialEq)]
pub struct Hashing {
    pub attribute: u16,
    /// Used where the visitor lacks the attribute and variations are remembered.
    pub fallback: Option<u16>,
    pub seed: Box<str>,
    /// `None` is a version that nobody knows: nobody falls anywhere.
    pub version: Option<HashVersion>,
}

/// Part of the visitors gets a forced value.
#[derive(Debug, Clone, PartialEq)]
pub struct Rollout {
    pub hashing: Hashing,
    /// Places in it; with coverage the end counts as well.
    pub range: Range,
    pub end_included: bool,
}

/// An experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// Its place among all experiments of the flags: those of features first, in their order.
    pub number: u32,
    pub key: Box<str>,
    pub hashing: Hashing,
    pub variations: Vec<Variation>,
    pub ranges: Vec<Range>,
    /// Where there are any, namespaces do not count.
    pub filters: Vec<Filter>,
    /// All must hold the visitor.
    pub namespaces: Vec<Namespace>,
    pub condition: Condition,
    pub parents: Vec<Parent>,
    pub pages: Vec<PagePattern>,
    pub active: bool,
    /// A variation that everybody gets who would be in the experiment; out of range is none.
    pub force: Option<Option<usize>>,
    pub sticky: Option<Sticky>,
    pub bandit: Option<Bandit>,
    /// Whether a redirect carries the address's query along.
    pub keeps_query: bool,
    pub authored: Authored,
}

/// The experiment as it was written, for whoever tracks exposures. It stands among what describes the
/// flags, and pages, which read that by themselves, leave it out here.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Authored(pub Value<'static>);

/// How an experiment remembers who got what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sticky {
    /// What is remembered counts for this version only.
    pub version: u32,
    /// Whoever was assigned under a version before this one is left out.
    pub least: u32,
}

/// One variation.
#[derive(Debug, Clone, PartialEq)]
pub struct Variation {
    pub value: Value<'static>,
    pub key: Option<Box<str>>,
    pub name: Option<Box<str>>,
    /// Whoever gets it goes on to the next rule: how holdouts let others pass.
    pub passthrough: bool,
}

/// A contextual bandit's tree, as its leaves; the first one whose condition holds decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Bandit {
    pub version: Option<Value<'static>>,
    /// The last one is for everybody whom no other holds.
    pub leaves: Vec<Leaf>,
}

/// One leaf.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf {
    pub id: Value<'static>,
    pub condition: Condition,
    /// The propensities.
    pub weights: Vec<f64>,
    pub ranges: Vec<Range>,
}
