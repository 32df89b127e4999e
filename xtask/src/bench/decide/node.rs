//! The SDK for JavaScript: on servers beside GrowthBook's and LaunchDarkly's, what a page's engines take
//! for everything at once, and how memory grows.

use super::{Figure, SUITE};
use crate::bench::peers::{packages, peers, put};
use crate::bench::score;
use crate::test::leads;
use crate::{setup, shell, wasm};
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// What the peers' bench calls them, and what their figure is called after.
const PEERS: [(&str, &str, &str); 2] = [
    ("multi-user", "growthbook", "evaluate_node_us"),
    ("launchdarkly", "launchdarkly", "evaluate_node_us_launchdarkly"),
];

pub fn figures(root: &Path) -> Result<Vec<Figure>> {
    setup::wasm_target()?;
    setup::npm(&root.join("sdk-js"))?;
    wasm::page(root)?;
    leads::train(root)?;
    let mut figures = evaluate(root)?;
    let everything = root.join("xtask/src/bench/decide/everything.mjs");
    let everything = shell::command(root, "node", [everything, score::model(root)?]);
    let growth = shell::command(root, "node", ["--expose-gc", "xtask/peers/decide/rss.mjs"]);
    for script in [everything, growth] {
        figures.push(Figure::said(SUITE, shell::capture(script)?.trim())?);
    }
    Ok(figures)
}

/// Ours within the peers' bench, of which a copy stands beside the packages that it needs.
fn evaluate(root: &Path) -> Result<Vec<Figure>> {
    let (ours, peers) = (root.join("xtask/peers/decide"), peers(root)?);
    let copy = packages(&ours, "decide")?;
    for (from, to) in [(peers.join("eval/bench.mjs"), "eval"), (ours.join("js.mjs"), "ours")] {
        put(&from, &copy.join(to))?;
    }
    for fixture in
        fs::read_dir(peers.join("fixtures")).context("the peers' bench lacks fixtures")?
    {
        put(&fixture?.path(), &copy.join("fixtures"))?;
    }
    let mut bench = shell::command(&copy, "node", ["eval/bench.mjs", "OURS"]);
    bench.args(PEERS.map(|(name, ..)| name)).env("RAPPORT_SDK", root.join("sdk-js/dist"));
    eprintln!("{}", shell::capture(bench)?);
    let results = fs::read_to_string(copy.join("eval/results-js.json"))?;
    let results: Vec<Value> = serde_json::from_str(&results)?;
    let us = |word: &str| -> Result<f64> {
        let found =
            results.iter().find(|one| one["name"].as_str().is_some_and(|name| name.contains(word)));
        found
            .and_then(|one| one["us"].as_f64())
            .with_context(|| format!("the bench says nothing of {word}"))
    };
    let value = us("OURS")?;
    let figure = |(word, peer, name): (&str, &str, &str)| -> Result<Figure> {
        let theirs = us(word)?;
        let peer = Some((peer.to_owned(), theirs));
        Ok(Figure { peer, ratio: Some(value / theirs), ..Figure::alone(SUITE, name, value, "us") })
    };
    PEERS.into_iter().map(figure).collect()
}
