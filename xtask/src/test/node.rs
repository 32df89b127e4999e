//! The JavaScript tests and the conformance cases, in node and in Chromium.

use super::{Outcome, TIME, brought, twice};
use crate::matrix::{Counts, Matrix};
use crate::setup;
use crate::shell::{self, command, executable};
use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Clone, Copy, PartialEq)]
pub enum Host {
    Node,
    Chromium,
}

impl Host {
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Chromium => "chromium",
        }
    }
}

pub fn run(root: &Path, host: Host, matrix: &mut Matrix) -> Result<()> {
    let folder = match host {
        Host::Node => root.join("sdk-js/test"),
        Host::Chromium => root.join("sdk-js/test/browser"),
    };
    let chromium = match host {
        Host::Node => None,
        Host::Chromium => Some(setup::chromium()?),
    };
    if host == Host::Chromium {
        setup::firefox();
    }
    let rapport = executable(root, "rapport-cli", "rapport")?;
    let with_host = |mut command: Command| {
        if let Some(path) = &chromium {
            command.env("CHROMIUM", path);
        }
        command.env("RAPPORT", &rapport).env("BROUGHT", brought::folder(root));
        command
    };
    for file in tests(&folder)? {
        let (test, suite) = sdk_test(root, &file);
        tap(with_host(test), &suite, host.name(), matrix)?;
    }
    let runner = command(root, "node", ["conformance/run.mjs", "--host", host.name()]);
    conformance(with_host(runner), host.name(), matrix)
}

/// OpenFeature's scenarios in JavaScript.
pub fn openfeature(root: &Path, matrix: &mut Matrix) -> Result<()> {
    for file in tests(&root.join("sdk-js/test"))? {
        let (test, suite) = sdk_test(root, &file);
        if suite.contains("openfeature") {
            tap(test, &suite, Host::Node.name(), matrix)?;
        }
    }
    Ok(())
}

/// How a test file of the SDK is run, and what the matrix calls it.
fn sdk_test(root: &Path, file: &Path) -> (Command, String) {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let suite = format!("sdk-js {}", name.trim_end_matches(".test.mjs"));
    let mut test = command(root, "node", ["--test", "--test-reporter=tap"]);
    test.arg(file);
    (test, suite)
}

/// The test files in a folder.
fn tests(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.to_string_lossy().ends_with(".test.mjs"))
        .collect();
    files.sort();
    Ok(files)
}

/// Runs one test file and counts what its TAP summary says.
pub fn tap(mut command: Command, suite: &str, host: &str, matrix: &mut Matrix) -> Result<()> {
    let outcome = twice(suite, host, matrix, || {
        let ended = shell::within(&mut command, TIME)?;
        let text = &ended.stdout;
        let mut counts = Counts {
            passed: summary(text, "# pass "),
            failed: summary(text, "# fail ") + summary(text, "# cancelled "),
            skipped: 0,
        };
        let ran = counts.passed + counts.failed + summary(text, "# skipped ") > 0;
        counts.failed = counts.failed.max(usize::from(!ran));
        let why = if ran { not_ok(text) } else { text.clone() } + &ended.stderr;
        Ok(Outcome::of(&ended, counts, why))
    })?;
    for line in outcome.said.lines() {
        if let Some((name, reason)) = line.split_once("# SKIP") {
            matrix.skip(suite, host, 1, &format!("{}:{reason}", name.trim()));
        }
    }
    matrix.add(suite, host, outcome.counts);
    outcome.print(suite);
    Ok(())
}

/// The number behind a word of TAP's summary.
fn summary(text: &str, word: &str) -> usize {
    let line = text.lines().rev().find_map(|line| line.strip_prefix(word));
    line.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// Only the tests that failed, each with what it says of the reason.
fn not_ok(text: &str) -> String {
    let mut failing = false;
    let lines = text.lines().filter(|line| {
        let line = line.trim_start();
        if line.starts_with("not ok ") {
            failing = true;
        } else if line.starts_with("ok ") || line.starts_with("# ") {
            failing = false;
        }
        failing
    });
    lines.fold(String::new(), |all, line| all + line + "\n")
}

/// Runs the conformance cases; each line of output is `suite host passed failed skipped`.
pub fn conformance(mut command: Command, host: &str, matrix: &mut Matrix) -> Result<()> {
    let ended = shell::within(&mut command, TIME)?;
    let text = &ended.stdout;
    let mut rows = 0;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [suite, name, counts @ ..] = words.as_slice() else { continue };
        let counts: Vec<usize> = counts.iter().filter_map(|word| word.parse().ok()).collect();
        if let (true, [passed, failed, skipped]) = (*name == host, counts.as_slice()) {
            let suite = format!("conformance {suite}");
            matrix.add(&suite, host, Counts { passed: *passed, failed: *failed, skipped: 0 });
            if *skipped > 0 {
                matrix.skip(&suite, host, *skipped, "see the runner's output above");
            }
            rows += 1;
        }
    }
    println!("{text}");
    if !ended.success || rows == 0 {
        println!("{}", ended.stderr);
    }
    if rows == 0 || ended.late {
        matrix.add("conformance", host, Counts { failed: 1, ..Counts::default() });
    }
    Ok(())
}
