//! The demo's invented visitors, and the mapping of real leads to its signals.

#[path = "../src/demo/mapping.rs"]
mod mapping;
#[path = "../src/demo/simulate.rs"]
mod simulate;

use rapport_core::profile::{SignalWire, compile_signals};

fn example(name: &str) -> String {
    let path = format!("{}/../examples/demo/{name}", env!("CARGO_MANIFEST_DIR"));
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
         12,3,4.0,90,paid search,chat or sign-up,,Finance Management,page,1\n\
         0,0,,0,Radio,chat or sign-up,,,,0\n"
    );
}
