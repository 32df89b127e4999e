//! A data directory as after weeks of traffic: a workspace, its bundle, its visitors, its log.

use crate::house;
use crate::load::cpu_seconds;
use crate::traffic::{BATCH, Traffic};
use rapport_backend::collect::{Arrival, Batch, Item, write};
use rapport_backend::identity::{Permit, Role, Scope, service};
use rapport_backend::keys::{DirectoryKeys, KeyStore};
use rapport_backend::log::{DayLog, EventLog};
use rapport_backend::{Config, bundles, clock, start};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

const GROUP: u64 = 2000;
/// So many of them are not sealed yet.
const HOT_DAYS: usize = 2;
const DAY: i64 = 86_400_000;
const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36";

/// Makes the directory; answers its keys and how fast the log took the events.
pub fn fill(directory: &Path, events: u64, visitors: u64, days: i64) -> Value {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (scope, write_key, admin_key) = runtime.block_on(async {
        let running = start(config(directory)).await.unwrap();
        let scope = Scope::live(service::create_workspace(running.app(), "Load").unwrap());
        let permit = Permit::operator(scope);
        let key = |role| service::create_key(running.app(), &permit, role, "load").unwrap().key;
        let keys = (key(Role::Page), key(Role::Admin));
        let models = BTreeMap::from([("buyers".to_owned(), house::model(0.5))]);
        bundles::publish(running.app(), &permit, house::bundle(), &models).unwrap();
        running.stop().await;
        (scope, keys.0, keys.1)
    });
    let keys = Arc::new(DirectoryKeys::open(&directory.join("keys")).unwrap());
    // As after weeks: days that are over are sealed.
    let log = DayLog::open(directory).unwrap().sealing_under(keys.clone());
    let started = Instant::now();
    let groups = events.div_ceil(GROUP);
    let now = clock::now();
    // One thread admits, the other writes, as in the server.
    std::thread::scope(|threads| {
        let (queue, inbox) = mpsc::sync_channel::<Vec<Vec<Item>>>(4);
        let (log, keys) = (&log, &keys);
        threads.spawn(move || {
            for (number, group) in (1..).zip(inbox) {
                let (outcomes, _) = write(log, &**keys, group);
                assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
                if number % 32 == 0 {
                    log.tidy().unwrap();
                    // Nor does more wait to be sealed than a day at a time.
                    seal(log, directory, HOT_DAYS + 1);
                }
                if number % 500 == 0 {
                    let rate = (number * GROUP) as f64 / started.elapsed().as_secs_f64();
                    eprintln!("  {} of {events} events, {rate:.0} a second", number * GROUP);
                }
            }
        });
        let mut filler = Filler::new(&**keys, scope, visitors);
        for group in 0..groups {
            let time = now - days * DAY + (days * DAY) * group as i64 / groups as i64;
            let batches = GROUP / BATCH as u64;
            queue.send((0..batches).map(|_| filler.batch(time)).collect()).unwrap();
        }
    });
    seal(&log, directory, HOT_DAYS);
    let seconds = started.elapsed().as_secs_f64();
    json!({
        "write_key": write_key, "admin_key": admin_key, "workspace": scope.workspace.to_string(),
        "fill_events_per_s": events as f64 / seconds,
    })
}

/// Seals the oldest days until so many have a journal.
fn seal(log: &DayLog, directory: &Path, left: usize) {
    let hot = || {
        let days = std::fs::read_dir(directory.join("log")).unwrap();
        days.filter(|day| day.as_ref().unwrap().path().join("events.journal").exists()).count()
    };
    while hot() > left {
        log.tidy().unwrap();
    }
}

/// Folds every profile of the directory's only workspace from the first event, at a first start.
pub fn refold(directory: &Path) -> Value {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let log = DayLog::open(directory).unwrap();
        let (scope, end) = log.ends().unwrap()[0];
        drop(log);
        let (started, before) = (Instant::now(), cpu_seconds());
        let running = start(config(directory)).await.unwrap();
        while running.app().lag(scope).unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - before);
        running.stop().await;
        let (events, cpu_us) = (end.0 as f64, cpu / end.0 as f64 * 1e6);
        json!({ "events_per_s": events / seconds, "events": events, "cpu_us": cpu_us })
    })
}

fn config(directory: &Path) -> Config {
    let mut config = Config::new(directory);
    config.listen.set_port(0);
    config
}

/// Admits events as the server's door does.
struct Filler {
    arrival: Arrival,
    traffic: Traffic,
    visitors: u64,
    body: String,
}

impl Filler {
    fn new(keys: &dyn KeyStore, scope: Scope, visitors: u64) -> Self {
        let key = keys.workspace_key(scope.workspace).unwrap();
        let arrival = Arrival {
            ip: Some("203.0.113.7".to_owned()),
            user_agent: Some(USER_AGENT.to_owned()),
            ..Arrival::new(scope, key, 0)
        };
        Self { arrival, traffic: Traffic::new(7), visitors, body: String::new() }
    }

    /// A batch of a visitor who sent it at `time`.
    fn batch(&mut self, time: i64) -> Vec<Item> {
        let visitor = self.traffic.visitor(self.visitors);
        self.traffic.body(&mut self.body, "", visitor, time, None);
        self.arrival.received_at = time + 20;
        let batch = Batch::read(self.body.as_bytes()).unwrap();
        let admitted = batch.events.iter().map(|raw| self.arrival.admit(&batch, raw));
        admitted.map(|admitted| admitted.unwrap().item).collect()
    }
}
