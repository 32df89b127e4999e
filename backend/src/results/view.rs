//! Results as clients see them.

use super::learning::Lesson;
use crate::clock::Millis;
use crate::experiments::{Status, Weights};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// What came of an experiment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResultsView {
    pub experiment: String,
    pub status: Status,
    /// People who count: they saw one variation, are no robots and do not work here.
    pub visitors: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub first_exposure_at: Option<Millis>,
    pub last_exposure_at: Option<Millis>,
    pub split: Option<SplitView>,
    pub excluded: ExcludedView,
    pub variations: Vec<ArmView>,
    pub goals: Vec<GoalView>,
    /// Those that were asked for; their p-values of many are of all segments together.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<SegmentView>,
    /// Of an experiment of several factors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub design: Option<DesignView>,
    /// Of what learns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bandit: Option<BanditView>,
    /// Events of the log that are not in here yet.
    pub behind: u64,
}

/// How visitors' split agrees with the weights.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SplitView {
    /// The chance of a split this uneven.
    pub p_value: f64,
    /// Whether that is no accident: the results are not to be believed then.
    pub mismatch: bool,
    /// What explains it, the best explanation first: `bots`, `redirect-loss`, `duplicate-ids`.
    pub causes: Vec<&'static str>,
}

/// Who does not count.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExcludedView {
    /// People who work here, by the workspace's settings.
    pub staff: u64,
    pub bots: u64,
    /// People who saw more than one variation.
    pub several_variations: u64,
    /// Exposures to variations that the experiment has not.
    pub unknown_variations: u64,
}

/// Whom a variation was shown to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArmView {
    pub key: String,
    /// The share of visitors that it should get.
    pub weight: f64,
    /// Everybody with an exposure who does not work here.
    pub visitors: u64,
    pub bots: u64,
    pub duplicates: u64,
    /// People who came where its redirect leads, and of whom no exposure came.
    pub lost: u64,
}

/// What was done towards a goal. The first variation is the control.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GoalView {
    pub key: String,
    /// `conversion`: people who did it; `revenue`: what it was worth.
    pub kind: &'static str,
    pub less_is_better: bool,
    /// Whether effects are adjusted by the lead score at the exposure (CUPED).
    pub adjusted: bool,
    pub variations: Vec<GoalArmView>,
    /// Of several factors, what each did, and each two together; of what cannot be told apart the first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<TermView>,
}

/// What a factor at a level did, or two of them together.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TermView {
    /// By the letters of its factors: `A`, `AB`; `A[3]` is the third level.
    pub term: String,
    /// The levels by the keys of their factors.
    #[schema(value_type = serde_json::Value)]
    pub levels: Map<String, Value>,
    /// In the goal's own unit. Of one factor: the mean at this level less that at the first one. Of
    /// two: half the difference that the second makes to the effect of the first.
    pub effect: f64,
    pub standard_error: f64,
    pub interval: [f64; 2],
    pub p_value: f64,
    /// The same, where all terms of the goal are looked at.
    pub p_value_of_many: f64,
    /// What would have looked the same: it is added to the effect, or with a minus subtracted.
    pub aliases: Vec<String>,
}

/// Which combinations of factors are tried.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DesignView {
    /// The keys of factors by their letters.
    pub factors: BTreeMap<String, String>,
    pub runs: u64,
    /// Of a fraction: at 3 a factor looks like two others together, at 4 like three, at 5 two are apart
    /// from two others. Absent where everything is apart.
    pub resolution: Option<u32>,
    /// What cannot be told apart, such as `AB = CD`; `I` is the mean.
    pub aliasing: Vec<String>,
}

/// People who have a value of an attribute in common.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SegmentView {
    pub attribute: String,
    /// `unknown` where it is not known, `other` where there are many and this one is rare.
    pub value: String,
    pub visitors: u64,
    pub goals: Vec<GoalView>,
}

/// What the visitors of one variation did.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GoalArmView {
    pub key: String,
    pub visitors: u64,
    /// How many of them did it at least once, after they saw the variation.
    pub conversions: u64,
    /// Of conversions their number, of revenue the sum.
    pub total: f64,
    /// A visitor.
    pub mean: f64,
    /// Against the control.
    pub effect: Option<EffectView>,
    /// Why there is none.
    pub no_effect: Option<String>,
}

/// A difference, as a share of the control's mean: 0.05 is five per cent more.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EffectView {
    pub lift: f64,
    /// Of 95 % (1 − `alpha`), where one looks once, at the planned end.
    pub interval: [f64; 2],
    pub p_value: f64,
    /// The same, where all goals and variations are looked at (Benjamini and Hochberg, or Holm).
    pub p_value_of_many: f64,
    /// The chance that the variation is better than the control.
    pub chance_to_win: f64,
    /// What is lost on average by choosing the control, and by choosing the variation.
    pub risk: [f64; 2],
    /// Of 95 %, however often one looks.
    pub sequential_interval: [f64; 2],
    pub sequential_p_value: f64,
}

/// How an experiment learns.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BanditView {
    /// The key of a goal, or `$score`: how much the lead score rises.
    pub objective: String,
    /// Whose chances are known: so many can be learnt of.
    pub visitors: u64,
    /// What these earned, a visitor.
    pub earned: f64,
    /// The weights in force.
    pub weights: Weights,
    /// Those that were learnt, oldest first; of many the last ones.
    pub history: Vec<Weights>,
    /// What others would have earned of the same visitors.
    pub off_policy: Vec<PolicyView>,
}

/// What a way to share out the variations would have earned a visitor. Absent where the log does not
/// say: nobody was shown what it would have shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView {
    /// `current`: the weights in force; `equal`: all alike; `only`: one variation for everybody.
    pub policy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variation: Option<String>,
    /// By inverse propensities: no bias, much noise.
    pub ips: Option<EstimateView>,
    /// The same by the sum of its weights: little bias, less noise.
    pub snips: Option<EstimateView>,
    /// By a model alone: each leaf's means.
    pub dm: Option<EstimateView>,
    /// The model, corrected by inverse propensities.
    pub dr: Option<EstimateView>,
    /// The same, but the model alone where a weight is above 10.
    pub switch: Option<EstimateView>,
    /// The same with shrunken weights.
    pub dros: Option<EstimateView>,
}

/// A mean reward.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EstimateView {
    pub value: f64,
    pub standard_error: f64,
    /// Of how many visitors it makes use.
    pub effective_visitors: f64,
}

/// What came of learning.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LessonView {
    /// What is in force now.
    pub weights: Weights,
    /// Why these are the weights of before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<String>,
}

impl From<Lesson> for LessonView {
    fn from(Lesson { weights, unchanged }: Lesson) -> Self {
        Self { weights, unchanged }
    }
}
