//! Deciding, on every host.

mod native;
mod node;
mod php;
mod python;
mod visit;

use super::Figure;
use anyhow::Result;
use std::path::Path;

const SUITE: &str = "decide";

pub fn figures(root: &Path) -> Result<Vec<Figure>> {
    let hosts = [native::figures, node::figures, python::figures, php::figures, visit::figures];
    let mut figures = Vec::new();
    for host in hosts {
        figures.extend(host(root)?);
    }
    Ok(figures)
}
