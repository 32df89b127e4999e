//! The Python SDK: its wheel, built and installed, on every conformance case and its own tests.

use super::node::conformance;
use super::{Outcome, TIME, counted, twice};
use crate::matrix::{Counts, Matrix};
use crate::setup;
use crate::shell::{self, command, executable};
use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

pub const HOST: &str = "python";

pub fn run(root: &Path, matrix: &mut Matrix) -> Result<()> {
    let python = setup::python(&root.join("sdk-python/tests/sdk-python.txt"))?;
    let wheel = install(root, &python)?;
    clean(root, &python, &wheel, matrix)?;
    conformance(in_root(root, &python, ["conformance/run.py"]), HOST, matrix)?;
    let rapport = executable(root, "rapport-cli", "rapport")?;
    let report = std::env::temp_dir().join(format!("rapport-pytest-{}.xml", std::process::id()));
    for file in tests(root)? {
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let suite = format!("sdk-python {}", name.trim_start_matches("test_"));
        let outcome = twice(&suite, HOST, matrix, || {
            let pytest = ["-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"].map(OsStr::new);
            let mut test = in_root(root, &python, pytest.into_iter().chain([file.as_os_str()]));
            test.arg("--junitxml").arg(&report).env("RAPPORT", &rapport);
            let ended = shell::within(&mut test, TIME)?;
            let counts = counted(&std::fs::read_to_string(&report).unwrap_or_default());
            let why = format!("{}{}", ended.stdout, ended.stderr);
            Ok(Outcome::of(&ended, Counts { skipped: 0, ..counts }, why))
        })?;
        for line in outcome.said.lines().filter_map(|line| line.strip_prefix("SKIPPED ")) {
            matrix.skip(&suite, HOST, 1, line);
        }
        matrix.add(&suite, HOST, outcome.counts);
        outcome.print(&suite);
        let _ = std::fs::remove_file(&report);
    }
    Ok(())
}

/// Builds the wheel and installs it into an environment that has maturin; answers where it is.
pub fn install(root: &Path, python: &Path) -> Result<PathBuf> {
    // Beside the environment, so that one wheel at a time is kept.
    let wheels = python.with_file_name("../wheels");
    let _ = std::fs::remove_dir_all(&wheels);
    let build = ["-m", "maturin", "build", "--quiet", "--manifest-path", "sdk-python/Cargo.toml"];
    let mut build = in_root(root, python, build);
    build.arg("--out").arg(&wheels);
    shell::run(build)?;
    let wheel = std::fs::read_dir(&wheels).context("no wheel")?.next().context("no wheel")??.path();
    let install = ["-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall"];
    let mut install = in_root(root, python, install);
    install.arg(&wheel);
    shell::run(install)?;
    Ok(wheel)
}

/// In an environment that holds nothing but the wheel, the README's code runs.
fn clean(root: &Path, python: &Path, wheel: &Path, matrix: &mut Matrix) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("rapport-wheel-{}", std::process::id()));
    let mut create = in_root(root, python, ["-m", "venv", "--without-pip"]);
    create.arg(&folder);
    shell::run(create)?;
    let clean = folder.join("bin/python");
    let mut install = in_root(root, python, ["-m", "pip", "--python"]);
    install.arg(&clean).args(["install", "--quiet", "--no-index"]).arg(wheel);
    shell::run(install)?;
    let result = shell::capture(in_root(root, &clean, ["-I", "sdk-python/tests/clean.py"]));
    let failed = usize::from(result.is_err());
    match result {
        Ok(said) => print!("{said}"),
        Err(error) => println!("FAILED  sdk-python clean: {error:#}"),
    }
    matrix.add("sdk-python clean", HOST, Counts { passed: 1 - failed, failed, skipped: 0 });
    std::fs::remove_dir_all(&folder).context("cannot clear the environment")
}

fn in_root<A: AsRef<OsStr>>(
    root: &Path,
    python: &Path,
    arguments: impl IntoIterator<Item = A>,
) -> std::process::Command {
    command(root, &python.to_string_lossy(), arguments)
}

fn tests(root: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(root.join("sdk-python/tests")).context("no tests")?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("test_") && name.ends_with(".py")
    });
    files.sort();
    Ok(files)
}
