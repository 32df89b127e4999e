//! The PHP SDK by FFI, and how its memory grows. GrowthBook's SDK for PHP is in no registry that is asked here.

use super::{Figure, SUITE};
use crate::php::{Build, library};
use crate::{setup, shell};
use anyhow::Result;
use std::path::Path;

pub fn figures(root: &Path) -> Result<Vec<Figure>> {
    setup::php()?;
    let library = library(root, Build::Published)?;
    let mut run = shell::command(root, "php", ["xtask/peers/decide/evaluate.php"]);
    run.env("RAPPORT_LIBRARY", library);
    shell::capture(run)?.lines().map(|line| Figure::said(SUITE, line)).collect()
}
