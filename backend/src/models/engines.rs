//! What runs brought models, by their kind: the one place where an engine is plugged in.

use rapport_core::model::{Runtime, Signal};
use rapport_core::scoring::{Scorer, ScorerFault};
use std::sync::Arc;

/// Makes what runs a file of a kind that reads these signals.
pub type Runs =
    dyn Fn(Runtime, &[u8], &[Signal]) -> Result<Arc<dyn Scorer>, ScorerFault> + Send + Sync;

/// The engines of a server.
#[derive(Clone)]
pub struct Engines(Arc<Runs>);

impl Engines {
    /// Those that the server is built with.
    pub fn built_in() -> Self {
        Self::of(|runtime, _, _| Err(ScorerFault::Absent(runtime.word())))
    }

    /// Others in their place.
    pub fn of(
        runs: impl Fn(Runtime, &[u8], &[Signal]) -> Result<Arc<dyn Scorer>, ScorerFault>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Arc::new(runs))
    }

    /// What opens files.
    pub fn runs(&self) -> &Runs {
        &*self.0
    }
}

impl std::fmt::Debug for Engines {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Engines")
    }
}
