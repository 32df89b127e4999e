//! The edge, on both of its hosts: the same tests and cases, whoever carries it.

use super::brought;
use super::node::{conformance, tap};
use crate::edge::{Build, worker};
use crate::matrix::Matrix;
use crate::setup;
use crate::shell::{command, executable};
use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// The suites, files below `edge-worker/test`.
const SUITES: [&str; 6] = ["edge", "events", "page", "profile", "faults", "frames"];

pub fn run(root: &Path, matrix: &mut Matrix) -> Result<()> {
    let folder = root.join("edge-worker");
    setup::npm(&folder)?;
    let rapport = executable(root, "rapport-cli", "rapport")?;
    let modules = worker(root, Build::Testing)?;
    let workerd = command(&folder, "node_modules/.bin/workerd", ["--version"]).output();
    let chromium = setup::chromium()?;
    let runs = workerd.is_ok_and(|output| output.status.success());
    for host in ["axum", "workerd"] {
        if host == "workerd" && !runs {
            matrix.skip("edge", host, 1, "workerd does not run on this machine");
            continue;
        }
        let with_host = |mut command: Command| {
            command.env("EDGE", host).env("RAPPORT", &rapport).env("WORKER", &modules);
            command.env("CHROMIUM", &chromium);
            command
        };
        for suite in SUITES {
            let mut test = command(root, "node", ["--test", "--test-reporter=tap"]);
            test.arg(folder.join(format!("test/{suite}.test.mjs")));
            tap(with_host(test), suite, host, matrix)?;
        }
        if host == "workerd" {
            let mut test = command(root, "node", ["--test", "--test-reporter=tap"]);
            test.arg(folder.join("test/deploy.test.mjs"));
            tap(with_host(test), "deploy", host, matrix)?;
            let mut test = command(root, "node", ["--test", "--test-reporter=tap"]);
            test.arg(folder.join("test/onnx.test.mjs")).env("BROUGHT", brought::folder(root));
            tap(with_host(test), "onnx", host, matrix)?;
        }
        conformance(with_host(command(root, "node", ["conformance/edge.mjs"])), host, matrix)?;
    }
    Ok(())
}
