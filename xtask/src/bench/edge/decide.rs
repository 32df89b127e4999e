//! `POST /v1/decide` beside a Worker that reads the same body and answers as many bytes.

use super::load::{Load, quantile};
use super::workerd::{Serving, Worker};
use super::{Bench, SUITE, ask, post};
use crate::bench::Figure;
use crate::edge::{Build, worker};
use anyhow::{Result, ensure};
use std::time::Duration;

/// As many ask at once.
const CONNECTIONS: usize = 10;
/// Rounds of both in turn, and how long one takes.
const ROUNDS: usize = 12;
const ROUND: Duration = Duration::from_millis(1_000);
/// Of what the edge can do at most.
const PART: f64 = 0.7;

pub fn figures(bench: &Bench) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (world, suffix) in [("demo", ""), ("twenty", "_twenty_experiments")] {
        let measured = measure(bench, world)?;
        let figure = |name: &str, value, unit| {
            Figure::alone(SUITE, &format!("edge_decide{name}{suffix}"), value, unit)
        };
        let peer = |figure: Figure, value| Figure {
            peer: Some(("a constant of the same length".into(), value)),
            ..figure
        };
        let ratio = Figure { ratio: Some(measured.ratio), ..figure("_ratio", measured.ratio, "") };
        figures.extend([
            figure("_p99_ms", measured.p99, "ms"),
            ratio,
            peer(figure("_per_s", measured.capacity, "answers/s"), measured.constant),
            peer(figure("_cpu_us", measured.cpu, "us"), measured.constant_cpu),
        ]);
    }
    Ok(figures)
}

struct Measured {
    capacity: f64,
    constant: f64,
    ratio: f64,
    cpu: f64,
    constant_cpu: f64,
    p99: f64,
}

fn measure(bench: &Bench, name: &str) -> Result<Measured> {
    let world = bench.world(name, &[("RAPPORT_BACKEND", "http://127.0.0.1:9".into())])?;
    let edge = bench.serve(&format!("decide-{name}"), &world)?;
    let asked: Vec<_> =
        world.questions.iter().map(|question| post("/v1/decide", question)).collect();
    let mut lengths = Vec::new();
    for question in &asked {
        let answer = ask(&edge, question)?;
        ensure!(answer.body.starts_with(b"{\"score\":"), "nothing was decided: {}", answer.head);
        lengths.push(answer.body.len());
    }
    let length = lengths.iter().sum::<usize>() / lengths.len();
    eprintln!("{name}: {} bytes asked, {length} answered", world.questions[0].len());

    let modules = worker(bench.root, Build::Constant)?;
    let constant = Worker { modules: &modules, vars: &[], store: None };
    let constant =
        constant.configure(&bench.folder.join("run").join(format!("constant-{name}")))?;
    let constant = Serving::start(bench.root, &constant)?;
    let path = format!("/v1/decide?{length}");
    let same: Vec<_> = world.questions.iter().map(|question| post(&path, question)).collect();
    ensure!(ask(&constant, &same[0])?.body.len() == length, "the constant has another length");

    let load = |serving: &Serving, requests: &[Vec<u8>], time| {
        let before = serving.cpu_ms()?;
        let load = Load { address: serving.address, requests, connections: CONNECTIONS };
        let capacity = load.capacity(time)?;
        let cpu = (serving.cpu_ms()? - before) * 1e3 / (capacity * time.as_secs_f64());
        anyhow::Ok((capacity, cpu))
    };
    // What runs often is compiled anew meanwhile.
    for (serving, requests) in [(&edge, &asked), (&constant, &same)] {
        load(serving, requests, ROUND * 2)?;
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(load(&edge, &asked, ROUND)?);
        theirs.push(load(&constant, &same, ROUND)?);
    }
    let median = |values: Vec<f64>| quantile(&values, 0.5);
    let first = |rounds: &[(f64, f64)]| median(rounds.iter().map(|round| round.0).collect());
    let second = |rounds: &[(f64, f64)]| median(rounds.iter().map(|round| round.1).collect());
    let ratios = ours.iter().zip(&theirs).map(|(ours, theirs)| ours.0 / theirs.0).collect();
    let capacity = first(&ours);

    let load = Load { address: edge.address, requests: &asked, connections: CONNECTIONS };
    let mut slices = Vec::new();
    for _ in 0..ROUNDS {
        slices.push(quantile(&load.latencies(capacity * PART, ROUND)?, 0.99));
    }
    eprintln!("{name}: p99 of {ROUNDS} slices at 70 %: {slices:.2?} ms");
    Ok(Measured {
        capacity,
        constant: first(&theirs),
        ratio: median(ratios),
        cpu: second(&ours),
        constant_cpu: second(&theirs),
        p99: median(slices),
    })
}
