//! `cargo xtask …`: everything a person or CI does with this repository.

mod bench;
mod dev;
mod edge;
mod lint;
mod matrix;
mod php;
mod setup;
mod shell;
mod size;
mod soak;
mod test;
mod vectors;
mod wasm;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Build, run, test and measure Rapport. Each command sets up what it needs, or says what to install.
#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", max_term_width = 100)]
#[command(after_help = "\
New here? `cargo xtask dev` shows everything at work, `cargo xtask test` checks everything. \
`cargo xtask COMMAND --help` says what a command needs, how long it takes and what it prints.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build everything and start the demo: backend, two workspaces, a trained model, a website
    ///
    /// Installs what is missing, or says how to; takes minutes on a fresh machine, seconds later. Prints
    /// the addresses of two websites and of the live page, and serves until Ctrl-C.
    Dev(dev::Arguments),
    /// Run every suite on every host and print the suite × host matrix
    ///
    /// Hosts are native Rust, WebAssembly in Node.js and in Chromium, PHP and Python. Ends with the line
    /// `N passed, N failed, N skipped`; each skip is named with its reason.
    Test(test::Arguments),
    /// Build what a page downloads, into sdk-js/dist
    Page(wasm::Arguments),
    /// Build the Cloudflare Worker, into edge-worker/dist
    Edge(edge::Arguments),
    /// Build what PHP loads, into sdk-php/lib
    Php(php::Arguments),
    /// Run the long counts: fuzzing, kills, disks that fail, simulations
    ///
    /// First every fuzzer of core/fuzz/targets, two at a time, then the tests that RAPPORT_SOAK=1 makes
    /// count further: about two hours in all. What a fuzzer finds stays in core/fuzz/corpus.
    Soak(soak::Arguments),
    /// Measure against peers in the same run
    ///
    /// Prints one figure a line: name, value, unit, and the peer's figure and ratio from the same run;
    /// docs/benchmarks.md says what each figure is. Machines are noisy: trust ratios, on a quiet machine.
    /// Real data is read from RAPPORT_DATA (../shared/data where unset); Python peers are installed once.
    Bench(bench::Arguments),
    /// Print the bytes of everything that a visitor downloads
    ///
    /// Builds the page first; each file is compressed by brotli as servers do it ahead of time.
    Size(size::Arguments),
    /// Count the conformance cases, or show that they notice when a rule breaks
    ///
    /// Prints how many cases each suite has and what share was worked out by software independent of
    /// core. `cargo xtask test` runs the cases.
    Vectors(vectors::Arguments),
    /// Check format, lints and the invariants of ARCHITECTURE.md
    Lint,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let root = root();
    match command {
        Command::Dev(arguments) => dev::run(&root, &arguments),
        Command::Test(arguments) => test::run(&root, &arguments),
        Command::Page(arguments) => wasm::run(&root, &arguments),
        Command::Edge(arguments) => edge::run(&root, &arguments),
        Command::Php(arguments) => php::run(&root, &arguments),
        Command::Soak(arguments) => soak::run(&root, &arguments),
        Command::Bench(arguments) => bench::run(&root, &arguments),
        Command::Size(arguments) => size::run(&root, &arguments),
        Command::Vectors(arguments) => vectors::run(&root, &arguments),
        Command::Lint => lint::run(&root),
    }
}

/// The project's root: where the workspace's `Cargo.toml` stands. Asked at run time: a compiled
/// xtask may be found again by another checkout that shares the target directory.
fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map(Path::to_path_buf).unwrap_or(here)
}
