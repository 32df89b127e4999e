//! `cargo xtask size`: bytes that a visitor downloads.

use crate::bench::{Figure, report};
use crate::{lint, setup, wasm};
use anyhow::{Context, Result};
use brotli::CompressorWriter;
use std::io::Write;
use std::path::Path;

#[derive(clap::Args)]
#[command(after_long_help = "\
Example:
  cargo xtask size --json --save    one JSON object a line, and kept in docs/figures.json")]
pub struct Arguments {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Keep the figures in docs/figures.json
    #[arg(long)]
    save: bool,
}

/// Figure and files in `sdk-js/dist`; each file is compressed as servers do it ahead of time.
const FILES: [(&str, &[&str]); 9] = [
    ("wasm_engine_brotli", &["rapport_bg.wasm"]),
    // Where there are features and experiments.
    ("wasm_flags_brotli", &["flags_bg.wasm"]),
    // What every page runs to track; parts for some pages only are not in it.
    ("tracker_js_brotli", &["page-track.js"]),
    // All that a first page fetches: how the visit came, who sent forms, and the score.
    ("tracker_js_total_brotli", &["page-score.js", "forms.js"]),
    // All code of a page that is personalized, but for the engines.
    ("page_js_brotli", &["page-show.js"]),
    // Features, experiments, changes of the page and what is remembered of them.
    ("sdk_js_brotli", &["personalize.js"]),
    ("loader_js_brotli", &["loader.js"]),
    ("scoring_js_brotli", &["scoring.js"]),
    ("inspector_js_brotli", &["inspector.js"]),
];

pub fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    setup::wasm_target()?;
    setup::npm(&root.join("sdk-js"))?;
    wasm::page(root)?;
    lint::page_holds_no_json(root)?;
    let mut figures = Vec::new();
    for (name, files) in FILES {
        let mut sum = 0;
        for file in files {
            let path = root.join("sdk-js/dist").join(file);
            let bytes =
                std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            sum += compressed(&bytes)?;
        }
        figures.push(Figure::alone("size", name, sum as f64, "bytes"));
    }
    report(root, &figures, arguments.json, arguments.save)
}

/// Length after Brotli at its best.
fn compressed(bytes: &[u8]) -> Result<usize> {
    let mut compressor = CompressorWriter::new(Vec::new(), 1 << 16, 11, 22);
    compressor.write_all(bytes)?;
    compressor.flush()?;
    Ok(compressor.into_inner().len())
}
