//! The demo's invented visitors, and the mapping of real leads to its signals.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../src/demo/mapping.rs"]
mod mapping;
#[path = "../src/demo/simulate.rs"]
mod simulate;

use rapport_core::bundle::{BundleWire, PartKind, compile};
use rapport_core::decide::{Decision, Engine, Want};
use rapport_core::event::{Event, EventWire, Millis};
use rapport_core::profile::{SignalWire, compile_signals};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

fn example(name: &str) -> String {
    let path = format!("../examples/demo/{name}");
    std::fs::read_to_string(path).unwrap()
}

fn signals() -> Vec<SignalWire> {
    serde_json::from_str(&example("signals.json")).unwrap()
}

fn simulated(visitors: u32, seed: u64) -> String {
    let mut table = Vec::new();
    simulate::simulate(&signals(), visitors, seed, &mut table).unwrap();
    String::from_utf8(table).unwrap()
}

#[test]
fn the_demo_signals_all_compile() {
    let (_, problems) = compile_signals(&signals());
    assert_eq!(problems, []);
}

#[test]
fn the_same_seed_invents_the_same_visitors() {
    assert_eq!(simulated(200, 7), simulated(200, 7));
    assert_ne!(simulated(200, 7), simulated(200, 8));
}

#[test]
fn some_invented_visitors_buy_and_most_do_not() {
    let table = simulated(2000, 1);
    let yes = table.lines().filter(|line| line.ends_with(",yes")).count();
    assert!((250..600).contains(&yes), "{yes} of 2000 buy");
    if let Ok(path) = std::env::var("RAPPORT_KEEP_TABLE") {
        std::fs::write(path, simulated(20_000, 1)).unwrap();
    }
}

#[test]
fn the_mapping_names_signals_of_the_demo_and_says_what_is_missing() {
    let mapping: mapping::Mapping =
        serde_json::from_str(&example("xeducation-mapping.json")).unwrap();
    let signals = signals();
    for column in &mapping.columns {
        assert!(signals.iter().any(|signal| signal.name == column.signal), "{}", column.signal);
    }
    let mut out = Vec::new();
    let error = mapping.apply("TotalVisits,Converted\n1,0\n".as_bytes(), &mut out).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the table has no column `Page Views Per Visit`, which the mapping reads"
    );
    let table = "TotalVisits,Page Views Per Visit,Total Time Spent on Website,Lead Source,Lead Origin,\
                 What is your current occupation,Specialization,Last Activity,Converted\n\
                 12,4.0,90,Google,API,Select,Finance Management,Page Visited on Website,1\n\
                 0,0,0,Radio,API,,Select,,0\n";
    let mut out = Vec::new();
    mapping.apply(table.as_bytes(), &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "page_views,visits,pages_per_visit,engaged_seconds,first_channel,origin,occupation,specialization,last_event,Converted\n\
         12,3,4.0,90,paid search,chat or sign-up,not given,Finance Management,page,1\n\
         0,0,,0,Radio,chat or sign-up,not given,not given,,0\n"
    );
}

#[test]
fn one_browsed_visit_moves_the_score_of_a_model_learnt_from_invented_visitors() {
    let folder = scratch("simulated");
    std::fs::write(folder.join("visitors.csv"), simulated(8000, 1)).unwrap();
    let model = train(&folder.join("visitors.csv"), "became_customer", &folder);
    browse_and_judge(&model);
}

#[test]
fn one_browsed_visit_moves_the_score_of_a_model_learnt_from_real_leads() {
    let data = std::env::var("RAPPORT_DATA").unwrap_or_else(|_| "../../shared/data".to_owned());
    let Ok(leads) = std::fs::File::open(Path::new(&data).join("leads/xeducation_train.csv")) else {
        println!("SKIPPED no leads/xeducation_train.csv in {data}");
        return;
    };
    let mapping: mapping::Mapping =
        serde_json::from_str(&example("xeducation-mapping.json")).unwrap();
    let folder = scratch("xeducation");
    mapping.apply(leads, std::fs::File::create(folder.join("leads.csv")).unwrap()).unwrap();
    let model = train(&folder.join("leads.csv"), &mapping.target.column, &folder);
    browse_and_judge(&model);
}

