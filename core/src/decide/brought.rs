//! Deciding by a model that a customer brought, and by the workspace's own where that one fails.

use super::{Decision, Engine, OpenError, Want, tried};
use crate::event::Millis;
use crate::model::{BroughtError, BroughtModel, Runtime, Signal};
use crate::profile::Profile;
use crate::scoring::{Background, Band, Sampled, Scored, Scorer, ScorerFault, margin, slope};
use std::sync::Arc;

/// Decides for one workspace, by whichever model is live there. It is its [`Engine`] in all but
/// scores: that engine folds, finds words, and decides where no brought model does.
pub struct Decider {
    engine: Engine,
    brought: Option<Result<Brought, ScorerFault>>,
}

/// A brought model, opened.
pub struct Brought {
    /// Reads the profile's row, and knows scores, bands and words.
    frame: Engine,
    scorer: Arc<dyn Scorer>,
    background: Background,
    /// What stands for a missing value, by signal; NaN where the model takes missing values.
    missing: Vec<f64>,
}

/// Makes what runs a file of a kind, which reads these signals.
pub type Runs<'a> = dyn Fn(Runtime, &[u8], &[Signal]) -> Result<Arc<dyn Scorer>, ScorerFault> + 'a;

/// A decision, and what made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    pub decision: Decision,
    pub by: ScoredBy,
    /// What went wrong with the brought model. Where the model still gave the score, this is why the
    /// score has no reasons.
    pub fault: Option<ScorerFault>,
    /// Standard errors of the reasons' points, in their order; none where the points are exact.
    pub errors: Vec<f64>,
}

/// Which model gave a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoredBy {
    /// The one that is live.
    Live,
    /// The workspace's own, because the live one failed.
    Fallback,
}

/// Why a brought model does not open.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BroughtOpenError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    File(#[from] BroughtError),
    #[error(transparent)]
    Fault(#[from] ScorerFault),
}

impl From<BroughtOpenError> for ScorerFault {
    fn from(error: BroughtOpenError) -> Self {
        match error {
            BroughtOpenError::Fault(fault) => fault,
            BroughtOpenError::Open(error) => Self::Shape(error.to_string()),
            BroughtOpenError::File(error) => Self::File(error.to_string()),
        }
    }
}

impl Brought {
    /// Opens a brought model's part of a bundle, with the bundle's signals and words.
    ///
    /// # Errors
    /// Says which part is refused and why; also where the model fails on its own background.
    pub fn open(
        signals: &[u8],
        part: &[u8],
        words: &[u8],
        runs: &Runs<'_>,
    ) -> Result<Self, BroughtOpenError> {
        let model = BroughtModel::decode(part)?;
        let frame = Engine::open(signals, &model.frame, words)?;
        let scorer = runs(model.runtime, &model.file, frame.model.signals())?;
        let background = Background::new(&*scorer, &model.background)?;
        Ok(Self { frame, scorer, background, missing: model.missing })
    }

    /// As [`Brought::open`], of a model that is open already, for one more thread.
    ///
    /// # Errors
    /// As [`Brought::open`].
    pub fn again(
        &self,
        signals: &[u8],
        part: &[u8],
        words: &[u8],
    ) -> Result<Self, BroughtOpenError> {
        let frame = Engine::open(signals, &BroughtModel::decode(part)?.frame, words)?;
        let (scorer, background) = (Arc::clone(&self.scorer), self.background.clone());
        Ok(Self { frame, scorer, background, missing: self.missing.clone() })
    }

    /// What the model reads of a profile, in its order.
    pub fn row(&mut self, profile: &Profile, now: Millis) -> Vec<f64> {
        self.frame.fill(profile, now);
        let values = self.frame.row.values.iter().zip(&self.missing);
        values.map(|(value, missing)| if value.is_nan() { *missing } else { *value }).collect()
    }

    fn score(&mut self, profile: &Profile, now: Millis) -> Result<(Vec<f64>, Scored), ScorerFault> {
        let row = self.row(profile, now);
        let margin = margin(&*self.scorer, &row)?;
        Ok((row, Scored::at(&self.frame.model, margin)))
    }

    fn decide(
        &mut self,
        profile: &Profile,
        now: Millis,
        want: Want,
    ) -> Result<Decided, ScorerFault> {
        let (row, scored) = self.score(profile, now)?;
        let mut decided = Decided {
            decision: Decision::unexplained(profile, now, scored),
            by: ScoredBy::Live,
            fault: None,
            errors: Vec::new(),
        };
        if want.reasons > 0 {
            match self.background.explain(&*self.scorer, &row, scored.margin) {
                Ok(sampled) => self.give_reasons(profile, want.reasons, &mut decided, &sampled),
                Err(fault) => decided.fault = Some(fault),
            }
        }
        if want.next_change {
            let same = |at| {
                self.score(profile, at).is_ok_and(|(_, later)| {
                    later.score == scored.score && later.band == scored.band
                })
            };
            decided.decision.next_change_at = Some(tried(now, same));
        }
        Ok(decided)
    }

    fn give_reasons(
        &self,
        profile: &Profile,
        most: usize,
        decided: &mut Decided,
        sampled: &Sampled,
    ) {
        let Sampled { explanation, errors } = sampled;
        self.frame.give_reasons(profile, most, &mut decided.decision, explanation);
        let slope = slope(&self.frame.model, explanation).abs();
        let error = |signal: u16| {
            let slot = self.frame.slots.iter().position(|slot| slot.signal == signal);
            slot.and_then(|slot| errors.get(slot)).map_or(0.0, |error| error * slope)
        };
        decided.errors =
            decided.decision.reasons.iter().map(|reason| error(reason.signal)).collect();
    }
}

impl Decider {
    /// Decides by `brought` where there is one; by the engine's model otherwise, and where it fails. One
    /// that did not even open fails each time.
    pub const fn new(engine: Engine, brought: Option<Result<Brought, ScorerFault>>) -> Self {
        Self { engine, brought }
    }

    /// Scores a profile as it is at `now`, and explains the score.
    pub fn decide(&mut self, profile: &Profile, now: Millis, want: Want) -> Decided {
        let fault = match &mut self.brought {
            Some(Ok(brought)) => match brought.decide(profile, now, want) {
                Ok(decided) => return decided,
                Err(fault) => Some(fault),
            },
            Some(Err(fault)) => Some(fault.clone()),
            None => None,
        };
        let by = if fault.is_some() { ScoredBy::Fallback } else { ScoredBy::Live };
        let decision = self.engine.decide(profile, now, want);
        Decided { decision, by, fault, errors: Vec::new() }
    }

    /// The band that a shown score of the live model is in: see [`Engine::band_of`].
    pub fn band_of(&self, score: u8) -> Band {
        match &self.brought {
            Some(Ok(brought)) => brought.frame.band_of(score),
            _ => self.engine.band_of(score),
        }
    }

    /// What folds and finds words.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }
}
