//! Experiments and features: who gets which variation, and why.
//!
//! What GrowthBook's payload says, this decides the same way, bucket for bucket. Everything is
//! compiled where it is authored; deciding allocates for what it returns, and for little else.

#[cfg(feature = "wire")]
mod answer;
#[cfg(feature = "wire")]
mod ask;
#[cfg(feature = "wire")]
mod compile;
#[cfg(feature = "wire")]
mod describe;
mod design;
mod evaluate;
#[cfg(feature = "wire")]
mod experience;
mod flags;
#[cfg(feature = "wire")]
mod harm;
mod hash;
mod known;
#[cfg(feature = "wire")]
mod marks;
mod numbers;
#[cfg(feature = "wire")]
mod others;
mod page;
mod ranges;
mod sticky;
mod stored;
#[cfg(feature = "wire")]
mod view;
mod why;

#[cfg(feature = "wire")]
pub use answer::Everything;
#[cfg(feature = "wire")]
pub use ask::Asker;
#[cfg(feature = "wire")]
pub use compile::{FlagProblem, compile_flags};
pub use design::{Design, DesignError, Term, TermEffect};
pub use evaluate::{Answers, Assignment, Outcome};
pub use flags::{
    Audience, Authored, Bandit, Cap, Effect, Experience, Experiment, Feature, Filter, Flags,
    Hashing, Leaf, Parent, Rollout, Rule, Sticky, Variation,
};
pub use hash::HashVersion;
pub use known::{Known, Shown, stand_ins};
#[cfg(feature = "wire")]
pub use marks::Mark;
pub use numbers::Question;
#[cfg(feature = "wire")]
pub use others::for_others;
pub use page::{Address, PageLike, PagePattern, query_override, redirect};
pub use ranges::{Namespace, Range, chosen, equal_weights, ranges};
pub use sticky::StickyBuckets;
pub use stored::FlagsError;
#[cfg(feature = "wire")]
pub use view::{assignment_json, experiment_json, why_json};
pub use why::{Source, Why};

use crate::targeting::Value;

/// Who is asked about, and where they are.
#[derive(Debug, Clone, Default)]
pub struct Visitor<'a> {
    /// By the numbers of [`Flags::attributes`].
    pub attributes: Vec<Value<'a>>,
    /// The page's address; empty where there is no page.
    pub address: &'a str,
    /// No experiment runs.
    pub disabled: bool,
    /// Only what is forced happens.
    pub only_forced: bool,
    /// Variations that were chosen by hand, by the keys of experiments.
    pub forced: Vec<(&'a str, usize)>,
    /// What the visitor got before; `None` where nobody remembers.
    pub sticky: Option<&'a StickyBuckets>,
}
