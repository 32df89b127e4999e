//! Deciding, on every host.

mod python;

use super::Figure;
use anyhow::Result;
use std::path::Path;

const SUITE: &str = "decide";

pub fn figures(root: &Path) -> Result<Vec<Figure>> {
    python::figures(root)
}
