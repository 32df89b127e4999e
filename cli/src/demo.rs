//! The demo: a server with two workspaces, a model trained here and now, and a website for each.

mod mapping;
mod simulate;
mod site;

use crate::commands::{Outcome, sdk_is_built};
use mapping::Mapping;
use rapport_backend::experiments::{Kind, ensure};
use rapport_backend::identity::{Permit, Role, Scope, Settings, WorkspaceId, service, settings};
use rapport_backend::{App, Config, Running, bundles, start};
use rapport_core::profile::SignalWire;
use serde_json::{Map, Value, json};
use site::Site;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::BufReader;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tokio::net::TcpListener;

/// What each workspace is called, and how its website looks.
const BRANDS: [(&str, &str); 2] = [("Tidewright", "harbour"), ("Fernhollow", "moss")];
/// Enough for a model that follows the simulator's visitors, few enough to train in seconds.
const VISITORS: u32 = 6000;
/// A model that pages download: about 40 KB.
const TREES: &str = "100";
const MODEL: &str = "leads";

/// What the demo is made of.
pub struct Demo {
    pub data: PathBuf,
    pub sdk: PathBuf,
    pub site: PathBuf,
    /// Holds `signals.json` and `xeducation-mapping.json`.
    pub signals: PathBuf,
    /// A table of leads to train on, and how its columns become signals.
    pub leads: Option<(PathBuf, PathBuf)>,
    /// The server's port; the websites take the two behind it. 0 takes any.
    pub port: u16,
}

impl Demo {
    /// Trains, publishes and serves until `stopped` says so.
    pub async fn run(self, stopped: impl Future<Output = std::io::Result<()>>) -> Outcome {
        self.look_ahead().await?;
        let signals = self.signals.join("signals.json");
        let signals: Value = fs::read_to_string(&signals)
            .map_err(|error| error.to_string())
            .and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()))
            .map_err(|error| {
                format!("cannot read {}: {error}; say where with --signals", signals.display())
            })?;
        let model = self.train(&signals)?;
        let mut config = Config::new(&self.data);
        config.listen = (Ipv4Addr::LOCALHOST, self.port).into();
        config.sdk = Some(self.sdk.clone());
        let running = start(config).await?;
        let workspaces = open_workspaces(running.app())?;
        let mut lines = Vec::new();
        for (index, (workspace, (brand, theme))) in workspaces.iter().zip(BRANDS).enumerate() {
            let permit = Permit::operator(Scope::live(*workspace));
            publish(running.app(), &permit, &signals, &model)?;
            author(running.app(), &permit, &self.signals.join("flags.json"))?;
            let sdk = format!(
                "{}/v1/sdk/{}.js",
                running.app().public_url(),
                page_key(&running, &permit)?
            );
            let words = vec![("BRAND", brand.into()), ("THEME", theme.into()), ("SDK_URL", sdk)];
            let site = Site { folder: self.site.clone(), words };
            let port = if self.port == 0 { 0 } else { self.port + 1 + index as u16 };
            let address = serve_site(site, port).await?;
            lines.push(format!("  website     {brand:<12} http://{address}/"));
        }
        let owner = service::create_owner_link(running.app(), &workspaces)?;
        println!(
            "\nThe demo is ready. Open a website, click around, and watch the panel in its corner:\n"
        );
        lines.iter().for_each(|line| println!("{line}"));
        println!("\nSee the same visitors as sales does (the link signs you in, once):\n");
        println!("  live page   {owner}");
        println!("  API         {}/docs", running.app().public_url());
        println!("\nEverything is kept in {}; end with Ctrl-C.", self.data.display());
        stopped.await?;
        running.stop().await;
        Ok(())
    }

    /// Says what is missing before anybody waits for a model.
    async fn look_ahead(&self) -> Outcome {
        sdk_is_built(&self.sdk)?;
        if !self.site.join("layout.html").is_file() {
            let site = self.site.display();
            return Err(format!("{site} holds no layout.html; say where with --site").into());
        }
        let ports = if self.port == 0 { 0..=0 } else { self.port..=self.port + 2 };
        for port in ports {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
                format!("cannot listen on port {port}: {error}; choose others with --port")
            })?;
        }
        // Nobody else on this machine need read what is kept there.
        DirBuilder::new().recursive(true).mode(0o700).create(&self.data).map_err(|error| {
            format!("{} cannot hold data: {error}; choose another --dir", self.data.display())
        })?;
        Ok(())
    }

    /// Makes the table and trains on it with `rapport train`, exactly as a user would.
    fn train(&self, signals: &Value) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        let (table, model) = (self.data.join("leads.csv"), self.data.join("leads.rpm"));
        let target = match &self.leads {
            Some((leads, mapping)) => map(leads, mapping, &table)?,
            None => {
                println!("simulating {VISITORS} visitors");
                let wires: Vec<SignalWire> = serde_json::from_value(signals.clone())?;
                simulate::simulate(&wires, VISITORS, 1, File::create(&table)?)?;
                "became_customer".into()
            }
        };
        println!("training a model to predict {target}");
        let status = Command::new(std::env::current_exe()?)
            .args(["train", "--trees", TREES, "--target", &target])
            .arg("--input")
            .arg(&table)
            .arg("--out")
            .arg(&model)
            .status()?;
        if !status.success() {
            return Err("training failed; the reason stands above".into());
        }
        Ok(fs::read(&model)?)
    }
}

