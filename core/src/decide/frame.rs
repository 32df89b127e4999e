//! Deciding by a brought model, wherever it runs: a row goes to it, and its answer comes back.

use super::{Decided, Decision, Engine, OpenError, ScoredBy};
use crate::event::Millis;
use crate::model::{BroughtModel, Margin, Signal};
use crate::profile::Profile;
use crate::scoring::{Answer, Sampled, Scored, slope};

/// All of a brought model but what runs it: reads rows, and makes decisions of the answers to them.
pub struct Frame {
    /// Of the frame's file: it knows signals, scale, bands and words, but no margins.
    engine: Engine,
    /// What stands for a missing value, by signal; NaN where the model takes missing values.
    missing: Vec<f64>,
}

impl Frame {
    /// Opens a brought model, with the bundle's signals and words.
    ///
    /// # Errors
    /// Says which part is refused and why.
    pub fn open(signals: &[u8], model: &BroughtModel, words: &[u8]) -> Result<Self, OpenError> {
        let engine = Engine::open(signals, &model.frame, words)?;
        Ok(Self { engine, missing: model.missing.clone() })
    }

    /// What the model reads, in its order.
    pub fn signals(&self) -> &[Signal] {
        self.engine.model.signals()
    }

    /// What opens and folds profiles, and finds words; its scores mean nothing.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// What the model is asked about a profile as it is at `now`: a value a signal, in its order.
    pub fn row(&mut self, profile: &Profile, now: Millis) -> Vec<f64> {
        self.engine.fill(profile, now);
        let values = self.engine.row.values.iter().zip(&self.missing);
        values.map(|(value, missing)| if value.is_nan() { *missing } else { *value }).collect()
    }

    /// The decision on that profile by what the model answered, with at most so many reasons. When time
    /// alone changes it, only who can ask the model again finds out.
    pub fn decide(
        &self,
        profile: &Profile,
        now: Millis,
        reasons: usize,
        answer: Answer,
    ) -> Decided {
        let mut decided = Decided {
            decision: Decision::unexplained(profile, now, self.scored(answer.margin)),
            by: ScoredBy::Live,
            fault: None,
            errors: Vec::new(),
        };
        match answer.why {
            Some(Ok(sampled)) => self.give_reasons(profile, reasons, &mut decided, &sampled),
            Some(Err(fault)) => decided.fault = Some(fault),
            None => {}
        }
        decided
    }

    /// What a margin means to the model.
    pub(super) fn scored(&self, margin: Margin) -> Scored {
        Scored::at(&self.engine.model, margin)
    }

    fn give_reasons(
        &self,
        profile: &Profile,
        most: usize,
        decided: &mut Decided,
        sampled: &Sampled,
    ) {
        let Sampled { explanation, errors } = sampled;
        self.engine.give_reasons(profile, most, &mut decided.decision, explanation);
        let slope = slope(&self.engine.model, explanation).abs();
        let error = |signal: u16| {
            let slot = self.engine.slots.iter().position(|slot| slot.signal == signal);
            slot.and_then(|slot| errors.get(slot)).map_or(0.0, |error| error * slope)
        };
        decided.errors =
            decided.decision.reasons.iter().map(|reason| error(reason.signal)).collect();
    }
}
