//! Results as clients see them.

use crate::clock::Millis;
use crate::experiments::Status;
use serde::Serialize;
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
    /// Of 95 %, where one looks once, at the planned end.
    pub interval: [f64; 2],
    pub p_value: f64,
    /// The same, where all goals and variations are looked at (Benjamini and Hochberg).
    pub p_value_of_many: f64,
    /// The chance that the variation is better than the control.
    pub chance_to_win: f64,
    /// What is lost on average by choosing the control, and by choosing the variation.
    pub risk: [f64; 2],
    /// Of 95 %, however often one looks.
    pub sequential_interval: [f64; 2],
    pub sequential_p_value: f64,
}
