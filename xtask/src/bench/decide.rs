//! Deciding, on every host.

mod php;
mod python;

use super::Figure;
use anyhow::Result;
use std::path::Path;

const SUITE: &str = "decide";

pub fn figures(root: &Path) -> Result<Vec<Figure>> {
    let mut figures = python::figures(root)?;
    figures.extend(php::figures(root)?);
    Ok(figures)
}
