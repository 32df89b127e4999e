//! `rapport serve` as a process, and who talks to it.
#![allow(dead_code, reason = "each test file uses its part")]

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub struct Server {
    pub child: Child,
    pub url: String,
    /// The path that makes its caller an owner, once.
    pub owner_link: String,
}

impl Server {
    /// Starts a server; answers the write key too where it is the first start.
    pub fn start(directory: &Path) -> (Self, Option<String>) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rapport"))
            .args(["serve", "--listen", "127.0.0.1:0", "--owner-link", "--dir"])
            .arg(directory)
            // All the load comes from one address.
            .args(["--events-per-second", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut url, mut key, mut owner_link) = (String::new(), None, String::new());
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(rest) = line.strip_prefix("Rapport serves at ") {
                url = rest.to_owned();
            } else if let Some((_, rest)) = line.split_once("/v1/sdk/") {
                key = rest.split('.').next().map(str::to_owned);
            } else if line.starts_with("Owner link") {
                owner_link = line.split_once(&url).unwrap().1.to_owned();
                break;
            }
        }
        assert!(!url.is_empty(), "the server did not start");
        (Self { child, url, owner_link }, key)
    }

    /// Sends a batch; answers what became of each event, or nothing where the server died.
    pub fn send(&self, key: &str, batch: &[Value]) -> Option<Vec<String>> {
        let request = ureq::post(format!("{}/v1/events", self.url));
        let request = request.header("authorization", format!("Bearer {key}"));
        let mut reply = request.send(json!({ "batch": batch }).to_string()).ok()?;
        let reply: Value = serde_json::from_str(&reply.body_mut().read_to_string().ok()?).unwrap();
        let results = reply["results"].as_array().unwrap();
        Some(results.iter().map(|result| result["status"].as_str().unwrap().to_owned()).collect())
    }

    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }
}

impl Drop for Server {
    /// Kills it, also where a test fails.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn scratch(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("rapport-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// A page view of a visitor.
pub fn page(visitor: &str, id: &str, path: &str) -> Value {
    json!({
        "type": "page", "anonymousId": visitor, "messageId": id,
        "context": { "page": { "path": path } },
    })
}
