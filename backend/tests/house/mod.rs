//! A real server on a free port of the loopback, with real files, and clients that talk to it.
#![allow(dead_code, reason = "each test file uses its part")]

use rapport_backend::identity::{Environment, Permit, Role, Scope, WorkspaceId, service};
use rapport_backend::{App, Config, Running, bundles, start};
use rapport_core::model::{
    AdditiveModel, Bands, Effect, Group, LeadModel, Signal, SignalKind, Term, encode,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// A server and its data directory, both gone at the end of the test.
pub struct House {
    runtime: Runtime,
    running: Option<Running>,
    pub directory: Scratch,
    config: Config,
}

/// A workspace with keys for its live environment.
#[derive(Clone)]
pub struct Tenant {
    pub scope: Scope,
    pub write_key: String,
    pub admin_key: String,
}

impl House {
    pub fn open() -> Self {
        Self::open_with(|_| {})
    }

    pub fn open_with(change: impl FnOnce(&mut Config)) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let directory = scratch();
        let mut config = Config::new(&*directory);
        config.listen.set_port(0);
        change(&mut config);
        let mut house = Self { runtime, running: None, directory, config };
        house.start();
        house
    }

    pub fn config(&self) -> Config {
        self.config.clone()
    }

    pub fn start(&mut self) {
        self.running = Some(self.runtime.block_on(start(self.config())).unwrap());
    }

    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop());
        }
    }

    pub fn app(&self) -> &App {
        self.running.as_ref().unwrap().app()
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.running.as_ref().unwrap().address)
    }

    pub fn try_start_another(&self) -> Result<(), String> {
        self.runtime.block_on(start(self.config())).map(|_| ()).map_err(|error| error.to_string())
    }

    /// A workspace with a published bundle.
    pub fn tenant(&self, name: &str) -> Tenant {
        let tenant = self.bare_tenant(name);
        self.publish(&tenant, 0.5);
        tenant
    }

    /// A workspace that published nothing.
    pub fn bare_tenant(&self, name: &str) -> Tenant {
        let workspace = service::create_workspace(self.app(), name).unwrap();
        let scope = Scope::live(workspace);
        Tenant {
            scope,
            write_key: self.key(scope, Role::Page),
            admin_key: self.key(scope, Role::Admin),
        }
    }

    pub fn key(&self, scope: Scope, role: Role) -> String {
        service::create_key(self.app(), &Permit::operator(scope), role, "test").unwrap().key
    }

    /// Publishes the demo's signals and a model that weighs pricing so much.
    pub fn publish(&self, tenant: &Tenant, weight: f64) {
        self.publish_model(tenant, model(weight));
    }

    /// Publishes the demo's signals and a model.
    pub fn publish_model(&self, tenant: &Tenant, model: Vec<u8>) {
        let models = BTreeMap::from([("buyers".to_owned(), model)]);
        bundles::publish(self.app(), &Permit::operator(tenant.scope), bundle(), &models).unwrap();
    }

    /// The token of a session that owns the workspaces.
    pub fn session(&self, workspaces: &[WorkspaceId]) -> String {
        let cookie = self.get(&self.owner_link(workspaces)).send().header("set-cookie");
        cookie.split(';').next().unwrap().to_owned()
    }

    /// The path of a new link to the workspaces.
    pub fn owner_link(&self, workspaces: &[WorkspaceId]) -> String {
        let link = service::create_owner_link(self.app(), workspaces).unwrap();
        link.strip_prefix(&self.url()).unwrap().to_owned()
    }

    pub fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    pub fn post(&self, path: &str) -> Call {
        self.call("POST", path)
    }

    pub fn call(&self, method: &str, path: &str) -> Call {
        Call {
            method: method.to_owned(),
            url: format!("{}{path}", self.url()),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Sends a batch with the tenant's write key; must be accepted as a whole.
    pub fn send(&self, tenant: &Tenant, batch: Value) -> Value {
        let reply =
            self.post("/v1/events").key(&tenant.write_key).json(&json!({ "batch": batch })).send();
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()
    }

    /// The visitors of a tenant as its admin sees them.
    pub fn visitors(&self, tenant: &Tenant) -> Vec<Value> {
        let reply = self.get("/v1/visitors").key(&tenant.admin_key).send();
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.json()["visitors"].as_array().unwrap().clone()
    }

    /// Waits until the visitors of a tenant have so many events in all.
    pub fn settle(&self, tenant: &Tenant, events: u64) -> Vec<Value> {
        eventually(|| {
            let visitors = self.visitors(tenant);
            let seen: u64 =
                visitors.iter().map(|visitor| visitor["events"].as_u64().unwrap()).sum();
            (seen == events).then_some(visitors)
        })
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop();
    }
}

/// An empty directory, gone at the end of the test.
pub struct Scratch(PathBuf);

/// An empty directory of the test's own.
pub fn scratch() -> Scratch {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let directory =
        std::env::temp_dir().join(format!("rapport-test-{}-{count}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    Scratch(directory)
}

impl Deref for Scratch {
    type Target = PathBuf;

    fn deref(&self) -> &PathBuf {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Puts a copy of a file or directory in the place of another.
pub fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    let _ = std::fs::remove_dir_all(to);
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        copy(&path, &to.join(path.file_name().unwrap()));
    }
}

/// Asks until there is an answer.
pub fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "nothing happened for 20 s");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub struct Call {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Call {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    pub fn cookie(self, cookie: &str) -> Self {
        self.header("cookie", cookie)
    }

    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub fn send(self) -> Reply {
        self.try_send().unwrap()
    }

    pub fn try_send(self) -> Result<Reply, ureq::Error> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        let mut request =
            ureq::http::Request::builder().method(self.method.as_str()).uri(&self.url);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut response = if self.body.is_empty()
            && matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "DELETE")
        {
            agent.run(request.body(()).unwrap())?
        } else {
            agent.run(request.body(self.body.as_slice()).unwrap())?
        };
        let headers = response.headers().clone();
        let bytes = response.body_mut().with_config().limit(64 << 20).read_to_vec()?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Reply { status: response.status().as_u16(), headers, bytes, text })
    }
}