/// Home, product, pricing twice, a case study, documentation, and the form for a demo.
fn browse_and_judge(model: &[u8]) {
    let bundle: BundleWire = serde_json::from_value(json!({
        "workspace": "demo", "environment": "test", "signals": signals(), "models": [{"name": "buyers"}],
    }))
    .unwrap();
    let compiled = compile(&bundle, &[("buyers", model)]);
    assert_eq!(compiled.problems, []);
    let part = |kind| compiled.part(kind).unwrap().bytes.as_slice();
    let mut engine =
        Engine::open(part(PartKind::Signals), part(PartKind::Model), part(PartKind::Words))
            .unwrap();
    let mut visit = Browsing { profile: engine.new_profile(), now: Millis(1_780_000_000_000) };
    visit.page(&mut engine, "/", "https://www.google.com/");
    let before = visit.decide(&mut engine);
    for path in [
        "/product",
        "/pricing",
        "/case-studies/brenner-praezision",
        "/docs/quickstart",
        "/pricing",
        "/demo",
    ] {
        visit.page(&mut engine, path, "https://www.tidewright.example/");
    }
    let form = json!({"form": "demo"});
    visit.happens(
        &mut engine,
        "/demo",
        json!({"type": "track", "event": "Form Started", "properties": form}),
    );
    visit.happens(
        &mut engine,
        "/demo",
        json!({"type": "track", "event": "Form Submitted", "properties": form}),
    );
    let traits = json!({"occupation": "Working Professional", "specialization": "Operations Management",
        "employees": "350", "timeline": "quarter"});
    visit.happens(&mut engine, "/demo", json!({"type": "identify", "traits": traits}));
    let after = visit.decide(&mut engine);
    for decision in [&before, &after] {
        println!("{} ({:?})", decision.score, decision.band);
        for reason in &decision.reasons {
            let mut text = String::new();
            engine.say(&visit.profile, decision, reason, &mut text);
            println!("  {text}");
        }
    }
    nothing_changes_before_it_says_so(&mut engine, &visit, &after);
    let moved =
        after.reasons.iter().filter(|reason| points(&before, reason.id) != reason.points).count();
    assert!(after.score >= before.score + 25, "{} after {}", after.score, before.score);
    assert!(moved >= 6, "{moved} signals moved");
}

/// Though nothing happens, scores age; `next_change_at` must never come too late.
fn nothing_changes_before_it_says_so(engine: &mut Engine, visit: &Browsing, decision: &Decision) {
    let want = Want { reasons: 0, next_change: true };
    let (mut decision, mut changes) = (decision.clone(), 0);
    for _ in 0..400 {
        let Some(next) = decision.next_change_at else { break };
        assert!(next > decision.as_of);
        let span = next.0 - 1 - decision.as_of.0;
        for part in 0..=8 {
            let between = engine.decide(&visit.profile, decision.as_of.plus(span * part / 8), want);
            assert_eq!(between.probability, decision.probability, "{:?}", between.as_of);
        }
        let after = engine.decide(&visit.profile, next, want);
        changes += usize::from(after.probability != decision.probability);
        decision = after;
    }
    println!(
        "{changes} changes until {} days later",
        decision.as_of.since(visit.now) / Millis::DAY
    );
}

fn points(decision: &Decision, id: u32) -> i32 {
    decision.reasons.iter().find(|reason| reason.id == id).map_or(0, |reason| reason.points)
}

struct Browsing {
    profile: rapport_core::profile::Profile,
    now: Millis,
}

impl Browsing {
    /// A page that is read for half a minute.
    fn page(&mut self, engine: &mut Engine, path: &str, referrer: &str) {
        let mut event = json!({"type": "page"});
        event["context"]["page"]["referrer"] = json!(referrer);
        self.happens(engine, path, event);
        for _ in 0..3 {
            self.now = self.now.plus(10_000);
            self.happens(
                engine,
                path,
                json!({"type": "track", "event": "Engaged", "properties": {"seconds": 9.8}}),
            );
        }
    }

    fn happens(&mut self, engine: &mut Engine, path: &str, mut event: Value) {
        event["context"]["page"]["path"] = json!(path);
        event["context"]["page"]["url"] = json!(format!("https://www.tidewright.example{path}"));
        let wire: EventWire = serde_json::from_value(event).unwrap();
        let bytes = wire.encode(self.now).unwrap();
        engine.fold(&mut self.profile, &Event::decode(&bytes).unwrap(), self.now);
    }

    fn decide(&self, engine: &mut Engine) -> Decision {
        let decision =
            engine.decide(&self.profile, self.now, Want { reasons: 30, next_change: true });
        let points: i32 = decision.reasons.iter().map(|reason| reason.points).sum();
        assert_eq!(i32::from(decision.base) + points + decision.rest, i32::from(decision.score));
        decision
    }
}

fn train(table: &Path, target: &str, folder: &Path) -> Vec<u8> {
    let out = folder.join("model.rpm");
    let mut command = Command::new(env!("CARGO_BIN_EXE_rapport"));
    command.arg("train").args(["--target", target, "--trees", "100"]);
    let output = command.arg("--input").arg(table).arg("--out").arg(&out).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(out).unwrap()
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
