//! Where the models are: a server that runs, or the data directory of one that does not.

use crate::commands::serve::{runtime, web_address};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rapport_backend::error::Problem;
use rapport_backend::identity::{Environment, Permit, Scope, WorkspaceId, service as identity};
use rapport_backend::models::service;
use rapport_backend::{Config, Running, start};
use rapport_core::bundle::ScoreInPage;
use rapport_core::model::CardWire;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::PathBuf;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(clap::Args)]
pub struct Where {
    /// The server, as http://HOST:PORT
    #[arg(long, value_parser = web_address, conflicts_with = "dir", required_unless_present = "dir")]
    url: Option<String>,
    /// The secret key; RAPPORT_KEY where left out
    #[arg(long, requires = "url")]
    key: Option<String>,
    /// The data directory of a server that does not run
    #[arg(long)]
    dir: Option<PathBuf>,
    /// The key store; DIR/keys where left out
    #[arg(long, requires = "dir")]
    keys: Option<PathBuf>,
    /// The workspace, as ws_…; not needed where there is one
    #[arg(long, value_name = "ID", requires = "dir")]
    workspace: Option<WorkspaceId>,
    /// The workspace's test environment
    #[arg(long, requires = "dir")]
    test: bool,
}

/// Something that does what is asked of models.
pub trait Place {
    fn add(
        &self,
        card: Option<CardWire>,
        place: Option<ScoreInPage>,
        file: Vec<u8>,
    ) -> Result<Value>;
    /// `check` or `promote`.
    fn on(&self, model: &str, what: &str) -> Result<Value>;
    fn list(&self) -> Result<Value>;
    fn roll_back(&self) -> Result<Value>;
}

impl Where {
    pub fn open(self) -> Result<Box<dyn Place>> {
        let Some(url) = self.url else {
            return Ok(Box::new(Directory::open(self)?));
        };
        if !url.starts_with("http://") {
            return Err("this build speaks http:// alone: use the server's own address behind its proxy, or --dir".into());
        }
        let key = self.key.or_else(|| std::env::var("RAPPORT_KEY").ok());
        let key =
            key.ok_or("say with --key or RAPPORT_KEY which secret key opens the workspace")?;
        Ok(Box::new(Server { url, key }))
    }
}

/// A server that runs.
struct Server {
    url: String,
    key: String,
}

impl Server {
    fn call(&self, path: &str, body: Option<&Value>) -> Result<Value> {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let (url, credential) = (format!("{}{path}", self.url), format!("Bearer {}", self.key));
        let answer = match body {
            Some(body) => agent
                .post(&url)
                .header("authorization", &credential)
                .header("content-type", "application/json")
                .send(body.to_string()),
            None => agent.get(&url).header("authorization", &credential).call(),
        };
        let mut answer = answer.map_err(|error| format!("{url}: {error}"))?;
        let text = answer.body_mut().read_to_string()?;
        let value: Value = serde_json::from_str(&text).map_err(|_| {
            format!("{url} answers {}, and no JSON: is this a Rapport server?", answer.status())
        })?;
        if answer.status().is_success() {
            return Ok(value);
        }
        let detail = value["detail"].as_str().unwrap_or("the server says no more");
        let wrong = value["errors"].as_array().into_iter().flatten().map(|wrong| {
            let word = |name: &str| wrong[name].as_str().unwrap_or_default().to_owned();
            format!("\n  {}: {}", word("at"), word("reason"))
        });
        Err(format!("{detail}{}", wrong.collect::<String>()).into())
    }
}

impl Place for Server {
    fn add(
        &self,
        card: Option<CardWire>,
        place: Option<ScoreInPage>,
        file: Vec<u8>,
    ) -> Result<Value> {
        let file = BASE64_STANDARD.encode(file);
        self.call("/v1/models", Some(&json!({ "card": card, "scoreInPage": place, "file": file })))
    }

    fn on(&self, model: &str, what: &str) -> Result<Value> {
        if model.is_empty() || model.contains(['/', '?', '#', '%']) {
            return Err(format!("`{model}` is no model's number or name").into());
        }
        self.call(&format!("/v1/models/{model}/{what}"), Some(&json!({})))
    }

    fn list(&self) -> Result<Value> {
        self.call("/v1/models", None)
    }

    fn roll_back(&self) -> Result<Value> {
        self.call("/v1/models/rollback", Some(&json!({})))
    }
}

/// The data directory of a server that does not run; one runs on it while the command does.
struct Directory {
    runtime: tokio::runtime::Runtime,
    running: Option<Running>,
    permit: Permit,
}

impl Directory {
    fn open(at: Where) -> Result<Self> {
        let dir = at.dir.unwrap_or_default();
        if !dir.join("records.db").is_file() {
            return Err(
                format!("{} is no data directory; say where with --dir", dir.display()).into()
            );
        }
        let mut config = Config::new(dir);
        config.listen.set_port(0);
        if let Some(keys) = at.keys {
            config.keys = keys;
        }
        let runtime = runtime()?;
        let running = runtime.block_on(start(config))?;
        let workspaces = identity::workspaces(running.app())?;
        let workspace = match (at.workspace, workspaces.as_slice()) {
            (Some(wanted), all) if all.contains(&wanted) => wanted,
            (Some(wanted), _) => return Err(format!("there is no workspace {wanted}").into()),
            (None, [only]) => *only,
            (None, all) => {
                let all: Vec<_> = all.iter().map(ToString::to_string).collect();
                return Err(format!("say which with --workspace: {}", all.join(", ")).into());
            }
        };
        let environment = if at.test { Environment::Test } else { Environment::Live };
        let permit = Permit::operator(Scope { workspace, environment });
        Ok(Self { runtime, running: Some(running), permit })
    }

    fn app(&self) -> Result<&rapport_backend::App> {
        let running = self.running.as_ref().ok_or("the server has stopped")?;
        Ok(running.app())
    }

    /// Stored scores follow before the directory is left.
    fn rescored(&self, moved: impl Serialize) -> Result<Value> {
        self.runtime.block_on(self.app()?.rebuild(self.permit.scope()))?;
        Ok(serde_json::to_value(moved)?)
    }
}

impl Place for Directory {
    fn add(
        &self,
        card: Option<CardWire>,
        place: Option<ScoreInPage>,
        file: Vec<u8>,
    ) -> Result<Value> {
        told(service::add(self.app()?, &self.permit, card, place, file))
    }

    fn on(&self, model: &str, what: &str) -> Result<Value> {
        if what == "check" {
            return told(service::check(self.app()?, self.permit.scope(), model));
        }
        self.rescored(service::promote(self.app()?, &self.permit, model).map_err(said)?)
    }

    fn list(&self) -> Result<Value> {
        Ok(serde_json::to_value(service::list(self.app()?, self.permit.scope())?)?)
    }

    fn roll_back(&self) -> Result<Value> {
        self.rescored(service::roll_back(self.app()?, &self.permit).map_err(said)?)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop());
        }
    }
}

fn told(done: std::result::Result<impl Serialize, Problem>) -> Result<Value> {
    Ok(serde_json::to_value(done.map_err(said)?)?)
}

/// A problem with all its places.
fn said(problem: Problem) -> String {
    let view = problem.view();
    let wrong = view.errors.iter().map(|wrong| format!("\n  {}: {}", wrong.at, wrong.reason));
    format!("{}{}", view.detail, wrong.collect::<String>())
}
