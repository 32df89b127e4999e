//! The PHP tests, the conformance cases through PHP's FFI, the package in a clean project, and the
//! plugin in a real WordPress.

use super::node::{Host, conformance, tap};
use super::{Outcome, TIME, counted, twice};
use crate::matrix::{Counts, Matrix};
use crate::php::{Build, library};
use crate::setup;
use crate::shell::{self, command, executable};
use anyhow::Result;
use std::path::Path;

const HOST: &str = "php-ffi";

pub fn run(root: &Path, matrix: &mut Matrix) -> Result<()> {
    if let Err(error) = setup::php() {
        for suite in ["sdk-php", "conformance growthbook"] {
            matrix.skip(suite, HOST, 1, &format!("{error:#}"));
        }
        return Ok(());
    }
    library(root, Build::Quick)?;
    let rapport = executable(root, "rapport-cli", "rapport")?;
    phpunit(root, &rapport, matrix)?;
    let install = command(&root.join("sdk-php"), "sh", ["tests/install.sh"]);
    one("sdk-php in a clean project", install, matrix)?;
    conformance(command(root, "php", ["conformance/run.php"]), HOST, matrix)?;
    let mut over_http = command(root, "php", ["conformance/http.php"]);
    over_http.env("RAPPORT", &rapport);
    conformance(over_http, "php-http", matrix)?;
    wordpress(root, &rapport, matrix)
}

/// The plugin in a real WordPress, with a server and Chromium.
fn wordpress(root: &Path, rapport: &Path, matrix: &mut Matrix) -> Result<()> {
    let suite = "sdk-php wordpress";
    if let Err(error) = setup::wordpress() {
        matrix.skip(suite, Host::Chromium.name(), 1, &format!("{error:#}"));
        return Ok(());
    }
    let file = "sdk-php/wordpress/test/wordpress.test.mjs";
    let mut test = command(root, "node", ["--test", "--test-reporter=tap", file]);
    test.env("RAPPORT", rapport);
    test.env("CHROMIUM", setup::chromium()?);
    tap(test, suite, Host::Chromium.name(), matrix)
}

/// Runs the tests, some of which ask a server; phpunit counts them in the report that it writes.
fn phpunit(root: &Path, rapport: &Path, matrix: &mut Matrix) -> Result<()> {
    let suite = "sdk-php";
    let report = std::env::temp_dir().join(format!("rapport-phpunit-{}.xml", std::process::id()));
    let outcome = twice(suite, HOST, matrix, || {
        let mut test = command(&root.join("sdk-php"), "phpunit", ["--log-junit"]);
        let ended = shell::within(test.arg(&report).env("RAPPORT", rapport), TIME)?;
        let counts = counted(&std::fs::read_to_string(&report).unwrap_or_default());
        let why = format!("{}{}", ended.stdout, ended.stderr);
        Ok(Outcome::of(&ended, counts, why))
    })?;
    let _ = std::fs::remove_file(&report);
    matrix.add(suite, HOST, outcome.counts);
    outcome.print(suite);
    Ok(())
}

/// A program that succeeds or fails.
fn one(suite: &str, mut test: std::process::Command, matrix: &mut Matrix) -> Result<()> {
    let outcome = twice(suite, HOST, matrix, || {
        let ended = shell::within(&mut test, TIME)?;
        let passed = usize::from(ended.success);
        let why = format!("{}{}", ended.stdout, ended.stderr);
        Ok(Outcome::of(&ended, Counts { passed, ..Counts::default() }, why))
    })?;
    matrix.add(suite, HOST, outcome.counts);
    outcome.print(suite);
    Ok(())
}
