//! Lead models that are WebAssembly modules of the customer, run by wasmtime within limits.
//!
//! A [`Sandbox`] opens modules; each becomes a [`WasmScorer`]. Every score comes from a new instance, so
//! that none knows of the one before it. What a module must export is said in `docs/scorers.md`.

mod admission;
mod clock;
mod limits;
mod refusal;
mod sandbox;
mod scorer;
mod slots;

pub use limits::Limits;
pub use refusal::Refusal;
pub use sandbox::{Sandbox, SandboxError};
pub use scorer::WasmScorer;
