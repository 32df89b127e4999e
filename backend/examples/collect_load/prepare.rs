//! A data directory as after weeks of traffic: a workspace, its bundle, its visitors, its log.

use crate::load::cpu_seconds;
use crate::traffic::Traffic;
use rapport_backend::identity::{Permit, Role, Scope, SubjectId, service};
use rapport_backend::keys::{DirectoryKeys, KeyStore, SubjectKey, VisitorRef, pseudonym};
use rapport_backend::log::{
    Consent, DayLog, Draft, EventLog, Open, SCHEMA_VERSION, SealedWire, seal,
};
use rapport_backend::{Config, bundles, clock, start};
use rapport_core::event::EventWire;
use rapport_core::model::{
    AdditiveModel, Bands, Calibration, Effect, Group, Kind, LeadModel, Packing, Scale, Signal,
    SignalKind, Term, encode,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

const GROUP: u64 = 2000;
/// What is there arrived within this many days, today included.
const DAYS: i64 = 29;
const DAY: i64 = 86_400_000;
const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Safari/537.36";

/// Makes the directory; answers its keys and how fast the log took the events.
pub fn fill(directory: &Path, events: u64, visitors: u64) -> Value {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (scope, write_key, admin_key) = runtime.block_on(async {
        let running = start(config(directory)).await.unwrap();
        let scope = Scope::live(service::create_workspace(running.app(), "Load").unwrap());
        let permit = Permit::operator(scope);
        let key = |role| service::create_key(running.app(), &permit, role, "load").unwrap().key;
        let keys = (key(Role::Page), key(Role::Admin));
        let models = BTreeMap::from([("buyers".to_owned(), model())]);
        bundles::publish(running.app(), &permit, bundle(), &models).unwrap();
        running.stop().await;
        (scope, keys.0, keys.1)
    });
    let log = DayLog::open(directory).unwrap();
    let keys = DirectoryKeys::open(&directory.join("keys")).unwrap();
    let started = Instant::now();
    let mut filler = Filler::new(&keys, scope, visitors);
    let now = clock::now();
    for first in (0..events).step_by(GROUP as usize) {
        let time = now - DAYS * DAY + (DAYS * DAY) * first as i64 / events as i64;
        let drafts = filler.group(time, GROUP.min(events - first));
        log.append(&drafts).unwrap();
        if first / GROUP % 32 == 31 {
            log.tidy().unwrap();
        }
        if first / GROUP % 500 == 499 {
            let rate = (first + GROUP) as f64 / started.elapsed().as_secs_f64();
            eprintln!("  {} of {events} events, {rate:.0} a second", first + GROUP);
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    json!({
        "write_key": write_key, "admin_key": admin_key, "workspace": scope.workspace.to_string(),
        "fill_events_per_s": events as f64 / seconds,
    })
}

/// Folds every profile of the directory's only workspace again from the first event.
pub fn refold(directory: &Path) -> Value {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let log = DayLog::open(directory).unwrap();
        let (scope, end) = log.ends().unwrap()[0];
        drop(log);
        let running = start(config(directory)).await.unwrap();
        // What happens at a first start is not what is measured.
        while running.app().lag(scope).unwrap() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        let (started, before) = (Instant::now(), cpu_seconds());
        let profiles = running.app().rebuild(scope).await.unwrap();
        let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds() - before);
        running.stop().await;
        let (events, cpu_us) = (end.0 as f64, cpu / end.0 as f64 * 1e6);
        json!({ "events_per_s": events / seconds, "events": events, "cpu_us": cpu_us, "profiles": profiles })
    })
}

fn config(directory: &Path) -> Config {
    let mut config = Config::new(directory);
    config.listen.set_port(0);
    config
}

/// Seals events as the server does.
struct Filler<'a> {
    keys: &'a dyn KeyStore,
    scope: Scope,
    traffic: Traffic,
    visitors: u64,
    json: String,
}

