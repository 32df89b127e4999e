//! `rapport serve` killed while it collects and folds: nothing that was acknowledged is lost, nothing
//! counts twice, and what follows from the log is what a rebuild makes of it.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used)]

mod server;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rapport_backend::log::{DayLog, EventLog, Offset};
use rapport_core::model::{
    AdditiveModel, Bands, Effect, Group, LeadModel, Signal, SignalKind, Term, encode,
};
use serde_json::{Value, json};
use server::{Server, page, scratch};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const WRITERS: u64 = 4;
const BATCH: u64 = 5;
const VISITORS: u64 = 40;
const HOUR: i64 = 3_600_000;

/// An owner of the workspace, who talks to one start of the server.
struct Owner<'s> {
    server: &'s Server,
    cookie: String,
}

impl<'s> Owner<'s> {
    fn new(server: &'s Server) -> Self {
        let agent: ureq::Agent = ureq::Agent::config_builder().max_redirects(0).build().into();
        let link = format!("{}{}", server.url, server.owner_link);
        let reply = agent.get(link).call().unwrap();
        let cookie = reply.headers()["set-cookie"].to_str().unwrap();
        Self { server, cookie: cookie.split(';').next().unwrap().to_owned() }
    }

    fn get(&self, path: &str) -> ureq::Body {
        let request = ureq::get(format!("{}{path}", self.server.url));
        request.header("cookie", &self.cookie).call().unwrap().into_body()
    }

    fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).read_to_string().unwrap()).unwrap()
    }

    /// Nothing where the server was killed meanwhile.
    fn post(&self, path: &str, body: &Value) -> Option<Value> {
        let request = ureq::post(format!("{}{path}", self.server.url));
        let request = request.header("cookie", &self.cookie).header("origin", &self.server.url);
        let request = request.header("content-type", "application/json");
        let mut reply = request.send(body.to_string()).ok()?;
        serde_json::from_str(&reply.body_mut().read_to_string().ok()?).ok()
    }

    /// Publishes those of the demo's signals that do not age, and a model; answers a key for servers.
    fn begin(&self) -> String {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/demo/signals.json");
        let signals = std::fs::read_to_string(path).unwrap();
        let mut signals: Vec<Value> = serde_json::from_str(&signals).unwrap();
        // What ages is read as of now, and now moves on.
        let stays = ["count", "visits", "ratio", "engaged", "distinct", "window", "last"];
        signals.retain(|signal| stays.iter().any(|kind| signal["kind"] == *kind));
        signals.iter_mut().for_each(|signal| _ = signal.as_object_mut().unwrap().remove("words"));
        let bundle = json!({ "signals": signals, "models": [{ "name": "buyers" }] });
        let models = json!({ "buyers": BASE64_STANDARD.encode(model()) });
        let published = self.post("/v1/bundles", &json!({ "bundle": bundle, "models": models }));
        assert_eq!(published.unwrap()["problems"], json!([]));
        let key = self.post("/v1/keys", &json!({ "name": "test", "role": "admin" })).unwrap();
        key["key"].as_str().unwrap().to_owned()
    }

    /// How many events the log holds; returns when all of them are folded.
    fn folded(&self) -> u64 {
        let start = Instant::now();
        loop {
            let status = self.json("/v1/profiles/status");
            if status["lag"] == 0 {
                return status["logged"].as_u64().unwrap();
            }
            assert!(start.elapsed() < Duration::from_secs(60), "still behind: {status}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Profiles with their scores as they are listed, and as the live feed begins.
    fn projections(&self) -> [Vec<Value>; 2] {
        let listed = self.json("/v1/visitors")["visitors"].take();
        let feed = BufReader::new(self.get("/v1/live").into_reader()).lines();
        let first = feed.map(Result::unwrap).find_map(|line| {
            line.strip_prefix("data: ").map(|data| serde_json::from_str::<Value>(data).unwrap())
        });
        [listed, first.unwrap()].map(|visitors| {
            let mut visitors = visitors.as_array().unwrap().clone();
            visitors.iter_mut().for_each(|visitor| visitor["asOf"] = Value::Null);
            visitors.sort_by_key(|visitor| visitor["id"].to_string());
            visitors
        })
    }
}

/// Adds for each look at pricing and a little for each page.
fn model() -> Vec<u8> {
    let weights = [("pricing_views", 0.05), ("page_views", 0.01), ("pages_last_week", 0.01)];
    let groups = (0..).zip(weights).map(|(signal, (_, points))| {
        let effect = Effect::PerUnit { points, from: 0.0, to: 1e6 };
        Group::uncapped(vec![Term { signal, effect, missing: 0.0, usual: 0.0 }])
    });
    let signals = weights.map(|(name, _)| Signal::new(name, SignalKind::Number)).to_vec();
    let model = AdditiveModel { signals, bias: -2.0, groups: groups.collect() };
    let bands = Bands { not_below: 0.2, qualified_from: 0.6 };
    encode(&LeadModel::of_logistic("buyers", model, bands)).unwrap()
}

/// The event of that number: some late, some of which say whose the browser is.
fn event(number: u64) -> Value {
    let (visitor, id) = (number % VISITORS, format!("m{number}"));
    let path = ["/", "/pricing", "/docs/start", "/blog/a"][number as usize % 4];
    let mut event = page(&format!("v{visitor}"), &id, path);
    if number.is_multiple_of(11) && visitor.is_multiple_of(2) {
        event["type"] = json!("identify");
        event["userId"] = json!(format!("u{}", visitor % 6));
    }
    if number.is_multiple_of(9) {
        let late = rapport_backend::clock::now() - (number % 48) as i64 * HOUR;
        event["timestamp"] = json!(late);
    }
    event
}

#[test]
fn a_killed_server_loses_nothing_counts_nothing_twice_and_folds_as_a_rebuild_does() {
    let rounds = if std::env::var_os("RAPPORT_SOAK").is_some() { 100 } else { 3 };
    let directory = scratch("kill");
    let (mut key, mut server_key) = (None, None);
    let mut acknowledged = BTreeSet::new();
    let mut unanswered: Vec<Vec<u64>> = Vec::new();
    let next = AtomicU64::new(0);
    // After the last kill it is looked at once more.
    for round in 0..=rounds {
        let (server, first_key) = Server::start(&directory);
        key = first_key.or(key);
        let key = key.clone().unwrap();
        let owner = Owner::new(&server);
        let server_key = server_key.get_or_insert_with(|| owner.begin());

        let logged = owner.folded();
        let live = owner.projections();
        let counted: u64 = live[0].iter().map(|one| one["events"].as_u64().unwrap()).sum();
        assert_eq!(counted, logged, "each event counts once, after {round} kills");
        assert_eq!(live[0], live[1], "the feed begins with what is listed");
        owner.post("/v1/profiles/rebuild", &json!({})).unwrap();
        assert_eq!(owner.projections(), live, "as a rebuild has it, after {round} kills");
        if round == rounds {
            // Whoever got no answer sends again: once more is no harm, whether it had arrived or not.
            for numbers in &unanswered {
                server.send(server_key, &events(numbers)).unwrap();
            }
            let all: Vec<_> = acknowledged.iter().copied().collect();
            for numbers in all.chunks(100) {
                let again = server.send(server_key, &events(numbers)).unwrap();
                assert!(again.iter().all(|status| status == "duplicate"), "{again:?}");
            }
            break;
        }

        let (answered, open) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                // A server's word on whose a browser is proves it; a page's does not.
                let key = if writer == 0 { &*server_key } else { &key };
                let (server, next, answered, open) = (&server, &next, &answered, &open);
                scope.spawn(move || {
                    loop {
                        let numbers: Vec<_> =
                            (0..BATCH).map(|_| next.fetch_add(1, Ordering::Relaxed)).collect();
                        let Some(results) = server.send(key, &events(&numbers)) else {
                            open.lock().unwrap().push(numbers);
                            return;
                        };
                        assert!(results.iter().all(|status| status == "accepted"), "{results:?}");
                        answered.lock().unwrap().extend(numbers);
                    }
                });
            }
            if round % 3 == 2 {
                // Also in the middle of folding everything anew.
                scope.spawn(|| owner.post("/v1/profiles/rebuild", &json!({})));
            }
            // Each round is cut off at another moment.
            std::thread::sleep(Duration::from_millis(150 + round * 37 % 200));
            server.signal("-9");
        });
        drop(server);
        acknowledged.extend(answered.into_inner().unwrap());
        unanswered.extend(open.into_inner().unwrap());
    }
    assert!(!acknowledged.is_empty());

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
    assert_eq!((kept.len(), end.0 as usize), (once.len(), once.len()), "each once, without a gap");
    let sent = acknowledged.into_iter().chain(unanswered.into_iter().flatten());
    assert_eq!(once, sent.map(|number| format!("m{number}")).collect());
    println!(
        "{rounds} kills, {} events, none lost, none twice, {rounds} rebuilds alike",
        once.len()
    );
    std::fs::remove_dir_all(&directory).unwrap();
}

fn events(numbers: &[u64]) -> Vec<Value> {
    numbers.iter().map(|number| event(*number)).collect()
}