/// Turns the leads into a table of signals; answers the target.
fn map(leads: &Path, mapping: &Path, table: &Path) -> Result<String, Box<dyn std::error::Error>> {
    println!("reading {} by {}", leads.display(), mapping.display());
    let open = |path: &Path| {
        File::open(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
    };
    let rules: Mapping = serde_json::from_reader(BufReader::new(open(mapping)?))
        .map_err(|error| format!("{} is no mapping: {error}", mapping.display()))?;
    rules.apply(BufReader::new(open(leads)?), File::create(table)?).map_err(|error| {
        format!("{}: {error}; give a mapping of your own with --mapping", leads.display())
    })?;
    Ok(rules.target.column)
}

/// The demo's workspaces: those of an earlier run, or new ones.
fn open_workspaces(app: &App) -> Result<Vec<WorkspaceId>, Box<dyn std::error::Error>> {
    let mut workspaces = service::workspaces(app)?;
    for (brand, _) in BRANDS.iter().skip(workspaces.len()) {
        let workspace = service::create_workspace(app, brand)?;
        // Who tries the demo may well let a program do the clicking.
        let settings = Settings { automated_browsers: true, ..Settings::default() };
        settings::change(app, &Permit::operator(Scope::live(workspace)), &settings)?;
        workspaces.push(workspace);
    }
    workspaces.truncate(BRANDS.len());
    Ok(workspaces)
}

/// The workspace's write key, made where it has none.
fn page_key(running: &Running, permit: &Permit) -> Result<String, Box<dyn std::error::Error>> {
    let keys = service::keys(running.app(), permit)?;
    match keys.into_iter().find(|key| key.role == Role::Page) {
        Some(key) => Ok(key.shown),
        None => Ok(service::create_key(running.app(), permit, Role::Page, "website")?.key),
    }
}

fn publish(app: &App, permit: &Permit, signals: &Value, model: &[u8]) -> Outcome {
    let mut authored = Map::new();
    authored.insert("signals".into(), signals.clone());
    authored.insert("models".into(), json!([{"name": MODEL, "default": true}]));
    let models = BTreeMap::from([(MODEL.to_owned(), model.to_vec())]);
    let published =
        bundles::publish(app, permit, authored, &models).map_err(|error| format!("{error}"))?;
    for problem in published.problems {
        eprintln!("note: {problem}");
    }
    Ok(())
}

/// Makes what the demo's websites show, where an earlier run has not.
fn author(app: &App, permit: &Permit, file: &Path) -> Outcome {
    let text = fs::read_to_string(file)
        .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let kinds: Map<String, Value> = serde_json::from_str(&text)
        .map_err(|error| format!("{} holds no definitions: {error}", file.display()))?;
    // What others name comes before them.
    for kind in [Kind::Audience, Kind::Goal, Kind::Feature, Kind::Experiment, Kind::Experience] {
        let definitions = kinds.get(kind.plural()).and_then(Value::as_object).into_iter().flatten();
        for (key, definition) in definitions {
            ensure(app, permit, &[(kind, key, definition.clone())])
                .map_err(|problem| format!("{}: {problem}", file.display()))?;
        }
    }
    Ok(())
}

async fn serve_site(site: Site, port: u16) -> Result<SocketAddr, Box<dyn std::error::Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        format!("cannot serve a website at port {port}: {error}; choose others with --port")
    })?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, site.router()).await });
    Ok(address)
}
