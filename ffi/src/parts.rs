//! What is open: parts by their handles.

use crate::boundary::Refusal;
use rapport_core::decide::Engine;
use rapport_core::experiment::Flags;
use rapport_core::model::{Model, Row};
use rapport_core::profile::Signals;
use rapport_core::scoring::Explainer;

/// Something that was opened.
pub enum Part {
    Flags(Flags),
    Signals(Signals),
    Model(Box<Scorer>),
    Engine(Box<Engine>),
}

/// A model with its working memory.
pub struct Scorer {
    pub model: Model,
    pub row: Row,
    pub explainer: Explainer,
}

impl Part {
    pub fn flags(bytes: &[u8]) -> Result<Self, Refusal> {
        Ok(Self::Flags(Flags::open(bytes)?))
    }

    pub fn signals(bytes: &[u8]) -> Result<Self, Refusal> {
        Ok(Self::Signals(Signals::open(bytes)?))
    }

    pub fn model(bytes: &[u8]) -> Result<Self, Refusal> {
        let model = Model::open(bytes)?;
        let (row, explainer) = (model.row(), Explainer::new(&model));
        Ok(Self::Model(Box::new(Scorer { model, row, explainer })))
    }

    pub fn engine(signals: &[u8], model: &[u8], words: &[u8]) -> Result<Self, Refusal> {
        Ok(Self::Engine(Box::new(Engine::open(signals, model, words)?)))
    }
}

/// Closed parts that are kept for whoever opens them again: a request of a web server opens what the
/// request before closed.
const KEPT: usize = 8;

struct Opened {
    part: Part,
    /// What it was opened from.
    source: [Box<[u8]>; 3],
    /// How often it is open; 0 is closed, and kept.
    holders: u32,
}

/// By handles, which count from 1.
#[derive(Default)]
pub struct Parts(Vec<Option<Opened>>);

impl Parts {
    /// The handle of what was opened from these bytes; opens them where that is not yet so.
    pub fn open(
        &mut self,
        source: [&[u8]; 3],
        open: impl FnOnce() -> Result<Part, Refusal>,
    ) -> Result<u32, Refusal> {
        let same = |opened: &Opened| opened.source.iter().zip(source).all(|(a, b)| **a == *b);
        let known = self.0.iter().position(|slot| slot.as_ref().is_some_and(same));
        let at = match known {
            Some(at) => at,
            None => {
                let (part, source) = (open()?, source.map(Box::from));
                self.0.push(Some(Opened { part, source, holders: 0 }));
                self.0.len() - 1
            }
        };
        if let Some(Some(opened)) = self.0.get_mut(at) {
            opened.holders += 1;
        }
        Ok(at as u32 + 1)
    }

    /// Closes once; the oldest of too many closed parts goes.
    pub fn close(&mut self, handle: u32) {
        if let Some(Some(opened)) = self.0.get_mut((handle as usize).wrapping_sub(1)) {
            opened.holders = opened.holders.saturating_sub(1);
        }
        let closed = |slot: &Option<Opened>| slot.as_ref().is_some_and(|it| it.holders == 0);
        if self.0.iter().filter(|slot| closed(slot)).count() > KEPT
            && let Some(oldest) = self.0.iter_mut().find(|slot| closed(slot))
        {
            *oldest = None;
        }
    }

    fn part(&mut self, handle: u32) -> Option<&mut Part> {
        let opened = self.0.get_mut((handle as usize).wrapping_sub(1))?.as_mut()?;
        (opened.holders > 0).then_some(&mut opened.part)
    }

    pub fn flags_of(&mut self, handle: u32) -> Result<&Flags, Refusal> {
        match self.part(handle) {
            Some(Part::Flags(flags)) => Ok(flags),
            _ => Err(Refusal::Handle(handle)),
        }
    }

    pub fn signals_of(&mut self, handle: u32) -> Result<&Signals, Refusal> {
        match self.part(handle) {
            Some(Part::Signals(signals)) => Ok(signals),
            Some(Part::Engine(engine)) => Ok(engine.signals()),
            _ => Err(Refusal::Handle(handle)),
        }
    }

    pub fn model_of(&mut self, handle: u32) -> Result<&mut Scorer, Refusal> {
        match self.part(handle) {
            Some(Part::Model(scorer)) => Ok(scorer),
            _ => Err(Refusal::Handle(handle)),
        }
    }

    pub fn engine_of(&mut self, handle: u32) -> Result<&mut Engine, Refusal> {
        match self.part(handle) {
            Some(Part::Engine(engine)) => Ok(engine),
            _ => Err(Refusal::Handle(handle)),
        }
    }
}
