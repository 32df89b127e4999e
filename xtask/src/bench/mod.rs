//! `cargo xtask bench`: figures beside peers measured in the same run.

use anyhow::Result;
use serde_json::json;
use std::path::Path;

#[derive(clap::Args)]
pub struct Arguments {
    /// Which suite; all when absent
    suite: Option<Suite>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Suite {
    Score,
    Train,
    Page,
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

    /// Prints one line, for people or as JSON.
    pub fn print(&self, as_json: bool) {
        let (peer, peer_value) = match &self.peer {
            Some((peer, value)) => (Some(peer.as_str()), Some(*value)),
            None => (None, None),
        };
        if as_json {
            println!(
                "{}",
                json!({"suite": self.suite, "name": self.name, "value": self.value, "unit": self.unit,
                       "peer": peer, "peer_value": peer_value, "ratio": self.ratio})
            );
            return;
        }
        let beside = match (peer, peer_value, self.ratio) {
            (Some(peer), Some(value), Some(ratio)) => {
                format!("  {peer} {value:.6}, ratio {ratio:.3}")
            }
            (Some(peer), Some(value), None) => format!("  {peer} {value:.6}"),
            _ => String::new(),
        };
        println!("{:<34} {:>14.6} {}{beside}", self.name, self.value, self.unit);
    }
}

pub fn run(_root: &Path, arguments: &Arguments) -> Result<()> {
    let wants = |suite: Suite| arguments.suite.is_none_or(|wanted| wanted == suite);
    let figures: Vec<Figure> = Vec::new();
    let _ = (wants(Suite::Score), wants(Suite::Train), wants(Suite::Page));
    for figure in &figures {
        figure.print(arguments.json);
    }
    Ok(())
}
