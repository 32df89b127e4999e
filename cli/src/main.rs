//! The `rapport` binary: one subcommand a file under `commands/`.

mod commands;
#[cfg(feature = "serve")]
mod demo;
mod output;
mod progress;
mod scoring;
mod table;
mod threads;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A server allocates on many threads for weeks: what one frees another uses, and what nobody needs
/// goes back.
#[cfg(feature = "serve")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Scores leads and visitors, and says why.
#[derive(Parser)]
#[command(name = "rapport", version, arg_required_else_help = true)]
#[command(after_help = "\
From a table of past leads to scores, with reasons:
  rapport train --input leads.csv --target Converted --out leads.rpm
  rapport score --model leads.rpm --input new.csv --out scores.csv --explain

`rapport COMMAND --help` shows more examples. Tables are CSV files as people have them: encoding, \
separator, dates, decimal marks and words for \"missing\" are found out.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(commands::train::Args),
    Score(commands::score::Args),
    Evaluate(commands::evaluate::Args),
    Import(commands::import::Args),
    Bundle(commands::bundle::Args),
    #[cfg(feature = "serve")]
    Model(commands::model::Args),
    #[cfg(feature = "serve")]
    Serve(commands::serve::Args),
    #[cfg(feature = "serve")]
    Edge(commands::edge::Args),
    #[cfg(feature = "serve")]
    Demo(commands::demo::Args),
    #[cfg(feature = "serve")]
    Log(commands::log::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Train(args) => commands::train::run(args),
        Command::Score(args) => commands::score::run(args),
        Command::Evaluate(args) => commands::evaluate::run(args),
        Command::Import(args) => commands::import::run(args),
        Command::Bundle(args) => commands::bundle::run(args),
        #[cfg(feature = "serve")]
        Command::Model(args) => commands::model::run(args),
        #[cfg(feature = "serve")]
        Command::Serve(args) => commands::serve::run(args),
        #[cfg(feature = "serve")]
        Command::Edge(args) => commands::edge::run(args),
        #[cfg(feature = "serve")]
        Command::Demo(args) => commands::demo::run(args),
        #[cfg(feature = "serve")]
        Command::Log(args) => commands::log::run(args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rapport: {error}");
            ExitCode::FAILURE
        }
    }
}
