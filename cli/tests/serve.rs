//! `rapport serve` from outside: killed while it writes, asked to stop, started where it cannot.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used)]

use rapport_backend::log::{DayLog, EventLog, Offset};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const WRITERS: u64 = 4;
const BATCH: u64 = 5;

struct Server {
    child: Child,
    url: String,
}

impl Server {
    /// Starts a server; answers the write key too where it is the first start.
    fn start(directory: &Path) -> (Self, Option<String>) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_rapport"))
            .args(["serve", "--listen", "127.0.0.1:0", "--owner-link", "--dir"])
            .arg(directory)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut url, mut key) = (None, None);
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some(rest) = line.strip_prefix("Rapport serves at ") {
                url = Some(rest.to_owned());
            } else if let Some((_, rest)) = line.split_once("/v1/sdk/") {
                key = rest.split('.').next().map(str::to_owned);
            } else if line.starts_with("Owner link") {
                break;
            }
        }
        (Self { child, url: url.unwrap() }, key)
    }

    /// Sends a batch; answers what became of each event, or nothing where the server died.
    fn send(&self, key: &str, ids: &[String]) -> Option<Vec<String>> {
        let batch: Vec<_> = ids
            .iter()
            .map(|id| json!({ "type": "page", "anonymousId": id.split('-').next(), "messageId": id }))
            .collect();
        let body = json!({ "key": key, "batch": batch }).to_string();
        let mut reply = ureq::post(format!("{}/v1/events", self.url)).send(body).ok()?;
        let reply: Value = serde_json::from_str(&reply.body_mut().read_to_string().ok()?).unwrap();
        let results = reply["results"].as_array().unwrap();
        Some(results.iter().map(|result| result["status"].as_str().unwrap().to_owned()).collect())
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn scratch(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("rapport-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

#[test]
fn a_server_that_is_asked_to_stop_answers_what_it_took_and_ends_well() {
    let directory = scratch("stop");
    let (mut server, key) = Server::start(&directory);
    let key = key.unwrap();
    let acknowledged = Mutex::new(0);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (server, key, acknowledged) = (&server, &key, &acknowledged);
            scope.spawn(move || {
                for number in 0.. {
                    let Some(results) = server.send(key, &[format!("v{writer}-{number}")]) else {
                        return;
                    };
                    assert_eq!(results, ["accepted"]);
                    *acknowledged.lock().unwrap() += 1;
                }
            });
        }
        std::thread::sleep(Duration::from_millis(200));
        server.signal("-TERM");
    });
    assert!(server.child.wait().unwrap().success());
    let log = DayLog::open(&directory).unwrap();
    let (_, end) = log.ends().unwrap()[0];
    assert_eq!(end.0, acknowledged.into_inner().unwrap(), "as many kept as acknowledged");
    std::fs::remove_dir_all(&directory).unwrap();
}

