//! Pages in flight: what changing one costs the edge, and its visitor.

use super::load::{Connection, quantile};
use super::{Bench, SUITE, ask, get, site};
use crate::bench::Figure;
use crate::bench::peers::{packages, peers, put};
use crate::shell;
use anyhow::{Context, Result, ensure};
use std::fs;

const PAGES: usize = 400;
const ROUNDS: usize = 8;

pub fn figures(bench: &Bench) -> Result<Vec<Figure>> {
    let site = site::serve(fs::read_to_string(bench.folder.join("page.html"))?)?;
    let origin = format!("http://{site}");
    let told = [("RAPPORT_ORIGIN", origin.clone()), ("RAPPORT_BACKEND", origin)];
    let world = bench.world("page", &told)?;
    let edge = bench.serve("pages", &world)?;
    let key = world.vars.first().map(|(_, key)| key.clone()).unwrap_or_default();
    let requests: Vec<_> =
        (0..PAGES).map(|number| get(&key, &format!("visitor-{number}"))).collect();
    let page = String::from_utf8(ask(&edge, &requests[0])?.body)?;
    for changed in [">Hi</h1>", "<h3 id=\"t7\" class=\"x\">", "href=\"/z\"", "rapport-hydration"] {
        ensure!(page.contains(changed), "the page was not changed: no {changed}");
    }

    let mut through = Connection::open(edge.address)?;
    let mut direct = Connection::open(site)?;
    let (mut cpu, mut added, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let before = edge.cpu_ms()?;
        let (mut ours, mut sites) = (Vec::new(), Vec::new());
        for request in &requests {
            sites.push(direct.ask(request)?.first_byte.as_secs_f64() * 1e3);
            ours.push(through.ask(request)?.first_byte.as_secs_f64() * 1e3);
        }
        // In the first one code is still being compiled.
        if round > 0 {
            cpu.push((edge.cpu_ms()? - before) / PAGES as f64);
            let (ours, sites) = (quantile(&ours, 0.99), quantile(&sites, 0.99));
            added.push(ours - sites);
            alone.push(sites);
        }
    }
    eprintln!(
        "pages: {cpu:.2?} ms of CPU, p99 of the first byte {added:.2?} ms after the site's {alone:.2?}"
    );
    let median = |values: &[f64]| quantile(values, 0.5);
    let (value, theirs) = (median(&cpu), peer(bench)?);
    let rewrite = Figure {
        peer: Some(("node-html-parser".into(), theirs)),
        ratio: Some(value / theirs),
        ..Figure::alone(SUITE, "edge_rewrite_cpu_ms", value, "ms")
    };
    Ok(vec![rewrite, Figure::alone(SUITE, "edge_ttfb_added_p99_ms", median(&added), "ms")])
}

/// Milliseconds of CPU that the same changes of the same page take as GrowthBook's edge SDK makes them.
fn peer(bench: &Bench) -> Result<f64> {
    let copy = packages(&bench.root.join("xtask/peers/edge"), "edge")?;
    put(&peers(bench.root)?.join("eval/edge_rewrite.mjs"), &copy.join("eval"))?;
    let said = shell::capture(shell::command(&copy, "node", ["eval/edge_rewrite.mjs"]))?;
    eprint!("{said}");
    let line = said.lines().find(|line| line.starts_with("197 KiB"));
    let value = line.and_then(|line| line.split("node-html-parser ").nth(1)?.split(' ').next());
    value.and_then(|value| value.parse().ok()).with_context(|| format!("the peer said: {said}"))
}