impl<'a> Filler<'a> {
    fn new(keys: &'a dyn KeyStore, scope: Scope, visitors: u64) -> Self {
        Self { keys, scope, traffic: Traffic::new(7), visitors, json: String::new() }
    }

    fn group(&mut self, time: i64, size: u64) -> Vec<Draft> {
        let workspace_key = self.keys.workspace_key(self.scope.workspace).unwrap();
        let mut drafts = Vec::new();
        while (drafts.len() as u64) < size {
            let visitor = self.traffic.visitor(self.visitors);
            let mut of_visitor = Vec::new();
            for index in 0..20.min(size - drafts.len() as u64) {
                self.json.clear();
                self.traffic.event(
                    &mut self.json,
                    visitor,
                    time - 15_000 + index as i64 * 700,
                    None,
                );
                of_visitor.push(serde_json::from_str::<EventWire>(&self.json).unwrap());
            }
            let anonymous = of_visitor[0].anonymous_id.clone().unwrap();
            let subject = pseudonym(&workspace_key, self.scope, VisitorRef::Anonymous(&anonymous));
            let keys = self.keys.ensure_subject_keys(self.scope, &[subject]).unwrap();
            let SubjectKey::Kept(key) = &keys[0] else { continue };
            for event in of_visitor {
                let mut draft = draft(self.scope, subject, time, &event);
                let wire = json!({ "ip": "203.0.113.7", "userAgent": USER_AGENT, "event": event });
                let wire: SealedWire = serde_json::from_value(wire).unwrap();
                draft.sealed = seal(key, &draft, &wire).unwrap();
                drafts.push(draft);
            }
        }
        drafts
    }
}

fn draft(scope: Scope, subject: SubjectId, received_at: i64, event: &EventWire) -> Draft {
    let page = &event.context["page"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let campaign = event.context.get("campaign");
    let of_campaign = |name: &str| campaign.and_then(|campaign| text(&campaign[name]));
    let client_time = event.client_time().unwrap().map(|time| time.0);
    Draft {
        scope,
        message_id: event.message_id.clone().unwrap(),
        subject,
        event_time: client_time.unwrap_or(received_at),
        sent_at: Some(received_at - 20),
        received_at,
        consent: Consent::ALL,
        schema_version: SCHEMA_VERSION,
        open: Open {
            kind: event.kind.clone(),
            name: event.event.clone().unwrap_or_default(),
            path: text(&page["path"]),
            referrer_host: Some("www.google.com".to_owned()),
            source: of_campaign("source"),
            medium: of_campaign("medium"),
            campaign: of_campaign("name"),
            client_time,
        },
        sealed: Vec::new(),
    }
}

/// The demo's signals with one model.
fn bundle() -> Map<String, Value> {
    // It runs in the project's root.
    let signals = std::fs::read_to_string("examples/demo/signals.json").unwrap();
    let signals: Value = serde_json::from_str(&signals).unwrap();
    let bundle = json!({ "signals": signals, "models": [{ "name": "buyers" }] });
    bundle.as_object().unwrap().clone()
}

fn model() -> Vec<u8> {
    let weights = [("pricing_views", 0.5), ("page_views", 0.1)];
    let signal = |name: &str| Signal::new(name, SignalKind::Number);
    let groups = (0..).zip(weights).map(|(signal, (_, points))| {
        let effect = Effect::PerUnit { points, from: 0.0, to: 10.0 };
        Group::uncapped(vec![Term { signal, effect, missing: 0.0, usual: 0.0 }])
    });
    let signals = weights.iter().map(|(name, _)| signal(name)).collect();
    let model = AdditiveModel { signals, bias: -2.0, groups: groups.collect() };
    encode(&LeadModel {
        name: "buyers".to_owned(),
        kind: Kind::Logistic(model),
        calibration: Calibration::NONE,
        scale: Scale::PERCENT,
        bands: Bands { not_below: 0.2, qualified_from: 0.6 },
        wanted_fpr: None,
        packing: Packing::COMPACT,
    })
    .unwrap()
}
