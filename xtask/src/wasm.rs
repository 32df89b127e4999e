//! The browser build.

use anyhow::Result;
use std::path::Path;

/// Builds the engine and the SDK into `sdk-js/dist`.
pub fn page(_root: &Path) -> Result<()> {
    Ok(())
}