/// Runs a command that must end with one sentence.
fn fails(command: &str, arguments: &[&str], says: &str) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_rapport")).arg(command).args(arguments).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.starts_with("rapport: ") && error.contains(says), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn a_start_that_fails_says_why_in_one_sentence() {
    let directory = scratch("refuse");
    let (server, _) = Server::start(&directory);
    let taken = server.url.strip_prefix("http://").unwrap().to_owned();
    let other = scratch("refuse-too");
    let (here, there) = (directory.to_str().unwrap(), other.to_str().unwrap());
    let file = other.join("file");
    std::fs::write(&file, "").unwrap();
    let cases = [
        (["--dir", here, "--listen", "127.0.0.1:0"], "another process uses the data directory"),
        (["--dir", there, "--listen", &taken], "is taken; choose another with --listen"),
        (["--dir", file.to_str().unwrap(), "--listen", "127.0.0.1:0"], "cannot be used"),
    ];
    for (arguments, says) in cases {
        fails("serve", &arguments, says);
    }
    fails("serve", &["--dir", there, "--sdk-dir", there], "holds no built SDK");
    // A demo says so before it trains.
    let built = other.join("sdk");
    std::fs::create_dir(&built).unwrap();
    std::fs::write(built.join("loader.js"), "").unwrap();
    let (site, signals) = ("../examples/demo-site", "../examples/demo");
    let (built, port) = (built.to_str().unwrap(), taken.rsplit(':').next().unwrap());
    let demo = |changed: &'static str, to: &str, says: &str| {
        let mut arguments = std::collections::BTreeMap::from([
            ("--dir", there),
            ("--sdk-dir", built),
            ("--site", site),
            ("--signals", signals),
            ("--port", "0"),
        ]);
        arguments.insert(changed, to);
        let arguments: Vec<_> = arguments.into_iter().flat_map(|(name, to)| [name, to]).collect();
        fails("demo", &arguments, says);
    };
    demo("--sdk-dir", here, "holds no built SDK");
    demo("--site", here, "say where with --site");
    demo("--signals", here, "say where with --signals");
    demo("--dir", file.to_str().unwrap(), "choose another --dir");
    demo("--port", port, "choose others with --port");
    server.kill();
    for directory in [directory, other] {
        std::fs::remove_dir_all(directory).unwrap();
    }
}

#[test]
fn a_killed_server_loses_nothing_it_acknowledged_and_counts_nothing_twice() {
    let rounds = if std::env::var_os("RAPPORT_SOAK").is_some() { 100 } else { 3 };
    let directory = scratch("kill");
    let mut key = None;
    let mut acknowledged = BTreeSet::new();
    let mut unanswered = Vec::new();
    let next = AtomicU64::new(0);
    for round in 0..rounds {
        let (server, first_key) = Server::start(&directory);
        key = first_key.or(key);
        let key = key.clone().unwrap();
        let (answered, open) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (server, key, next, answered, open) = (&server, &key, &next, &answered, &open);
                scope.spawn(move || {
                    loop {
                        let ids: Vec<_> = (0..BATCH)
                            .map(|_| format!("v{writer}-{}", next.fetch_add(1, Ordering::Relaxed)))
                            .collect();
                        let Some(results) = server.send(key, &ids) else {
                            open.lock().unwrap().push(ids);
                            return;
                        };
                        assert!(results.iter().all(|status| status == "accepted"), "{results:?}");
                        answered.lock().unwrap().extend(ids);
                    }
                });
            }
            // Each round is cut off at another moment.
            std::thread::sleep(Duration::from_millis(150 + round * 37 % 200));
            server.signal("-9");
        });
        server.kill();
        acknowledged.extend(answered.into_inner().unwrap());
        unanswered.extend(open.into_inner().unwrap());
    }
    assert!(!acknowledged.is_empty());

    // Whoever got no answer sends again: once more is no harm, whether it had arrived or not.
    let (server, _) = Server::start(&directory);
    let key = key.unwrap();
    for ids in &unanswered {
        server.send(&key, ids).unwrap();
    }
    let all: Vec<_> = acknowledged.iter().cloned().collect();
    for ids in all.chunks(100) {
        assert!(server.send(&key, ids).unwrap().iter().all(|status| status == "duplicate"));
    }
    server.kill();

    let log = DayLog::open(&directory).unwrap();
    let (scope, end) = log.ends().unwrap()[0];
    let mut kept = Vec::new();
    loop {
        let step = log.read(scope, Offset(kept.len() as i64), 1000).unwrap();
        if step.is_empty() {
            break;
        }
        kept.extend(step.into_iter().map(|envelope| envelope.draft.message_id));
    }
    let once: BTreeSet<_> = kept.iter().cloned().collect();
    let sent: BTreeSet<_> =
        acknowledged.into_iter().chain(unanswered.into_iter().flatten()).collect();
    assert_eq!((kept.len(), end.0 as usize), (once.len(), once.len()), "each once, without a gap");
    assert_eq!(once, sent);
    println!("{rounds} kills, {} events acknowledged, none lost, none twice", once.len());
    std::fs::remove_dir_all(&directory).unwrap();
}
