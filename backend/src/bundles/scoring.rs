//! What scores the visitors of a scope.

use crate::models::Counts;
use rapport_core::decide::{Decided, Decider, Engine, ScoredBy, Want};
use rapport_core::event::Millis;
use rapport_core::profile::Profile;
use std::ops::Deref;
use std::sync::Arc;

/// The engine of a bundle, with the model that scores. All but scores it does as its [`Engine`].
pub struct Scoring {
    decider: Decider,
    /// Where a brought model is live: its name, that of its fallback, and how it does.
    brought: Option<Live>,
}

/// A brought model that is live.
#[derive(Clone)]
pub struct Live {
    pub name: String,
    pub fallback: String,
    pub counts: Arc<Counts>,
}

impl Scoring {
    pub(super) const fn new(decider: Decider, brought: Option<Live>) -> Self {
        Self { decider, brought }
    }

    /// Scores a profile as it is at `now`, and explains the score; counts what goes wrong.
    pub fn decide(&mut self, profile: &Profile, now: Millis, want: Want) -> Decided {
        let decided = self.decider.decide(profile, now, want);
        if let Some(live) = &self.brought {
            live.counts.count(decided.fault.as_ref());
        }
        decided
    }

    /// The name of the model that scored, where one is live that somebody brought.
    pub fn scored_by(&self, by: ScoredBy) -> Option<&str> {
        self.brought.as_ref().map(|live| match by {
            ScoredBy::Live => live.name.as_str(),
            ScoredBy::Fallback => live.fallback.as_str(),
        })
    }

    /// The band of a shown score, by the live model.
    pub fn band_of(&self, score: u8) -> rapport_core::scoring::Band {
        self.decider.band_of(score)
    }
}

impl Deref for Scoring {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        self.decider.engine()
    }
}
