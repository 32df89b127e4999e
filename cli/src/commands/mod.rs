//! One file a subcommand: `Args` (what the user types) and `run`.

#[cfg(feature = "serve")]
pub mod demo;
pub mod evaluate;
pub mod import;
pub mod score;
#[cfg(feature = "serve")]
pub mod serve;
pub mod train;

/// What a subcommand ends with; the message is one sentence that the user can act on.
pub type Outcome = Result<(), Box<dyn std::error::Error>>;
