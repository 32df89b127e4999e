//! `cargo xtask vectors`: what the conformance cases cover, and whether they would notice a fault.

pub mod mutate;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::Path;

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  cargo xtask vectors
  cargo xtask vectors --mutate                  every rule of conformance/mutations.json: half an hour
  cargo xtask vectors --mutate --rule points    the rules that speak of points

A rule is broken in a copy of the tree, target/mutants, and core's conformance tests run on it: \
`noticed` where a case fails, `SURVIVED` where none does and one is to be added.")]
pub struct Arguments {
    /// Break each core rule in turn and show that at least one case fails
    #[arg(long)]
    mutate: bool,
    /// With --mutate: only rules whose name contains this
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    rule: String,
}

/// How the provenance of a case begins whose expectation we worked out ourselves, apart from core.
const OURS: [&str; 5] = [
    "by hand",
    "fold_reference.py",
    "history_reference.py",
    "experience_reference.py",
    "generate.py",
];

pub fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    if arguments.mutate {
        return mutate::run(root, &arguments.rule);
    }
    let folder = root.join("conformance");
    let index = json(&folder.join("index.json"))?;
    println!("{:<14}{:>8}{:>14}", "suite", "cases", "by others");
    for suite in index["suites"].as_array().context("conformance/index.json lists no suites")? {
        let name = suite["name"].as_str().context("a suite without a name")?;
        let (mut cases, mut independent) = (0, 0);
        for file in suite["files"].as_array().into_iter().flatten() {
            let path = folder.join(file.as_str().context("a file that is not a path")?);
            for case in json(&path)?["cases"].as_array().into_iter().flatten() {
                let provenance = case["provenance"].as_str().unwrap_or_default();
                if provenance.is_empty() {
                    bail!("{}: {} has no provenance", path.display(), case["name"]);
                }
                cases += 1;
                independent += usize::from(!OURS.iter().any(|ours| provenance.starts_with(ours)));
            }
        }
        println!("{name:<14}{cases:>8}{:>13.0}%", 100.0 * independent as f64 / cases.max(1) as f64);
    }
    Ok(())
}

fn json(path: &Path) -> Result<Value> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}
