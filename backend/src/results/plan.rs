//! `POST /v1/plan`: before an experiment, how many visitors it needs and what they can show.

use crate::error::{Problem, ProblemView};
use crate::identity::{Action, Caller, Resource, authorize};
use crate::request::JsonBody;
use axum::Json;
use rapport_core::stats::{Plan, Sequence};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is planned: a goal by its `rate`, or its `mean` and `deviation`; and a `lift` to find, or the
/// `visitors` that will come, or both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PlanWire {
    /// The share of visitors who do it now, above 0 and below 1.
    #[schema(example = 0.1)]
    rate: Option<f64>,
    /// What a visitor is worth now.
    mean: Option<f64>,
    /// How much that differs between visitors.
    deviation: Option<f64>,
    /// As a share of what is now: 0.2 is a fifth more.
    #[schema(example = 0.2)]
    lift: Option<f64>,
    visitors: Option<u64>,
    visitors_per_day: Option<f64>,
    /// With the control; each of the others is compared with it.
    #[serde(default = "two")]
    variations: u32,
    #[serde(default = "five_per_cent")]
    alpha: f64,
    #[serde(default = "four_fifths")]
    power: f64,
    /// Whether it is looked at any time, and stopped when something is seen.
    #[serde(default)]
    sequential: bool,
}

/// What can be expected.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanView {
    /// How many visitors find the lift; absent where no number of them does, or there is no lift to find.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visitors: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visitors_per_variation: Option<u64>,
    /// How long that takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<f64>,
    /// The least lift that the visitors who will come find.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detectable_lift: Option<f64>,
    /// The chance that they find the lift that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power: Option<f64>,
}

/// How many visitors an experiment needs, what it can find, and how likely it finds it.
#[utoipa::path(post, path = "/v1/plan", tag = "experiments", request_body = PlanWire,
    responses((status = 200, body = PlanView), (status = 400, body = ProblemView), (status = 401, body = ProblemView), (status = 403, body = ProblemView)))]
pub async fn plan(
    caller: Caller,
    JsonBody(wire): JsonBody<PlanWire>,
) -> Result<Json<PlanView>, Problem> {
    authorize(&caller.principal, Action::ReadExperiments, Resource::Own)?;
    planned(&wire).map(Json)
}

fn planned(wire: &PlanWire) -> Result<PlanView, Problem> {
    let wrong = |what: &str| Err(Problem::Malformed(what.to_owned()));
    let share = |value: f64| value > 0.0 && value < 1.0;
    if !share(wire.alpha) || !share(wire.power) {
        return wrong("`alpha` and `power` are above 0 and below 1");
    }
    if !(2..=100).contains(&wire.variations) {
        return wrong("there are 2 to 100 `variations`");
    }
    if wire.lift.is_some_and(|lift| lift == 0.0 || !lift.is_finite()) {
        return wrong("a `lift` of 0 is found by nobody");
    }
    if wire.lift.is_none() && wire.visitors.is_none() {
        return wrong("say what `lift` is to be found, or how many `visitors` come");
    }
    let lift = wire.lift.unwrap_or(0.0);
    let (mean, variances) = match (wire.rate, wire.mean, wire.deviation) {
        (Some(rate), None, None) if share(rate) => {
            let with_lift = rate * (1.0 + lift);
            if !(0.0..=1.0).contains(&with_lift) {
                return wrong("with the `lift` the rate is below 0 or above 1");
            }
            (rate, [rate, with_lift].map(|rate| rate * (1.0 - rate)))
        }
        (None, Some(mean), Some(deviation)) if mean != 0.0 && deviation > 0.0 => {
            (mean, [deviation * deviation; 2])
        }
        _ => {
            return wrong(
                "a goal has a `rate` above 0 and below 1, or a `mean` that is not 0 and a `deviation` above 0",
            );
        }
    };
    // Each comparison with the control gets its part of alpha.
    let alpha = wire.alpha / f64::from(wire.variations - 1);
    let sequence = wire.sequential.then(|| Sequence { alpha, ..Sequence::default() });
    let plan = Plan { variances, share: 0.5, alpha, sequence };
    let variations = u64::from(wire.variations);
    // A comparison is of two variations out of all.
    let compared = wire.visitors.map(|visitors| visitors as f64 * 2.0 / f64::from(wire.variations));
    let difference = (lift * mean).abs();
    let each = wire
        .lift
        .and_then(|_| plan.units_for(difference, wire.power))
        .map(|units| units.div_ceil(2));
    let visitors = each.map(|each| each.saturating_mul(variations));
    let per_day = wire.visitors_per_day.filter(|per_day| *per_day > 0.0);
    Ok(PlanView {
        visitors,
        visitors_per_variation: each,
        days: visitors.zip(per_day).map(|(visitors, per_day)| visitors as f64 / per_day),
        detectable_lift: compared.map(|units| plan.detectable(units, wire.power) / mean.abs()),
        power: compared.filter(|_| wire.lift.is_some()).map(|units| plan.power(difference, units)),
    })
}

fn two() -> u32 {
    2
}

fn five_per_cent() -> f64 {
    0.05
}

fn four_fifths() -> f64 {
    0.8
}
