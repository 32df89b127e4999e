//! `rapport demo`: everything at once, on this machine.

use super::{Outcome, serve};
use crate::demo::Demo;
use std::path::PathBuf;

/// Train a model and serve two demo websites with it
///
/// Without --data the model learns from simulated visitors of the demo's website. With --data it
/// learns from a table of real leads, whose columns a mapping turns into the demo's signals.
#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  rapport demo
  rapport demo --data leads.csv --mapping mapping.json --dir /tmp/demo --port 5500

Run it in the project's folder, or say where things are; `cargo xtask dev` builds and does both.")]
pub struct Args {
    /// Where everything is kept; made where missing
    #[arg(long, default_value = "data")]
    dir: PathBuf,
    /// Train on these leads (CSV)
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Which of their columns is which signal; SIGNALS/xeducation-mapping.json where left out
    #[arg(long, value_name = "FILE", requires = "data")]
    mapping: Option<PathBuf>,
    /// What the SDK's build wrote
    #[arg(long, value_name = "DIR", default_value = "sdk-js/dist")]
    sdk_dir: PathBuf,
    /// The website's layout and pages
    #[arg(long, value_name = "DIR", default_value = "examples/demo-site")]
    site: PathBuf,
    /// Folder of signals.json
    #[arg(long, value_name = "DIR", default_value = "examples/demo")]
    signals: PathBuf,
    /// Port of the server; the websites take the two behind it. 0 takes any
    #[arg(long, default_value_t = 4400, value_parser = clap::value_parser!(u16).range(..=65533))]
    port: u16,
}

/// Serves until it is told to stop.
pub fn run(args: Args) -> Outcome {
    serve::log_to_stderr();
    let mapping = args.mapping.unwrap_or_else(|| args.signals.join("xeducation-mapping.json"));
    let demo = Demo {
        data: args.dir,
        sdk: args.sdk_dir,
        site: args.site,
        signals: args.signals,
        leads: args.data.map(|leads| (leads, mapping)),
        port: args.port,
    };
    serve::runtime()?.block_on(demo.run(serve::stopped()))
}
