//! `cargo xtask bench`: figures beside peers measured in the same run.

mod bandits;
mod collect;
mod decide;
mod dev;
mod edge;
mod models;
mod page;
mod peers;
mod score;
mod train;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

#[derive(clap::Args)]
#[command(after_long_help = "\
Examples:
  cargo xtask bench score                  scoring and explaining, two minutes
  cargo xtask bench score --json --save    one JSON object a line, and kept in docs/figures.json
  cargo xtask bench train --sets bank      one data set of three")]
pub struct Arguments {
    /// Which suite; score, page and train where left out
    suite: Option<Suite>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// Keep the figures in docs/figures.json
    #[arg(long)]
    save: bool,
    /// Only these data sets of the suite `train`, parted by commas
    #[arg(long, value_name = "SETS", default_value = "xeducation,shoppers,bank")]
    sets: String,
    /// The suite `collect` on a small store, for seconds: tells what broke, not how fast it is
    #[arg(long)]
    small: bool,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Suite {
    /// One row's score and explanation, in WebAssembly and natively, beside LightGBM and shap
    Score,
    /// `rapport train` beside LightGBM, XGBoost, CatBoost and perpetual on the same folds: half an hour
    Train,
    /// From an event to the new score on the screen, in Chromium
    Page,
    /// The server under load, on a store of 20 million events: takes half an hour, so only on request
    Collect,
    /// Features and experiments on every host, beside other SDKs: minutes, so only on request
    Decide,
    /// The edge in raw workerd and in Chromium: ten minutes, so only on request
    Edge,
    /// What learning costs, beside mabwiser and Vowpal Wabbit in the same worlds: ten minutes, so only on request
    Bandits,
    /// Models that customers bring: ONNX beside onnxruntime; a minute, only on request
    Models,
    /// A fresh clone with empty caches: takes minutes, so only on request
    Dev,
}

/// One measured figure, and the peer's from the same run.
pub struct Figure {
    pub suite: &'static str,
    pub name: String,
    pub value: f64,
    pub unit: &'static str,
    /// The peer's name and figure.
    pub peer: Option<(String, f64)>,
    /// Ours against the peer's; the sense is said in `docs/benchmarks.md`.
    pub ratio: Option<f64>,
}

impl Figure {
    /// A figure that has no peer.
    pub fn alone(suite: &'static str, name: &str, value: f64, unit: &'static str) -> Self {
        Self { suite, name: name.into(), value, unit, peer: None, ratio: None }
    }

    /// One that a script printed as a line of JSON.
    fn said(suite: &'static str, line: &str) -> Result<Self> {
        let line: Value = serde_json::from_str(line).context("not a figure")?;
        let name = line["name"].as_str().context("a figure without a name")?;
        let value = line["value"].as_f64().context("a figure without a value")?;
        let units = ["s", "us", "bytes", "conversions", "standard errors"];
        let unit = units.into_iter().find(|unit| line["unit"] == *unit).unwrap_or_default();
        let peer = line["peer"].as_str().map(str::to_owned).zip(line["peer_value"].as_f64());
        Ok(Self { peer, ratio: line["ratio"].as_f64(), ..Self::alone(suite, name, value, unit) })
    }

    /// Prints one line, for people or as JSON.
    pub fn print(&self, as_json: bool) {
        if as_json {
            println!("{}", self.json());
            return;
        }
        let shown = |value: f64| {
            if value != 0.0 && value.abs() < 1e-3 {
                format!("{value:.2e}")
            } else {
                format!("{value:.6}")
            }
        };
        let beside = match (&self.peer, self.ratio) {
            (Some((peer, value)), Some(ratio)) => {
                format!("  {peer} {}, ratio {ratio:.3}", shown(*value))
            }
            (Some((peer, value)), None) => format!("  {peer} {}", shown(*value)),
            (None, _) => String::new(),
        };
        println!("{:<34} {:>14} {}{beside}", self.name, shown(self.value), self.unit);
    }

    fn json(&self) -> Value {
        json!({
            "suite": self.suite, "name": self.name, "value": self.value, "unit": self.unit,
            "peer": self.peer.as_ref().map(|peer| &peer.0),
            "peer_value": self.peer.as_ref().map(|peer| peer.1),
            "ratio": self.ratio,
        })
    }
}

pub fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    let mut figures: Vec<Figure> = Vec::new();
    if arguments.suite == Some(Suite::Dev) {
        figures.extend(dev::figures(root)?);
    }
    if arguments.suite == Some(Suite::Decide) {
        figures.extend(decide::figures(root)?);
    }
    if arguments.suite == Some(Suite::Edge) {
        figures.extend(edge::figures(root)?);
    }
    if arguments.suite == Some(Suite::Collect) {
        let scale = if arguments.small { collect::Scale::SMALL } else { collect::Scale::FULL };
        figures.extend(collect::figures(root, &scale)?);
    }
    if arguments.suite == Some(Suite::Models) {
        figures.extend(models::figures(root)?);
    }
    if arguments.suite == Some(Suite::Bandits) {
        figures.extend(bandits::figures(root)?);
    }
    if matches!(arguments.suite, None | Some(Suite::Score)) {
        figures.extend(score::figures(root)?);
    }
    if matches!(arguments.suite, None | Some(Suite::Page)) {
        figures.extend(page::figures(root)?);
    }
    if matches!(arguments.suite, None | Some(Suite::Train)) {
        figures.extend(train::figures(root, &arguments.sets)?);
    }
    report(root, &figures, arguments.json, arguments.save)
}

/// Prints figures and, where asked to, keeps them in `docs/figures.json`, sorted by name.
pub fn report(root: &Path, figures: &[Figure], as_json: bool, save: bool) -> Result<()> {
    for figure in figures {
        figure.print(as_json);
    }
    if !save {
        return Ok(());
    }
    let path = root.join("docs/figures.json");
    let kept = std::fs::read_to_string(&path).unwrap_or_else(|_| "[]".into());
    let kept: Vec<Value> =
        serde_json::from_str(&kept).context("docs/figures.json is not a list")?;
    let mut all: BTreeMap<String, Value> =
        kept.into_iter().map(|line| (line["name"].to_string(), line)).collect();
    for figure in figures {
        let line = figure.json();
        all.insert(line["name"].to_string(), line);
    }
    let lines: Vec<String> = all.values().map(Value::to_string).collect();
    std::fs::write(&path, format!("[\n{}\n]\n", lines.join(",\n")))
        .with_context(|| format!("cannot write {}", path.display()))
}
