//! Scores and decisions as numbers.

use crate::boundary::Refusal;
use crate::parts::Scorer;
use rapport_core::decide::{Engine, Want};
use rapport_core::event::Millis;
use rapport_core::scoring::{points, score as scored};

/// See `rapport_score`.
pub fn score(
    scorer: &mut Scorer,
    explain: bool,
    row: &[u8],
    out: &mut Vec<f64>,
) -> Result<(), Refusal> {
    let (values, rest) = row.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(Refusal::Row);
    }
    let values: Vec<f64> = values.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    let Scorer { model, row, explainer } = scorer;
    model.fill(row, &values);
    let scored = scored(model, row);
    out.clear();
    out.extend([
        scored.margin.0,
        scored.probability.0,
        f64::from(scored.score.0),
        f64::from(scored.band as u8),
    ]);
    if explain {
        let explanation = explainer.explain(model, row)?;
        let points = points(model, explanation);
        out.extend([
            explanation.base.0,
            f64::from(points.base.0),
            explanation.contributions.len() as f64,
        ]);
        out.extend(&explanation.contributions);
        out.extend(points.points.iter().map(|points| f64::from(*points)));
    }
    Ok(())
}

/// See `rapport_decide`.
pub fn decide(
    engine: &mut Engine,
    profile: &[u8],
    now: f64,
    reasons: usize,
    out: &mut Vec<f64>,
    words: &mut Vec<u8>,
) -> Result<(), Refusal> {
    let profile = match profile {
        [] => engine.new_profile(),
        stored => engine.open_profile(stored)?,
    };
    let want = Want { reasons, next_change: false };
    let decision = engine.decide(&profile, Millis(now as i64), want);
    out.clear();
    out.extend([
        f64::from(decision.score),
        decision.probability,
        f64::from(decision.band as u8),
        f64::from(decision.base),
        f64::from(decision.rest),
        decision.reasons.len() as f64,
    ]);
    let mut said = String::new();
    for reason in &decision.reasons {
        let start = said.len();
        engine.describe(&profile, &decision, reason, &mut said);
        let length = said.len() - start;
        out.extend([f64::from(reason.id), f64::from(reason.points), length as f64]);
    }
    *words = said.into_bytes();
    Ok(())
}
