//! `rapport bundle diff`: what changes, and for whom.

use super::read;
use crate::commands::Outcome;
use crate::output::print;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

#[derive(clap::Args)]
#[command(after_long_help = "\
Example:
  rapport bundle diff old.json new.json

Both are authored bundles. + is new, - is gone, ~ has changed; behind it stands whom it is for.")]
pub struct Args {
    old: PathBuf,
    new: PathBuf,
}

/// Where things that have a name stand, what one is called, and the member that names it.
const LISTS: [(&str, &str, &str); 9] = [
    ("/signals", "signal", "name"),
    ("/models", "model", "name"),
    ("/words", "words", "locale"),
    ("/flags/audiences", "audience", ""),
    ("/flags/experiences", "experience", "key"),
    ("/flags/features", "feature", ""),
    ("/flags/experiments", "experiment", "key"),
    ("/flags/savedGroups", "saved group", ""),
    ("/flags/contextualBandits", "contextual bandit", ""),
];

pub fn run(args: &Args) -> Outcome {
    let text = compare(&json(&args.old)?, &json(&args.new)?);
    print(if text.is_empty() { "nothing changes" } else { text.trim_end() })?;
    Ok(())
}

fn json(path: &PathBuf) -> Result<Value, Box<dyn std::error::Error>> {
    let value: Value = serde_json::from_slice(&read(path)?)
        .map_err(|error| format!("{} is no JSON: {error}", path.display()))?;
    if value.get("signals").is_none() {
        let shown = path.display();
        return Err(format!("{shown} is no authored bundle: it has no `signals`; of compiled ones nobody sees whom they are for").into());
    }
    Ok(value)
}

fn compare(old: &Value, new: &Value) -> String {
    let mut out = String::new();
    for (at, what, naming) in LISTS {
        let (before, after) = (named(old.pointer(at), naming), named(new.pointer(at), naming));
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for name in names {
            match (before.get(name), after.get(name)) {
                (Some(_), None) => {
                    let _ = writeln!(out, "- {what} `{name}`");
                }
                (None, Some(one)) => {
                    let _ = writeln!(out, "+ {what} `{name}`{}", whom(what, one));
                }
                (Some(before), Some(after)) if before != after => {
                    let _ = writeln!(out, "~ {what} `{name}`{}", whom(what, after));
                    changes(before, after, &mut out);
                    if what == "audience" {
                        users(new, name, &mut out);
                    }
                }
                _ => {}
            }
        }
    }
    out
}

/// Things by their names: members of an object, or items of a list.
fn named(list: Option<&Value>, naming: &str) -> Map<String, Value> {
    match list {
        Some(Value::Object(members)) => members.clone(),
        Some(Value::Array(items)) => {
            let name = |at: usize, one: &Value| {
                one[naming].as_str().map_or_else(|| format!("number {}", at + 1), str::to_owned)
            };
            items.iter().enumerate().map(|(at, one)| (name(at, one), one.clone())).collect()
        }
        _ => Map::new(),
    }
}

fn whom(what: &str, one: &Value) -> String {
    if !["experience", "experiment"].contains(&what) {
        return String::new();
    }
    let mut for_whom = match &one["audience"] {
        Value::String(name) => format!(", for the audience {name}"),
        Value::Array(names) => {
            let names: Vec<_> =
                names.iter().map(|name| name.as_str().unwrap_or_default()).collect();
            format!(", for the audiences {}", names.join(" or "))
        }
        _ => String::new(),
    };
    if !one["condition"].is_null() {
        for_whom += &format!(", where {}", one["condition"]);
    }
    if for_whom.is_empty() { ", for everybody".to_owned() } else { for_whom }
}

/// The members that differ; of lists of objects, such as rules, the items that do.
fn changes(before: &Value, after: &Value, out: &mut String) {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        let _ = writeln!(out, "    {before} → {after}");
        return;
    };
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) if old == new => {}
            (Some(Value::Array(old)), Some(Value::Array(new))) if name == "rules" => {
                for at in 0..old.len().max(new.len()) {
                    match (old.get(at), new.get(at)) {
                        (Some(old), Some(new)) if old != new => {
                            let _ = writeln!(out, "    rule {}: {old} → {new}", at + 1);
                        }
                        (Some(old), None) => {
                            let _ = writeln!(out, "    rule {} is gone: {old}", at + 1);
                        }
                        (None, Some(new)) => {
                            let _ = writeln!(out, "    rule {} is new: {new}", at + 1);
                        }
                        _ => {}
                    }
                }
            }
            (old, new) => {
                let shown =
                    |value: Option<&Value>| value.map_or("nothing".to_owned(), Value::to_string);
                let _ = writeln!(out, "    {name}: {} → {}", shown(old), shown(new));
            }
        }
    }
}

/// Whoever names a changed audience changes with it.
fn users(bundle: &Value, audience: &str, out: &mut String) {
    let experiences = named(bundle.pointer("/flags/experiences"), "key");
    let uses = |one: &Value| match &one["audience"] {
        Value::String(name) => name == audience,
        Value::Array(names) => names.iter().any(|name| name == audience),
        _ => false,
    };
    let keys: Vec<&str> =
        experiences.iter().filter(|(_, one)| uses(one)).map(|(key, _)| key.as_str()).collect();
    if !keys.is_empty() {
        let _ = writeln!(out, "    it decides who gets {}", keys.join(", "));
    }
}
