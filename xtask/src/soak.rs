//! `cargo xtask soak`: the long counts.

use crate::shell::{self, cargo};
use crate::{setup, wasm};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// LLVM's coverage pass, which libFuzzer reads; works on the stable compiler.
const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// What fuzzing builds for: named, so that build scripts stay free of the coverage pass.
const TARGET: &str = "x86_64-unknown-linux-gnu";

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  cargo xtask soak                               everything
  cargo xtask soak --only model --minutes 60     one fuzzer for an hour
  cargo xtask soak --only test                   the long counts of the tests, no fuzzing
  cargo xtask soak --only browser                days offline in Chromium, and what hints make of a page")]
pub struct Arguments {
    /// Minutes for each decoder
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Only fuzzers whose name contains this; `test` and `browser` are the long counts of the tests
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    only: String,
}

pub fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let mut failed = Vec::new();
    if let Err(error) = fuzz(root, arguments) {
        failed.push(format!("{error:#}"));
    }
    if arguments.only.is_empty() || arguments.only.contains("test") {
        println!("== long counts of the tests");
        let mut tests = cargo(root, ["test", "--quiet", "--workspace"]);
        tests.env("RAPPORT_SOAK", "1");
        if let Err(error) = shell::run(tests) {
            failed.push(format!("{error:#}"));
        }
    }
    if arguments.only.is_empty() || arguments.only.contains("browser") {
        println!("== long counts in Chromium");
        if let Err(error) = browser(root) {
            failed.push(format!("{error:#}"));
        }
    }
    if failed.is_empty() {
        return Ok(());
    }
    bail!("{}", failed.join("; "))
}

/// Pages of the SDK at the real server, for a quarter of an hour each.
fn browser(root: &Path) -> Result<()> {
    setup::wasm_target()?;
    setup::npm(&root.join("sdk-js"))?;
    wasm::page(root)?;
    let files = ["offline", "hints"].map(|name| format!("sdk-js/test/browser/{name}.test.mjs"));
    let options = ["--test", "--test-concurrency=1"].map(str::to_owned);
    let mut tests = shell::command(root, "node", options.into_iter().chain(files));
    tests.env("CHROMIUM", setup::chromium()?).env("RAPPORT_SOAK", "1");
    shell::run(tests)
}

/// Runs every fuzzer for its minutes, two at a time, and prints how much each tried.
fn fuzz(root: &Path, arguments: &Arguments) -> Result<()> {
    let folder = root.join("core/fuzz");
    let mut build = cargo(&folder, ["build", "--quiet", "--release", "--target", TARGET]);
    build.env("RUSTFLAGS", COVERAGE).env_remove("CARGO_TARGET_DIR");
    shell::run(build)?;
    seed(root, &folder)?;
    let seconds = (arguments.minutes * 60.0).ceil() as u64;
    let mut failed = Vec::new();
    let names: Vec<String> =
        targets(&folder)?.into_iter().filter(|name| name.contains(&arguments.only)).collect();
    for pair in names.chunks(2) {
        let started: Vec<_> = pair.iter().map(|name| start(&folder, name, seconds)).collect();
        for (name, child) in pair.iter().zip(started) {
            let status = child?.wait().context("a fuzzer was lost")?;
            let log = std::fs::read(log_of(&folder, name)).context("a fuzzer left no log")?;
            let log = String::from_utf8_lossy(&log);
            let runs = log
                .lines()
                .rev()
                .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
            let tried = runs.unwrap_or("?").trim();
            if status.success() {
                println!("fuzz {name:<12} {tried:>12} inputs in {seconds} s, no fault");
            } else {
                let fault = log.find("panicked at").or_else(|| log.find("ERROR:")).unwrap_or(0);
                println!("fuzz {name:<12} FAILED after {tried} inputs: {}", &log[fault..]);
                failed.push(name.clone());
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("fuzzing found faults in: {}", failed.join(", ")) }
}

/// Starts the fuzzers from the models of the conformance cases: unsealed, as the targets seal what
/// they try, and foreign ones behind a byte that says whose they are.
fn seed(root: &Path, folder: &Path) -> Result<()> {
    for entry in std::fs::read_dir(root.join("conformance/models")).context("no models")? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        let bytes = std::fs::read(&path)?;
        let extension = path.extension().unwrap_or_default();
        let (target, input) = match extension.to_str() {
            Some("rpm") => ("model", bytes[..bytes.len().saturating_sub(4)].to_vec()),
            Some("txt") => ("import", [&[0], bytes.as_slice()].concat()),
            Some("json") => ("import", [&[1], bytes.as_slice()].concat()),
            Some("onnx") => ("import", [&[2], bytes.as_slice()].concat()),
            _ => continue,
        };
        let corpus = folder.join("corpus").join(target);
        std::fs::create_dir_all(&corpus)?;
        let seed = corpus.join(name);
        if std::fs::read(&seed).is_ok_and(|kept| kept == input) {
            continue;
        }
        std::fs::write(seed, input)?;
    }
    Ok(())
}

fn targets(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder.join("targets")).context("no fuzz targets")? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

fn start(folder: &Path, name: &str, seconds: u64) -> std::io::Result<std::process::Child> {
    let corpus = folder.join("corpus").join(name);
    std::fs::create_dir_all(&corpus)?;
    let mut fuzzer = Command::new(folder.join("target").join(TARGET).join("release").join(name));
    fuzzer.arg(&corpus).args(["-max_len=200000", "-timeout=10", "-print_final_stats=1"]);
    fuzzer.arg(format!("-max_total_time={seconds}"));
    fuzzer.arg(format!("-artifact_prefix={}/", corpus.display()));
    // A file, not a pipe: a pipe that nobody reads would stop the second fuzzer of a pair.
    let log = std::fs::File::create(log_of(folder, name))?;
    fuzzer.stdout(std::process::Stdio::null()).stderr(log).spawn()
}

fn log_of(folder: &Path, name: &str) -> std::path::PathBuf {
    folder.join("corpus").join(format!("{name}.log"))
}
