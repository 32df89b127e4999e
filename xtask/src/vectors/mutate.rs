//! Breaks one rule of core at a time in a copy of the tree, and runs the conformance cases on it.

use super::json;
use crate::shell::{self, cargo};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;

/// A rule of core, and an edit that breaks it.
struct Mutation {
    rule: String,
    file: String,
    from: String,
    to: String,
}

/// Tries every mutation of `conformance/mutations.json` whose rule contains `wanted`.
pub fn run(root: &Path, wanted: &str) -> Result<()> {
    check(root)?;
    let copy = root.join("target/mutants");
    std::fs::create_dir_all(&copy)?;
    copy_tree(root, &copy)?;
    if !cases_pass(&copy)? {
        bail!("the cases fail before anything is broken: run cargo test --package rapport-core");
    }
    let mut noticed = 0;
    let mut survived = Vec::new();
    for mutation in mutations(root)? {
        if !mutation.rule.contains(wanted) {
            continue;
        }
        let path = copy.join(&mutation.file);
        let sound = std::fs::read_to_string(&path)?;
        std::fs::write(&path, sound.replacen(&mutation.from, &mutation.to, 1))?;
        let passed = cases_pass(&copy)?;
        std::fs::write(&path, sound)?;
        println!("{:<9} {}", if passed { "SURVIVED" } else { "noticed" }, mutation.rule);
        if passed {
            survived.push(mutation.rule);
        } else {
            noticed += 1;
        }
    }
    println!("{noticed} noticed, {} survived", survived.len());
    if !survived.is_empty() {
        bail!("no case notices: {}", survived.join("; "));
    }
    Ok(())
}

/// Whether every rule stands where the table says, once: code moves on, and the table with it.
pub fn check(root: &Path) -> Result<()> {
    for Mutation { rule, file, from, .. } in mutations(root)? {
        let text = std::fs::read_to_string(root.join(&file))
            .with_context(|| format!("conformance/mutations.json: {rule}: no file {file}"))?;
        if text.matches(&from).count() != 1 {
            bail!("conformance/mutations.json: {rule}: `{from}` does not stand once in {file}");
        }
    }
    Ok(())
}

fn mutations(root: &Path) -> Result<Vec<Mutation>> {
    let table = json(&root.join("conformance/mutations.json"))?;
    let listed = table["mutations"].as_array().context("mutations.json lists no mutations")?;
    let mutation = |mutation: &Value| {
        let field = |name: &str| {
            let text = mutation[name].as_str().map(str::to_owned);
            text.with_context(|| format!("a mutation without `{name}`"))
        };
        let (rule, file) = (field("rule")?, field("file")?);
        Ok(Mutation { rule, file, from: field("from")?, to: field("to")? })
    };
    listed.iter().map(mutation).collect()
}

/// Tracked files only, so that nothing built comes along; and what is no crate stays where it is, but for the cases.
fn copy_tree(root: &Path, copy: &Path) -> Result<()> {
    let elsewhere = [":!sdk-js", ":!sdk-php", ":!examples", ":!docs"];
    let arguments = ["ls-files", "."].into_iter().chain(elsewhere);
    let listing = shell::capture(shell::command(root, "git", arguments))?;
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
