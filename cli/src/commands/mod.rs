//! One file a subcommand: `Args` (what the user types) and `run`.

pub mod bundle;
#[cfg(feature = "serve")]
pub mod demo;
#[cfg(feature = "serve")]
pub mod edge;
pub mod evaluate;
pub mod import;
#[cfg(feature = "serve")]
mod import_events;
#[cfg(feature = "serve")]
pub mod log;
#[cfg(feature = "serve")]
pub mod model;
pub mod score;
#[cfg(feature = "serve")]
pub mod serve;
pub mod train;

/// What a subcommand ends with; the message is one sentence that the user can act on.
pub type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Pages that ask for an SDK that is not there fail in silence; the start says so instead.
#[cfg(feature = "serve")]
pub fn sdk_is_built(folder: &std::path::Path) -> Outcome {
    if folder.join("page-track.js").is_file() {
        return Ok(());
    }
    let folder = folder.display();
    Err(format!(
        "{folder} holds no built SDK; build it with `cargo xtask dev`, or say where with --sdk-dir"
    )
    .into())
}