pub struct Reply {
    pub status: u16,
    headers: ureq::http::HeaderMap,
    pub bytes: Vec<u8>,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }
}

/// A page view of a visitor.
pub fn page(visitor: &str, message: &str, path: &str) -> Value {
    json!({ "type": "page", "anonymousId": visitor, "messageId": message, "context": { "page": { "path": path } } })
}

/// The demo's signals with one model.
pub fn bundle() -> Map<String, Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/demo/signals.json");
    let signals: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let bundle = json!({ "signals": signals, "models": [{ "name": "buyers" }] });
    bundle.as_object().unwrap().clone()
}

/// Adds `weight` for each look at pricing and a little for each page.
pub fn model(weight: f64) -> Vec<u8> {
    additive(&[("pricing_views", weight), ("page_views", 0.1)])
}

/// Adds so much for each unit of a signal.
pub fn additive(weights: &[(&str, f64)]) -> Vec<u8> {
    let signals = weights.iter().map(|(name, _)| Signal::new(*name, SignalKind::Number));
    let groups = (0..).zip(weights).map(|(signal, (_, points))| {
        let effect = Effect::PerUnit { points: *points, from: 0.0, to: 10.0 };
        Group::uncapped(vec![Term { signal, effect, missing: 0.0, usual: 0.0 }])
    });
    let model = AdditiveModel { signals: signals.collect(), bias: -2.0, groups: groups.collect() };
    let bands = Bands { not_below: 0.2, qualified_from: 0.6 };
    encode(&LeadModel::of_logistic("buyers", model, bands)).unwrap()
}

/// The test environment of a workspace.
pub fn test_environment(scope: Scope) -> Scope {
    Scope { environment: Environment::Test, ..scope }
}
