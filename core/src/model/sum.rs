//! Additive models as they are computed. Values beyond [`LARGEST`] count as that.

use super::{AdditiveModel, Effect, Group, LARGEST, Term};

/// The margin of a row's values.
#[cfg_attr(target_arch = "wasm32", inline(never))] // apart: pages compile what they run
pub(crate) fn margin(model: &AdditiveModel, values: &[f64]) -> f64 {
    let groups = model
        .groups
        .iter()
        .map(|group| held(group, group.terms.iter().map(|term| addend(term, values)).sum()));
    model.bias + groups.sum::<f64>()
}

/// The margin where nothing is known.
#[cfg_attr(target_arch = "wasm32", inline(never))] // apart: pages compile what they run
pub(crate) fn usual_margin(model: &AdditiveModel) -> f64 {
    let groups = model.groups.iter().map(|group| held(group, group.terms.iter().map(usual).sum()));
    model.bias + groups.sum::<f64>()
}

/// A group's sum between its caps.
pub(crate) fn held(group: &Group, sum: f64) -> f64 {
    between(sum, group.at_least, group.at_most)
}

/// What a term adds where its signal is not known.
pub(crate) fn usual(term: &Term) -> f64 {
    term.usual.clamp(-LARGEST, LARGEST)
}

/// What a term adds for a row's values.
pub(crate) fn addend(term: &Term, values: &[f64]) -> f64 {
    let value = values.get(usize::from(term.signal)).copied().unwrap_or(f64::NAN);
    let points = if value.is_nan() { term.missing } else { points(&term.effect, value) };
    points.clamp(-LARGEST, LARGEST)
}

/// `clamp` for ends that the door has checked: without its panic, which would bring the standard
/// library's printing of floats into the page.
fn between(value: f64, from: f64, to: f64) -> f64 {
    if value < from {
        from
    } else if value > to {
        to
    } else {
        value
    }
}

fn points(effect: &Effect, value: f64) -> f64 {
    match effect {
        Effect::PerUnit { points, from, to } => {
            points * between(value, *from, *to).clamp(-LARGEST, LARGEST)
        }
        Effect::Steps(steps) => {
            let reached = steps.partition_point(|step| step.from <= value);
            reached.checked_sub(1).and_then(|last| steps.get(last)).map_or(0.0, |step| step.points)
        }
        Effect::Levels { points, other } => {
            let level = if value > -1.0 { value as usize } else { usize::MAX };
            points.get(level).copied().unwrap_or(*other)
        }
    }
}
