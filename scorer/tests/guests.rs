//! The example scorers, built as their pages say, score as the model does natively.
#![allow(clippy::unwrap_used)]

mod guest;

#[path = "../../examples/scorers/rust/src/model.rs"]
mod model;

use rapport_core::scoring::Scorer;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Rows on every side of every threshold, missing values among them.
fn rows() -> Vec<[f64; 3]> {
    let visits = [f64::NAN, 0.0, 2.0, 3.0, 9.0, 10.0, 1e300];
    let first_visits = [f64::NAN, -1.0, 20453.0, 20454.0, 21000.0];
    let countries = [f64::NAN, 0.0, 1.0, 2.0];
    let mut rows = Vec::new();
    for visits in visits {
        for first_visit in first_visits {
            rows.extend(countries.map(|country| [visits, first_visit, country]));
        }
    }
    rows
}

fn scores_as_the_model(file: &Path) {
    let sandbox = guest::sandbox();
    let scorer = sandbox.open(&std::fs::read(file).unwrap(), 3).unwrap();
    for row in rows() {
        let natively = model::probability(&row);
        assert_eq!(scorer.probability(&row).unwrap().to_bits(), natively.to_bits(), "{row:?}");
    }
}

fn example(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/scorers").join(language)
}

fn build(command: &mut Command) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn the_rust_example_scores_as_natively() {
    const TARGET: &str = "wasm32-unknown-unknown";
    let mut library = Command::new("rustc");
    let library = library.args(["--print", "target-libdir", "--target", TARGET]).output().unwrap();
    if !Path::new(String::from_utf8_lossy(&library.stdout).trim()).is_dir() {
        println!("SKIPPED no WebAssembly target: rustup target add {TARGET}");
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--release", "--target", TARGET]).current_dir(example("rust"));
    build(cargo.env("CARGO_TARGET_DIR", &folder).env_remove("RUSTFLAGS"));
    scores_as_the_model(&folder.join(TARGET).join("release/lead_odds.wasm"));
}

#[test]
fn the_assemblyscript_example_scores_as_natively() {
    let folder = example("assemblyscript");
    if !folder.join("node_modules/assemblyscript").is_dir() {
        println!("SKIPPED no AssemblyScript: npm ci in examples/scorers/assemblyscript");
        return;
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lead-odds.wasm");
    let mut npm = Command::new("npm");
    build(npm.args(["run", "build", "--silent", "--"]).arg(&file).current_dir(folder));
    scores_as_the_model(&file);
}
