//! What an edge costs before its first answer, and what is uploaded of it.

use super::load::quantile;
use super::workerd::{Serving, Worker};
use super::{Bench, SUITE, ask, post};
use crate::bench::Figure;
use crate::shell;
use anyhow::{Context, Result};
use std::time::Instant;

const STARTS: usize = 15;
/// Answers without anything: what the platform itself takes to start.
const NOTHING: &str = "export default { fetch: () => new Response(\"{}\") };";

pub fn figures(bench: &Bench) -> Result<Vec<Figure>> {
    let world = bench.world("demo", &[("RAPPORT_BACKEND", "http://127.0.0.1:9".into())])?;
    let edge = bench.configure("cold", &world)?;
    let modules = bench.folder.join("nothing");
    std::fs::create_dir_all(&modules)?;
    std::fs::write(modules.join("worker.mjs"), NOTHING)?;
    let nothing = Worker { modules: &modules, vars: &[], store: None };
    let nothing = nothing.configure(&bench.folder.join("run/nothing"))?;
    let question = post("/v1/decide", world.questions.first().context("no question")?);
    // From before the process is there until it has answered, in turn; the difference is the edge's.
    let (mut added, mut firsts) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let mut took = [0.0; 2];
        for (config, took) in [&edge, &nothing].into_iter().zip(&mut took) {
            let serving = Serving::start(bench.root, config)?;
            let listened = Instant::now();
            ask(&serving, &question)?;
            *took = (serving.listened + listened.elapsed()).as_secs_f64() * 1e3;
            if config == &edge {
                firsts.push(listened.elapsed().as_secs_f64() * 1e3);
            }
        }
        added.push(took[0] - took[1]);
    }
    eprintln!(
        "cold starts: {added:.1?} ms beside an empty Worker's; first answers {firsts:.1?} ms"
    );
    Ok(vec![
        Figure::alone(SUITE, "edge_cold_start_ms", quantile(&added, 0.5), "ms"),
        Figure::alone(SUITE, "edge_worker_gzip", packed(bench)?, "bytes"),
    ])
}

/// All of the Worker, packed as `wrangler deploy` uploads it.
fn packed(bench: &Bench) -> Result<f64> {
    let script = "const { readFileSync: read, readdirSync: list } = require('node:fs'); const all = list(process.argv[1], { recursive: true }).filter((name) => /\\.(m?js|wasm)$/.test(name)); console.log(all.reduce((sum, name) => sum + require('node:zlib').gzipSync(read(process.argv[1] + '/' + name)).length, 0))";
    let node = shell::command(
        bench.root,
        "node",
        ["-e".as_ref(), script.as_ref(), bench.edge.as_os_str()],
    );
    shell::capture(node)?.trim().parse().context("no length")
}
