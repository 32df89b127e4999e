//! The fuzzers of `core/fuzz/targets`, one a decoder.

use crate::shell::{self, cargo};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// LLVM's coverage pass, which libFuzzer reads; works on the stable compiler.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// What fuzzing builds for: named, so that build scripts stay free of the coverage pass.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The fuzzers that there are, and the first line of what each says of itself; in order.
pub fn targets(root: &Path) -> Result<Vec<(String, String)>> {
    let mut targets = Vec::new();
    for entry in std::fs::read_dir(root.join("core/fuzz/targets")).context("no fuzz targets")? {
        let path = entry?.path();
        let source = std::fs::read_to_string(&path)?;
        let about = source.lines().find_map(|line| line.strip_prefix("//! ")).unwrap_or_default();
        let target = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        targets.push((target, about.to_owned()));
    }
    targets.sort();
    Ok(targets)
}

/// Runs fuzzers for some minutes each, two at a time, and prints how much each tried.
pub fn run(root: &Path, targets: &[&str], minutes: f64) -> Result<()> {
    let folder = root.join("core/fuzz");
    let mut build = cargo(&folder, ["build", "--quiet", "--release", "--target", TARGET]);
    build.env("RUSTFLAGS", COVERAGE).env_remove("CARGO_TARGET_DIR");
    shell::run(build)?;
    seed(root, &folder)?;
    let seconds = (minutes * 60.0).ceil() as u64;
    let mut failed = Vec::new();
    for pair in targets.chunks(2) {
        let started: Vec<_> = pair.iter().map(|target| start(&folder, target, seconds)).collect();
        for (target, child) in pair.iter().zip(started) {
            let status = child?.wait().context("a fuzzer was lost")?;
            let log = std::fs::read(log_of(&folder, target)).context("a fuzzer left no log")?;
            let log = String::from_utf8_lossy(&log);
            let runs = log
                .lines()
                .rev()
                .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
            let tried = runs.unwrap_or("?").trim();
            if status.success() {
                println!("fuzz-{target:<11} {tried:>12} inputs in {seconds} s, no fault");
            } else {
                let fault = log.find("panicked at").or_else(|| log.find("ERROR:")).unwrap_or(0);
                println!("fuzz-{target:<11} FAILED after {tried} inputs: {}", &log[fault..]);
                failed.push(*target);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("fuzzing found faults in: {}", failed.join(", ")) }
}

/// Starts the fuzzers from what the conformance cases hold: models unsealed, as the targets seal what
/// they try, foreign ones behind a byte that says whose they are, and payloads of features.
fn seed(root: &Path, folder: &Path) -> Result<()> {
    let keep = |target: &str, name: &str, input: &[u8]| -> Result<()> {
        let corpus = folder.join("corpus").join(target);
        std::fs::create_dir_all(&corpus)?;
        let seed = corpus.join(name);
        if !std::fs::read(&seed).is_ok_and(|kept| kept == input) {
            std::fs::write(seed, input)?;
        }
        Ok(())
    };
    for entry in std::fs::read_dir(root.join("conformance/models")).context("no models")? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let bytes = std::fs::read(&path)?;
        let foreign = |whose: u8| keep("import", &name, &[&[whose], bytes.as_slice()].concat());
        match path.extension().unwrap_or_default().to_str() {
            Some("rpm") => keep("model", &name, &bytes[..bytes.len().saturating_sub(4)])?,
            Some("txt") => foreign(0)?,
            Some("json") => foreign(1)?,
            Some("onnx") => foreign(2)?,
            _ => {}
        }
    }
    let suite = std::fs::read(root.join("conformance/suites/growthbook/cases.json"))?;
    let suite: serde_json::Value = serde_json::from_slice(&suite)?;
    for kind in ["feature", "stickyBucket", "contextualBandit", "urlRedirect"] {
        for (number, case) in suite[kind].as_array().into_iter().flatten().enumerate() {
            keep("payload", &format!("{kind}-{number}"), case[1].to_string().as_bytes())?;
        }
    }
    Ok(())
}

fn start(folder: &Path, target: &str, seconds: u64) -> std::io::Result<Child> {
    let corpus = folder.join("corpus").join(target);
    std::fs::create_dir_all(&corpus)?;
    let mut fuzzer = Command::new(folder.join("target").join(TARGET).join("release").join(target));
    fuzzer.arg(&corpus).args(["-max_len=200000", "-timeout=10", "-print_final_stats=1"]);
    fuzzer.arg(format!("-max_total_time={seconds}"));
    fuzzer.arg(format!("-artifact_prefix={}/", corpus.display()));
    // A file, not a pipe: a pipe that nobody reads would stop the second fuzzer of a pair.
    let log = std::fs::File::create(log_of(folder, target))?;
    fuzzer.stdout(Stdio::null()).stderr(log).spawn()
}

fn log_of(folder: &Path, target: &str) -> PathBuf {
    folder.join("corpus").join(format!("{target}.log"))
}
