//! Other people's libraries against a server of ours.

use super::node::{Host, tap, tests};
use crate::matrix::Matrix;
use crate::setup;
use crate::shell::{command, executable};
use anyhow::Result;
use std::path::Path;

const SUITE: &str = "segment's libraries";

pub fn run(root: &Path, matrix: &mut Matrix) -> Result<()> {
    let folder = root.join("backend/tests/clients");
    setup::npm(&folder)?;
    let rapport = executable(root, "rapport-cli", "rapport")?;
    let python = setup::python(&folder.join("segment.txt"));
    if let Err(error) = &python {
        println!("no Python for the suite {SUITE}: {error:#}");
    }
    for file in tests(&folder)? {
        let reporter = ["--test", "--test-reporter=tap"];
        let mut test =
            command(root, "node", reporter.iter().map(Path::new).chain([file.as_path()]));
        test.env("RAPPORT", &rapport);
        if let Ok(python) = &python {
            test.env("PYTHON", python);
        }
        tap(test, SUITE, Host::Node, matrix)?;
    }
    Ok(())
}
