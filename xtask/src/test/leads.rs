//! The model that the pages of the tests score with.

use crate::shell::{self, command};
use anyhow::{Context, Result};
use std::path::Path;

/// Trains `sdk-js/dist/test/leads.rpm` on the example's leads, as a user would.
pub fn train(root: &Path) -> Result<()> {
    let rapport = shell::executable(root, "rapport-cli", "rapport")?;
    let folder = root.join("sdk-js/dist/test");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let options = ["--target", "became_customer", "--trees", "100", "--input"];
    let mut train = command(root, &rapport.to_string_lossy(), ["train"]);
    train.args(options).arg("examples/leads/leads.csv").arg("--out").arg(folder.join("leads.rpm"));
    shell::capture(train).map(|_| ())
}
