//! What the commands print.

use crate::commands::Outcome;
use serde_json::Value;

pub fn added(model: &Value) {
    println!(
        "model {}: `{}`, {}, {} bytes, not live yet",
        model["version"],
        text(&model["name"]),
        text(&model["kind"]),
        model["bytes"]
    );
    texts(&model["notes"]).for_each(|note| println!("  {note}"));
    println!("next: rapport model check {0}, then rapport model promote {0}", model["version"]);
}

/// # Errors
/// Where the version may not be promoted.
pub fn checked(view: &Value) -> Outcome {
    let version = &view["version"];
    if view["ok"] != true {
        let problems: Vec<&str> = texts(&view["problems"]).collect();
        return Err(format!("model {version} may not be promoted: {}", problems.join("; ")).into());
    }
    println!("model {version} may be promoted");
    if let Some(microseconds) = view["microseconds"].as_f64() {
        let scores: Vec<String> =
            view["scores"].as_array().into_iter().flatten().map(Value::to_string).collect();
        println!("  scores of the background: {}", scores.join(", "));
        println!("  {microseconds:.1} µs a row");
    }
    let reasons =
        if view["explains"] == true { "scores have reasons" } else { "scores have no reasons" };
    println!("  {reasons}");
    Ok(())
}

pub fn list(models: &Value) {
    let all = models["models"].as_array().map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        println!("no models yet; add one with rapport model add FILE --card CARD");
    }
    for model in all {
        println!(
            "{:>4}  {:<8} {:<8} {}  {} bytes, {}",
            model["version"].to_string(),
            text(&model["state"]),
            text(&model["kind"]),
            text(&model["name"]),
            model["bytes"],
            text(&model["scoreInPage"])
        );
    }
    if models["live"].is_null() {
        println!("live: the bundle's own model");
    }
    if let Some(asked) = models["brought"]["asked"].as_u64() {
        let faults = models["brought"]["faults"].as_object();
        let faults: Vec<String> =
            faults.into_iter().flatten().map(|(code, count)| format!("{code} {count}")).collect();
        let faults = if faults.is_empty() { "no faults".to_owned() } else { faults.join(", ") };
        println!("asked {asked} times since the server started: {faults}");
    }
    for one in models["history"].as_array().into_iter().flatten() {
        let version = if one["version"].is_null() {
            "the bundle's own".to_owned()
        } else {
            one["version"].to_string()
        };
        println!("  {}: {version} live, by {}", text(&one["action"]), text(&one["by"]));
    }
}

pub fn moved(view: &Value) {
    let named = |version: &Value| {
        if version.is_null() {
            "the bundle's own model".to_owned()
        } else {
            format!("model {version}")
        }
    };
    println!(
        "live: {} (was {}), bundle {}",
        named(&view["live"]),
        named(&view["was"]),
        view["bundle"]
    );
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().map(text)
}
