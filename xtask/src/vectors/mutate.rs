//! Breaks one rule of core at a time in a copy of the tree, and runs the conformance cases on it.

use super::json;
use crate::shell::{self, cargo};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Stdio;

/// Tries every mutation of `conformance/mutations.json` whose rule contains `wanted`.
pub fn run(root: &Path, wanted: &str) -> Result<()> {
    let table = json(&root.join("conformance/mutations.json"))?;
    let mutations = table["mutations"].as_array().context("mutations.json lists no mutations")?;
    let copy = root.join("target/mutants");
    std::fs::create_dir_all(&copy)?;
    copy_tree(root, &copy)?;
    if !cases_pass(&copy)? {
        bail!("the cases fail before anything is broken: run cargo test --package rapport-core");
    }
    let mut survived = Vec::new();
    for mutation in mutations {
        let field = |name: &str| {
            mutation[name].as_str().with_context(|| format!("a mutation without `{name}`"))
        };
        let (rule, file) = (field("rule")?, field("file")?);
        if !rule.contains(wanted) {
            continue;
        }
        let path = copy.join(file);
        let sound = std::fs::read_to_string(&path).with_context(|| format!("no file {file}"))?;
        if sound.matches(field("from")?).count() != 1 {
            bail!("{rule}: `{}` does not stand exactly once in {file}", field("from")?);
        }
        std::fs::write(&path, sound.replacen(field("from")?, field("to")?, 1))?;
        let noticed = !cases_pass(&copy)?;
        std::fs::write(&path, sound)?;
        println!("{:<9} {rule}", if noticed { "noticed" } else { "SURVIVED" });
        if !noticed {
            survived.push(rule.to_string());
        }
    }
    if !survived.is_empty() {
        bail!("no case notices: {}", survived.join("; "));
    }
    Ok(())
}

/// Tracked files only, so that nothing built comes along.
fn copy_tree(root: &Path, copy: &Path) -> Result<()> {
    let listing = shell::capture(shell::command(
        root,
        "git",
        [
            "ls-files",
            "Cargo.toml",
            "Cargo.lock",
            ".cargo",
            "core",
            "wasm",
            "backend",
            "cli",
            "xtask",
            "conformance",
        ],
    ))?;
    for file in listing.lines() {
        let (from, to) = (root.join(file), copy.join(file));
        std::fs::create_dir_all(to.parent().context("a file without a folder")?)?;
        std::fs::copy(&from, &to).with_context(|| format!("cannot copy {file}"))?;
    }
    Ok(())
}

/// Whether core's conformance tests build and pass in `copy`.
fn cases_pass(copy: &Path) -> Result<bool> {
    let mut test = cargo(copy, ["test", "--quiet", "--package", "rapport-core"]);
    test.args(["--features", "wire", "--test", "conformance"]);
    test.env("CARGO_TARGET_DIR", copy.join("target"));
    test.stdout(Stdio::null()).stderr(Stdio::null());
    Ok(test.status().context("cannot start cargo")?.success())
}
