//! `cargo xtask lint`: format, lints and the invariants of ARCHITECTURE.md.

use crate::shell::{self, capture, cargo};
use crate::vectors;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What a check is called, and the check.
type Check = (&'static str, fn(&Path) -> Result<()>);

const CHECKS: &[Check] = &[
    ("code is formatted", formatted),
    ("clippy finds nothing", clippy),
    ("core builds for the page", core_builds_for_the_page),
    ("core holds no host", core_holds_no_host),
    ("the page build holds no JSON", page_holds_no_json),
    ("arrows between crates go one way", arrows),
    ("the map names every folder", map_names_every_folder),
    ("links in documents lead somewhere", links),
    ("lock files name no host", lock_files),
    ("rules to break stand where they are listed", vectors::mutate::check),
];

/// Hosts, clocks and randomness that core's dependencies must not bring.
const HOSTS: &[&str] = &[
    "tokio",
    "reqwest",
    "axum",
    "sqlx",
    "rusqlite",
    "worker",
    "wasm-bindgen",
    "js-sys",
    "web-sys",
    "pyo3",
    "getrandom",
];

/// Which of our crates each of our crates may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("rapport-core", &[]),
    ("rapport-wasm", &["rapport-core"]),
    ("rapport-ffi", &["rapport-core"]),
    ("rapport-archive", &[]),
    ("rapport-onnx", &["rapport-core"]),
    ("rapport-onnx-wasm", &["rapport-core", "rapport-onnx"]),
    ("rapport-scorer", &["rapport-core"]),
    ("rapport-backend", &["rapport-core", "rapport-archive", "rapport-onnx", "rapport-scorer"]),
    ("rapport-edge", &["rapport-core"]),
    ("rapport-edge-worker", &["rapport-core", "rapport-edge", "rapport-onnx"]),
    (
        "rapport-cli",
        &["rapport-core", "rapport-backend", "rapport-edge", "rapport-onnx", "rapport-scorer"],
    ),
    ("rapport-python", &["rapport-core"]),
    ("xtask", &["rapport-core"]),
];

pub fn run(root: &Path) -> Result<()> {
    let failed = check_all(root).into_iter().filter(|(_, result)| result.is_err()).count();
    if failed > 0 {
        bail!("{failed} of {} checks failed", CHECKS.len());
    }
    Ok(())
}

/// Runs every check, printing each as it ends.
pub fn check_all(root: &Path) -> Vec<(&'static str, Result<()>)> {
    let mut results = Vec::new();
    for (name, check) in CHECKS {
        let result = check(root);
        match &result {
            Ok(()) => println!("ok      {name}"),
            Err(error) => println!("FAILED  {name}: {error:#}"),
        }
        results.push((*name, result));
    }
    results
}

fn formatted(root: &Path) -> Result<()> {
    shell::run(cargo(root, ["fmt", "--all", "--check"])).context("run: cargo fmt --all")
}

fn clippy(root: &Path) -> Result<()> {
    shell::run(cargo(
        root,
        ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"],
    ))
}

fn core_builds_for_the_page(root: &Path) -> Result<()> {
    shell::run(cargo(
        root,
        ["check", "--quiet", "--package", "rapport-core", "--target", "wasm32-unknown-unknown"],
    ))
}

fn core_holds_no_host(root: &Path) -> Result<()> {
    for banned in tree(root, "rapport-core", &["--all-features"])? {
        if HOSTS.contains(&banned.as_str()) {
            bail!("rapport-core depends on {banned}");
        }
    }
    Ok(())
}

pub fn page_holds_no_json(root: &Path) -> Result<()> {
    for found in tree(
        root,
        "rapport-wasm",
        &["--target", "wasm32-unknown-unknown", "--features", "scores,flags"],
    )? {
        if ["serde_json", "serde-wasm-bindgen", "serde"].contains(&found.as_str()) {
            bail!("the page build depends on {found}");
        }
    }
    Ok(())
}

fn arrows(root: &Path) -> Result<()> {
    let metadata: Value = serde_json::from_str(&capture(cargo(
        root,
        ["metadata", "--no-deps", "--format-version", "1"],
    ))?)?;
    let packages = metadata["packages"].as_array().context("no packages")?;
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
            bail!("{name} is not in the table of arrows in xtask/src/lint.rs: add it");
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let to = dependency["name"].as_str().unwrap_or_default();
            let ours = ARROWS.iter().any(|(known, _)| *known == to);
            if ours && to != name && !allowed.contains(&to) {
                bail!("{name} must not depend on {to}");
            }
        }
    }
    Ok(())
}

fn map_names_every_folder(root: &Path) -> Result<()> {
    let map = read(&root.join("ARCHITECTURE.md"))?;
    for file in tracked(root)? {
        let mut parts = file.components();
        let (Some(top), Some(_)) = (parts.next(), parts.next()) else { continue };
        let top = top.as_os_str().to_string_lossy();
        if !top.starts_with('.') && !map.contains(&format!("{top}/")) {
            bail!("ARCHITECTURE.md does not name the folder {top}/");
        }
    }
    Ok(())
}

fn links(root: &Path) -> Result<()> {
    for file in tracked(root)? {
        if file.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = read(&root.join(&file))?;
        let folder = root.join(&file).parent().map(Path::to_path_buf).unwrap_or_default();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            let outside = path.is_empty() || path.contains("://") || path.starts_with("mailto:");
            if !outside && !folder.join(path).exists() {
                bail!("{} links to {target}, which does not exist", file.display());
            }
        }
    }
    Ok(())
}

fn lock_files(root: &Path) -> Result<()> {
    for file in tracked(root)? {
        if file.ends_with("package-lock.json")
            && read(&root.join(&file))?.contains("\"resolved\": \"http")
        {
            bail!(
                "{} names a registry's host: set npm's omit-lockfile-registry-resolved",
                file.display()
            );
        }
    }
    Ok(())
}

/// Names of all crates that `package` needs at run time.
fn tree(root: &Path, package: &str, more: &[&str]) -> Result<Vec<String>> {
    let mut command =
        cargo(root, ["tree", "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
    command.args(["--package", package]).args(more);
    let listing = capture(command)?;
    Ok(listing.lines().filter_map(|line| line.split(' ').next()).map(str::to_string).collect())
}

fn tracked(root: &Path) -> Result<Vec<PathBuf>> {
    let listing = capture(shell::command(root, "git", ["ls-files"]))?;
    Ok(listing.lines().map(PathBuf::from).filter(|file| root.join(file).is_file()).collect())
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
