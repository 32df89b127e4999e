//! Deciding by a model that a customer brought, and by the workspace's own where that one fails.

use super::{Decision, Engine, Frame, OpenError, Want, tried};
use crate::event::Millis;
use crate::model::{BroughtError, BroughtModel, Runtime, Signal};
use crate::profile::Profile;
use crate::scoring::{Answer, Background, Band, Scorer, ScorerFault, margin};
use std::sync::Arc;

/// Decides for one workspace, by whichever model is live there. It is its [`Engine`] in all but
/// scores: that engine folds, finds words, and decides where no brought model does.
pub struct Decider {
    engine: Engine,
    brought: Option<Result<Brought, ScorerFault>>,
}

/// A brought model, opened.
pub struct Brought {
    frame: Frame,
    scorer: Arc<dyn Scorer>,
    background: Background,
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
        let frame = Frame::open(signals, &model, words)?;
        let scorer = runs(model.runtime, &model.file, frame.signals())?;
        let background = Background::new(&*scorer, &model.background)?;
        Ok(Self { frame, scorer, background })
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
        let frame = Frame::open(signals, &BroughtModel::decode(part)?, words)?;
        let (scorer, background) = (Arc::clone(&self.scorer), self.background.clone());
        Ok(Self { frame, scorer, background })
    }

    /// What reads the profiles that this decides on, and puts its reasons in words.
    pub const fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Scores a profile as it is at `now`, and explains the score.
    ///
    /// # Errors
    /// What went wrong with the model.
    pub fn decide(
        &mut self,
        profile: &Profile,
        now: Millis,
        want: Want,
    ) -> Result<Decided, ScorerFault> {
        let row = self.frame.row(profile, now);
        let background = (want.reasons > 0).then_some(&self.background);
        let answer = Answer::of(&*self.scorer, &row, background)?;
        let mut decided = self.frame.decide(profile, now, want.reasons, answer);
        if want.next_change {
            let Decision { score, band, .. } = decided.decision;
            let same = |at| {
                let row = self.frame.row(profile, at);
                margin(&*self.scorer, &row).is_ok_and(|margin| {
                    let later = self.frame.scored(margin);
                    (later.score.0, later.band) == (score, band)
                })
            };
            decided.decision.next_change_at = Some(tried(now, same));
        }
        Ok(decided)
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
            Some(Ok(brought)) => brought.frame.engine().band_of(score),
            _ => self.engine.band_of(score),
        }
    }

    /// What folds and finds words.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }
}
