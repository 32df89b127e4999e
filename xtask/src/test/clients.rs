//! Other people's libraries against a server of ours.

use super::node::{Host, tap};
use crate::matrix::Matrix;
use crate::setup;
use crate::shell::{command, executable};
use anyhow::Result;
use std::path::Path;

/// A suite, its test, and the Python packages that it may use.
const SUITES: [(&str, &str, &str); 2] = [
    ("segment's libraries", "segment.test.mjs", "segment.txt"),
    ("flag clients", "flags.test.mjs", "flags.txt"),
];

pub fn run(root: &Path, matrix: &mut Matrix) -> Result<()> {
    let folder = root.join("backend/tests/clients");
    setup::npm(&folder)?;
    let rapport = executable(root, "rapport-cli", "rapport")?;
    for (suite, file, packages) in SUITES {
        let file = folder.join(file);
        let reporter = ["--test", "--test-reporter=tap"];
        let mut test =
            command(root, "node", reporter.iter().map(Path::new).chain([file.as_path()]));
        test.env("RAPPORT", &rapport);
        match setup::python(&folder.join(packages)) {
            Ok(python) => _ = test.env("PYTHON", python),
            Err(error) => println!("no Python for the suite {suite}: {error:#}"),
        }
        tap(test, suite, Host::Node.name(), matrix)?;
    }
    Ok(())
}
