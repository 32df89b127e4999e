//! Raw workerd: `workerd serve` with a configuration of ours, and nothing before it.

use crate::shell;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A Worker's modules and what it is told.
pub struct Worker<'a> {
    /// The folder of its modules.
    pub modules: &'a Path,
    /// Variables by their names.
    pub vars: &'a [(&'a str, String)],
    /// The folder that is its KV namespace.
    pub store: Option<&'a Path>,
}

impl Worker<'_> {
    /// Writes the configuration below `folder`.
    pub fn configure(&self, folder: &Path) -> Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let mut modules = Vec::new();
        found(self.modules, self.modules, &mut modules)?;
        modules.sort_by_key(|name| (name != "worker.mjs", name.clone()));
        let mut listed = String::new();
        for name in &modules {
            let copy = folder.join(name);
            fs::create_dir_all(copy.parent().context("a module without a folder")?)?;
            fs::copy(self.modules.join(name), copy)?;
            let kind = if name.ends_with(".wasm") { "wasm" } else { "esModule" };
            write!(listed, "(name = {name:?}, {kind} = embed {name:?}), ")?;
        }
        let mut bindings = String::new();
        for (name, value) in self.vars {
            write!(bindings, "(name = {name:?}, text = {value:?}), ")?;
        }
        let (mut services, mut objects) = (String::new(), "");
        if let Some(store) = self.store {
            let store = store.to_string_lossy();
            write!(services, "(name = \"kv\", disk = (path = {store:?}, writable = true)), ")?;
            bindings.push_str(
                "(name = \"RAPPORT_KV\", kvNamespace = \"kv\"), (name = \"RAPPORT_EVENTS\", durableObjectNamespace = \"EventQueue\"), ",
            );
            objects = "durableObjectNamespaces = [(className = \"EventQueue\", uniqueKey = \"events\", enableSql = true)], durableObjectStorage = (inMemory = void),";
        }
        let config = folder.join("config.capnp");
        let text = format!(
            r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "internet", network = (allow = ["public", "private", "local"])),
    {services}
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const main :Workerd.Worker = (
  compatibilityDate = "2026-04-01",
  modules = [{listed}],
  bindings = [{bindings}],
  {objects}
);
"#
        );
        fs::write(&config, text)?;
        Ok(config)
    }
}

/// Modules below a folder, by their names from there.
fn found(root: &Path, folder: &Path, into: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found(root, &path, into)?;
        } else if path.extension().is_some_and(|kind| kind != "toml") {
            into.push(path.strip_prefix(root)?.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

/// A process that serves, ended when dropped.
pub struct Serving {
    child: Child,
    pub address: SocketAddr,
    /// From before it was started until it listened.
    pub listened: Duration,
}

impl Serving {
    pub fn start(root: &Path, config: &Path) -> Result<Self> {
        // The npm package's command starts the platform's program, which is measured without it.
        let program = ["-p", "require('workerd').default"];
        let program = shell::capture(shell::command(&root.join("edge-worker"), "node", program))?;
        let options = ["serve", "--experimental", "--control-fd=1"];
        let mut serve = shell::command(root, program.trim(), options);
        serve.arg(config).stdout(Stdio::piped());
        let begun = Instant::now();
        let mut child = serve.spawn().context("cannot start workerd")?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let said: Value = serde_json::from_str(&line).ok()?;
            said["port"].as_u64()
        });
        let listened = begun.elapsed();
        std::thread::spawn(move || lines.for_each(drop));
        let port = u16::try_from(port.unwrap_or_default())?;
        let serving = Self { child, address: SocketAddr::from(([127, 0, 0, 1], port)), listened };
        ensure!(port > 0, "workerd did not start with {}", config.display());
        Ok(serving)
    }

    /// Milliseconds of processor time so far, of all its threads.
    pub fn cpu_ms(&self) -> Result<f64> {
        let mut sum = 0.0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let schedstat =
                fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
            let nanoseconds = schedstat.split(' ').next().and_then(|text| text.parse::<f64>().ok());
            sum += nanoseconds.unwrap_or_default() / 1e6;
        }
        Ok(sum)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // One that is gone already needs no end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
