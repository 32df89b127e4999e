//! `cargo xtask soak`: the long counts.

mod fuzz;

use crate::shell::{self, cargo, command};
use crate::test::{leads, python};
use crate::{setup, wasm};
use anyhow::{Result, bail};
use std::path::Path;
use std::time::Instant;

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  cargo xtask soak                                    everything
  cargo xtask soak --list                             what there is
  cargo xtask soak --only fuzz-model --minutes 60     one fuzzer for an hour
  cargo xtask soak --only kills,disk                  a server that is killed, and whose disk fails
  cargo xtask soak --only browser                     Chromium: days offline, and what hints make of a page")]
pub struct Arguments {
    /// Minutes for each fuzzer
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Only entries whose names begin with one of these, parted by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Print the entries and run none
    #[arg(long)]
    list: bool,
}

/// Something that can run for long.
struct Entry {
    name: String,
    about: String,
    work: Work,
}

enum Work {
    /// A fuzzer of `core/fuzz/targets`.
    Fuzz,
    /// A test file, whose counts `RAPPORT_SOAK` turns up.
    Test(&'static str),
}

const TESTS: [(&str, &str, &str); 18] = [
    (
        "browser-hints",
        "20 random visits whose pages score, by hints, as the server does",
        "sdk-js/test/browser/hints.test.mjs",
    ),
    (
        "browser-offline",
        "12 days offline in Chromium, each with a browser that is killed",
        "sdk-js/test/browser/offline.test.mjs",
    ),
    ("disk", "disks that are full or become read-only under load", "backend/tests/disk.rs"),
    (
        "experiences",
        "10,000 visitors for each hundredth of all buckets",
        "core/tests/experiences.rs",
    ),
    (
        "experiments",
        "what holds of every experiment, on random ones: shares that grow, weights, namespaces",
        "core/tests/experiment_properties.rs",
    ),
    (
        "folds",
        "100,000 random histories fold alike, however they are told",
        "core/tests/fold_properties.rs",
    ),
    (
        "histories",
        "150 lives of late, doubled, merged and unmerged events",
        "backend/tests/histories.rs",
    ),
    ("import", "a million events whose import is killed three times", "cli/tests/import_events.rs"),
    (
        "kills",
        "100 kills under load: nothing acknowledged is lost or counted twice, projections are as rebuilt",
        "cli/tests/kills.rs",
    ),
    ("leaves", "bandits that learn segments, in 40 worlds", "core/tests/leaves.rs"),
    ("models", "400,000 damaged model files", "core/tests/model_files.rs"),
    (
        "node",
        "2,000 bundles, one after the other, in one process of Node.js",
        "sdk-js/test/server.test.mjs",
    ),
    ("onnx-damaged", "20,000 damaged copies of each ONNX export", "onnx/tests/damage.rs"),
    (
        "peeking",
        "10,000 experiments without an effect, looked at all the time",
        "core/tests/peeking.rs",
    ),
    ("python", "4,000 rounds of nonsense at the Python engine", "sdk-python/tests/test_hostile.py"),
    (
        "scorers-hostile",
        "80,000 calls of scorers that loop, trap, hoard and lie, from 40 threads",
        "scorer/tests/hostile.rs",
    ),
    ("scorers-mutated", "200,000 modules of random and mutated bytes", "scorer/tests/mutated.rs"),
    ("sealed", "damage to every seventh byte of a sealed day", "backend/tests/sealed_files.rs"),
];

pub fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let mut entries = entries(root)?;
    let wanted = |name: &str| arguments.only.iter().any(|only| name.starts_with(only.as_str()));
    entries.retain(|entry| arguments.only.is_empty() || wanted(&entry.name));
    if entries.is_empty() {
        bail!("no entry begins so; see cargo xtask soak --list");
    }
    if arguments.list {
        entries.iter().for_each(|entry| println!("{:<16} {}", entry.name, entry.about));
        return Ok(());
    }
    let mut failed = Vec::new();
    let fuzzers: Vec<&str> = entries.iter().filter_map(Entry::fuzzer).collect();
    if !fuzzers.is_empty()
        && let Err(error) = fuzz::run(root, &fuzzers, arguments.minutes)
    {
        failed.push(format!("{error:#}"));
    }
    for entry in &entries {
        let Work::Test(file) = entry.work else { continue };
        println!("\n== {}: {}", entry.name, entry.about);
        let start = Instant::now();
        let result = test(root, Path::new(file));
        let verdict = if result.is_ok() { "ok" } else { "FAILED" };
        println!("== {}: {verdict}, {:.0} s", entry.name, start.elapsed().as_secs_f64());
        if let Err(error) = result {
            failed.push(format!("{}: {error:#}", entry.name));
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("; ")) }
}

impl Entry {
    fn fuzzer(&self) -> Option<&str> {
        matches!(self.work, Work::Fuzz).then(|| self.name.trim_start_matches("fuzz-"))
    }
}

fn entries(root: &Path) -> Result<Vec<Entry>> {
    let fuzzers = fuzz::targets(root)?.into_iter().map(|(target, about)| Entry {
        name: format!("fuzz-{target}"),
        about,
        work: Work::Fuzz,
    });
    let tests = TESTS.map(|(name, about, file)| Entry {
        name: name.to_owned(),
        about: about.to_owned(),
        work: Work::Test(file),
    });
    Ok(fuzzers.chain(tests).collect())
}

/// Runs a test file of whatever language with its long counts.
fn test(root: &Path, file: &Path) -> Result<()> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let mut test = match file.extension().unwrap_or_default().to_str() {
        // All of the workspace, so that it is built as `cargo xtask test` builds it.
        Some("rs") => {
            let test = ["test", "--quiet", "--workspace", "--test", &stem];
            cargo(root, test.into_iter().chain(["--", "--nocapture"]))
        }
        Some("mjs") => {
            setup::wasm_target()?;
            setup::npm(&root.join("sdk-js"))?;
            wasm::page(root)?;
            wasm::full(root)?;
            leads::train(root)?;
            let mut node = command(root, "node", ["--test", "--test-timeout=0"]);
            node.arg(file).env("CHROMIUM", setup::chromium()?);
            node.env("RAPPORT", shell::executable(root, "rapport-cli", "rapport")?);
            node
        }
        _ => {
            let python = setup::python(&root.join("sdk-python/tests/sdk-python.txt"))?;
            python::install(root, &python)?;
            let pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider"];
            let mut pytest = command(root, &python.to_string_lossy(), pytest);
            pytest.arg(file);
            pytest
        }
    };
    test.env("RAPPORT_SOAK", "1");
    shell::run(test)
}

#[cfg(test)]
mod tests {
    use super::TESTS;
    use std::path::Path;

    #[test]
    fn every_test_with_a_long_count_is_an_entry() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let folders = [
            "core/tests",
            "backend/tests",
            "cli/tests",
            "onnx/tests",
            "scorer/tests",
            "sdk-js/test",
            "sdk-js/test/browser",
            "sdk-python/tests",
        ];
        let mut long = Vec::new();
        for folder in folders {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file()
                    && std::fs::read(&path).unwrap().windows(12).any(|word| word == b"RAPPORT_SOAK")
                {
                    long.push(format!("{folder}/{}", path.file_name().unwrap().to_string_lossy()));
                }
            }
        }
        let mut entries = TESTS.map(|(_, _, file)| file.to_owned());
        long.sort();
        entries.sort();
        assert_eq!(long, entries);
    }
}
