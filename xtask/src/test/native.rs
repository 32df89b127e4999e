//! The Rust tests of all crates, one row a test program.

use super::{Outcome, TIME, twice};
use crate::matrix::{Counts, Matrix};
use crate::setup;
use crate::shell::{self, Ended, cargo};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const HOST: &str = "native";

pub fn run(root: &Path, matrix: &mut Matrix) -> Result<()> {
    let programs = build(root)?;
    slowest_crates(root);
    let python = setup::python(&root.join("backend/tests/clients/parquet.txt"));
    if let Err(error) = &python {
        println!("no Python that reads Parquet: {error:#}");
    }
    if let Err(error) = setup::npm(&root.join("examples/scorers/assemblyscript")) {
        println!("no AssemblyScript: {error:#}");
    }
    for program in &programs {
        let outcome = twice(&program.suite, HOST, matrix, || {
            let mut test = Command::new(&program.path);
            if let Ok(python) = &python {
                test.env("RAPPORT_PYTHON", python);
            }
            test.arg("--show-output").current_dir(&program.folder);
            test.env("CARGO_MANIFEST_DIR", &program.folder);
            Ok(outcome(&shell::within(&mut test, TIME)?))
        })?;
        report(program, &outcome, matrix);
    }
    Ok(())
}

struct Program {
    suite: String,
    path: PathBuf,
    folder: PathBuf,
}

/// Builds all test programs of the workspace with one profile and one feature set.
fn build(root: &Path) -> Result<Vec<Program>> {
    let mut command =
        cargo(root, ["test", "--workspace", "--no-run", "--timings", "--message-format=json"]);
    command.stderr(Stdio::inherit());
    let output = command.output().context("cannot start cargo")?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut programs = Vec::new();
    for line in messages.lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
        if let Some(text) = message["message"]["rendered"].as_str() {
            eprint!("{text}");
        }
        let (Some(path), true) =
            (message["executable"].as_str(), message["profile"]["test"] == true)
        else {
            continue;
        };
        let manifest = PathBuf::from(message["manifest_path"].as_str().unwrap_or_default());
        let folder = manifest.parent().map(Path::to_path_buf).unwrap_or_default();
        let target = message["target"]["name"].as_str().unwrap_or_default();
        let unit = message["target"]["kind"][0] != "test";
        let package = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let suite = if unit { package } else { format!("{package} {target}") };
        programs.push(Program { suite, path: path.into(), folder });
    }
    if !output.status.success() {
        bail!("the tests do not build");
    }
    programs.sort_by(|a, b| a.suite.cmp(&b.suite));
    Ok(programs)
}

/// What a test program's output and end say.
fn outcome(ended: &Ended) -> Outcome {
    let said = &ended.stdout;
    let mut counts = Counts::default();
    for result in said.lines().filter_map(|line| line.strip_prefix("test result: ")) {
        counts.passed += number_before(result, " passed");
        counts.failed += number_before(result, " failed");
    }
    let skips = said.lines().filter(|line| line.starts_with("SKIPPED ")).count();
    counts.passed = counts.passed.saturating_sub(skips);
    // The successes' output comes first; a program that was killed says nothing of failures.
    let failures = said.find("\nfailures:").unwrap_or(0);
    let why = format!("{}{}", &said[failures..], ended.stderr);
    Outcome::of(ended, counts, why)
}

fn report(program: &Program, outcome: &Outcome, matrix: &mut Matrix) {
    let lines = || outcome.said.lines();
    for line in lines().filter_map(|line| line.strip_prefix("CASES ")) {
        if let Some((suite, cases)) = line.split_once(' ') {
            let passed = cases.parse().unwrap_or(0);
            let counts = Counts { passed, ..Counts::default() };
            matrix.add(&format!("conformance {suite}"), HOST, counts);
        }
    }
    let skips = lines().filter_map(|line| line.strip_prefix("SKIPPED "));
    let ignored = lines().filter(|line| line.starts_with("test ") && line.contains(" ... ignored"));
    for reason in skips.chain(ignored) {
        matrix.skip(&program.suite, HOST, 1, reason);
    }
    matrix.add(&program.suite, HOST, outcome.counts);
    outcome.print(&program.suite);
}

fn number_before(text: &str, word: &str) -> usize {
    let end = text.find(word).unwrap_or(0);
    let digits: Vec<char> = text[..end].chars().rev().take_while(char::is_ascii_digit).collect();
    digits.into_iter().rev().collect::<String>().parse().unwrap_or(0)
}

/// Prints what compiling cost, from the report that cargo wrote.
fn slowest_crates(root: &Path) {
    let Some(mut units) = timings(root) else { return };
    units.sort_by(|a, b| b.1.total_cmp(&a.1));
    let all: f64 = units.iter().map(|unit| unit.1).sum();
    if all < 1.0 {
        return;
    }
    let listed: Vec<String> =
        units.iter().take(8).map(|(name, seconds)| format!("{name} {seconds:.0} s")).collect();
    println!(
        "compiled {} units in {all:.0} s of work; slowest: {}",
        units.len(),
        listed.join(", ")
    );
}

fn timings(root: &Path) -> Option<Vec<(String, f64)>> {
    let metadata = shell::capture(cargo(root, ["metadata", "--no-deps", "--format-version", "1"]));
    let metadata: Value = serde_json::from_str(&metadata.ok()?).ok()?;
    let target = Path::new(metadata["target_directory"].as_str()?);
    let page = std::fs::read_to_string(target.join("cargo-timings/cargo-timing.html")).ok()?;
    let start = page.find("UNIT_DATA = ")? + "UNIT_DATA = ".len();
    let units: Vec<Value> =
        serde_json::Deserializer::from_str(&page[start..]).into_iter().next()?.ok()?;
    units
        .iter()
        .map(|unit| Some((unit["name"].as_str()?.to_string(), unit["duration"].as_f64()?)))
        .collect()
}
