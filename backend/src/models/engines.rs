//! What runs brought models, by their kind: the one place where an engine is plugged in.

use rapport_core::model::{Runtime, Signal};
use rapport_core::scoring::{Scorer, ScorerFault};
use rapport_onnx::OnnxModel;
use rapport_scorer::{Limits, Sandbox};
use std::sync::{Arc, OnceLock};

/// Makes what runs a file of a kind that reads these signals.
pub type Runs =
    dyn Fn(Runtime, &[u8], &[Signal]) -> Result<Arc<dyn Scorer>, ScorerFault> + Send + Sync;

/// The engines of a server.
#[derive(Clone)]
pub struct Engines(Arc<Runs>);

impl Engines {
    /// Those that the server is built with. The sandbox starts when the first scorer needs it: it takes
    /// address space.
    pub fn built_in() -> Self {
        let sandbox = OnceLock::new();
        Self::of(move |runtime, file, signals| match runtime {
            Runtime::Wasm => {
                let started = sandbox.get_or_init(|| {
                    Sandbox::new(Limits::default()).map_err(|error| error.to_string())
                });
                let sandbox = started.as_ref().map_err(|why| ScorerFault::File(why.clone()))?;
                Ok(Arc::new(sandbox.open(file, signals.len())?))
            }
            Runtime::Onnx => Ok(Arc::new(OnnxModel::open(file, signals)?)),
        })
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
