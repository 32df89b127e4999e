//! `cargo xtask …`: everything a person or CI does with this repository.

mod bench;
mod dev;
mod lint;
mod matrix;
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
#[command(name = "cargo xtask", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build everything and start the demo: backend, two workspaces, a trained model, a website.
    Dev(dev::Arguments),
    /// Run every suite on every host and print the suite × host matrix.
    Test(test::Arguments),
    /// Build what a page downloads, into sdk-js/dist.
    Page(wasm::Arguments),
    /// Run the long counts: fuzzing, kills, simulations.
    Soak(soak::Arguments),
    /// Measure against peers in the same run.
    Bench(bench::Arguments),
    /// Print the bytes of everything that a visitor downloads.
    Size(size::Arguments),
    /// Check the conformance vectors.
    Vectors(vectors::Arguments),
    /// Check format, lints and the invariants of ARCHITECTURE.md.
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
