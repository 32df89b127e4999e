//! The edge in raw workerd: deciding beside a Worker that only answers, and pages beside the site alone.

mod cold;
mod decide;
mod load;
mod pages;
mod site;
mod workerd;

use super::{Figure, score};
use crate::edge::{Build, worker};
use crate::{setup, shell, wasm};
use anyhow::{Context, Result};
use load::Connection;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use workerd::{Serving, Worker};

const SUITE: &str = "edge";

pub fn figures(root: &Path) -> Result<Vec<Figure>> {
    setup::wasm_target()?;
    setup::npm(&root.join("sdk-js"))?;
    setup::npm(&root.join("edge-worker"))?;
    wasm::page(root)?;
    wasm::full(root)?;
    let bench = Bench::prepare(root)?;
    let mut figures = Vec::new();
    for part in [decide::figures, pages::figures, cold::figures] {
        figures.extend(part(&bench)?);
    }
    Ok(figures)
}

/// What all figures share.
struct Bench<'a> {
    root: &'a Path,
    /// Where worlds and configurations are written.
    folder: PathBuf,
    /// The Worker as it is deployed.
    edge: PathBuf,
}

/// What an edge serves, and what it is asked.
struct World {
    vars: Vec<(&'static str, String)>,
    store: PathBuf,
    questions: Vec<String>,
}

impl<'a> Bench<'a> {
    fn prepare(root: &'a Path) -> Result<Self> {
        let folder = shell::target(root).join("bench/edge");
        if folder.is_dir() {
            fs::remove_dir_all(&folder)?;
        }
        let script = root.join("xtask/src/bench/edge/prepare.mjs");
        shell::run(shell::command(root, "node", [&script, &score::model(root)?, &folder]))?;
        let edge = worker(root, Build::Deployed)?;
        Ok(Self { root, folder, edge })
    }

    fn world(&self, name: &str, more: &[(&'static str, String)]) -> Result<World> {
        let folder = self.folder.join(name);
        let world: Value = serde_json::from_slice(&fs::read(folder.join("world.json"))?)?;
        let text = |name: &str| world[name].as_str().map(str::to_owned).context("no world");
        let mut vars =
            vec![("RAPPORT_KEY", text("key")?), ("RAPPORT_PUBLIC_KEY", text("publicKey")?)];
        vars.extend(more.iter().cloned());
        let questions = world["questions"].as_array().into_iter().flatten();
        let questions = questions.filter_map(|question| question.as_str().map(str::to_owned));
        Ok(World { vars, store: folder.join("store"), questions: questions.collect() })
    }

    /// An edge before that world.
    fn serve(&self, name: &str, world: &World) -> Result<Serving> {
        Serving::start(self.root, &self.configure(name, world)?)
    }

    fn configure(&self, name: &str, world: &World) -> Result<PathBuf> {
        let worker = Worker { modules: &self.edge, vars: &world.vars, store: Some(&world.store) };
        worker.configure(&self.folder.join("run").join(name))
    }
}

/// A whole request that posts a body, as browsers send it.
fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: www.example.com\r\norigin: https://www.example.com\r\naccept: */*\r\naccept-language: en\r\nuser-agent: {AGENT}\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A browser's request for a page; a returning visitor's where it has an id.
fn get(key: &str, visitor: &str) -> Vec<u8> {
    format!(
        "GET /offers HTTP/1.1\r\nhost: www.example.com\r\naccept: text/html,application/xhtml+xml\r\naccept-language: en\r\nuser-agent: {AGENT}\r\ncookie: rapport_{key}_id=%7B%22anonymousId%22%3A%22{visitor}%22%2C%22sequence%22%3A3%7D\r\n\r\n"
    )
    .into_bytes()
}

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

/// The answer to one request on a connection of its own.
fn ask(serving: &Serving, request: &[u8]) -> Result<load::Answered> {
    Connection::open(serving.address)?.ask(request)
}
