//! The OpenFeature Remote Evaluation Protocol, as the backend speaks it: flags, one by one or all at once.

use crate::answer::{Answer, PRIVATE};
use crate::bundle::{OpenBundle, hex};
use crate::request::Request;
use crate::visitor::VisitorWire;
use rapport_core::event::Millis;
use rapport_core::experiment::{Asker, Flags};
use rapport_core::targeting::Value;
use serde_json::{Map, Value as Json, json};

/// One flag, or all of them where `key` is none.
pub fn answer(bundle: &OpenBundle, request: &Request, key: Option<&str>, now: Millis) -> Answer {
    let context = match asked(request, now) {
        Ok(context) => context,
        Err((code, details)) => {
            let mut failure = json!({ "errorCode": code, "errorDetails": details });
            if let Some(key) = key {
                failure["key"] = Json::from(key);
            }
            return said(400, &failure);
        }
    };
    let (asker, flags) = (Asker::new(&context), &bundle.flags);
    match key {
        Some(key) if flags.named(key).is_none() => {
            let details = format!("there is no flag `{key}`");
            said(
                404,
                &json!({ "key": key, "errorCode": "FLAG_NOT_FOUND", "errorDetails": details }),
            )
        }
        Some(key) => {
            let flag = flag(flags, &asker, key);
            said(if flag.get("errorCode").is_some() { 400 } else { 200 }, &flag)
        }
        None => {
            let all: Vec<_> =
                flags.features.iter().map(|feature| flag(flags, &asker, &feature.key)).collect();
            let whole = said(200, &json!({ "flags": all, "metadata": { "version": bundle.hash } }));
            let tag = format!("\"{}\"", hex(&whole.body).get(..32).unwrap_or_default());
            let same = request.header("if-none-match").is_some_and(|known| {
                known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
            });
            let answer =
                if same { Answer::empty(304).with("cache-control", PRIVATE) } else { whole };
            answer.with("etag", &tag)
        }
    }
}

fn said(status: u16, document: &Json) -> Answer {
    Answer { status, ..Answer::json(document.to_string().into_bytes()) }
}

/// The targeting key is what experiments split by, where nothing else is.
fn asked(request: &Request, now: Millis) -> Result<Value<'static>, (&'static str, String)> {
    let mut body: Value<'static> = serde_json::from_slice(&request.body)
        .map_err(|error| ("PARSE_ERROR", format!("the body is not JSON: {error}")))?;
    let attributes = match &mut body {
        Value::Map(members) => members
            .iter_mut()
            .find(|(name, _)| name == "context")
            .map(|found| std::mem::take(&mut found.1)),
        _ => Some(Value::Null),
    };
    let mut attributes = match attributes {
        None => Vec::new(),
        Some(Value::Map(attributes)) => attributes,
        _ => return Err(("INVALID_CONTEXT", "`context` must be an object".to_owned())),
    };
    let find = |name: &str, attributes: &[(_, Value<'static>)]| {
        attributes
            .iter()
            .find(|(known, _): &&(std::borrow::Cow<'_, str>, _)| known == name)
            .map(|found| found.1.clone())
    };
    if let (Some(key), None) = (find("targetingKey", &attributes), find("id", &attributes)) {
        attributes.push(("id".into(), key));
    }
    let url = match find("url", &attributes) {
        Some(Value::Text(url)) => Some(url.into_owned()),
        _ => None,
    };
    let mut visitor =
        VisitorWire { attributes: Some(Value::Map(attributes)), url, ..VisitorWire::default() };
    Ok(visitor.context(request, now, None))
}

fn flag(flags: &Flags, asker: &Asker<'_>, key: &str) -> Json {
    let answer = asker.feature(flags, key);
    let text = |place: &str| match answer.at(place) {
        Value::Text(text) if !text.is_empty() => Some(text.clone().into_owned()),
        _ => None,
    };
    let fixed = flags.named(key).is_some_and(|feature| feature.rules.is_empty());
    let reason = match text("source").as_deref() {
        Some("experiment") => "SPLIT",
        Some("force") => "TARGETING_MATCH",
        Some("defaultValue") if fixed => "STATIC",
        Some("cyclicPrerequisite") => {
            let details = "its prerequisites go in a circle";
            return json!({ "key": key, "errorCode": "GENERAL", "errorDetails": details });
        }
        _ => "DEFAULT",
    };
    let rule = text("ruleId");
    let mut metadata = Map::new();
    metadata.extend(rule.clone().map(|rule| ("ruleId".to_owned(), Json::from(rule))));
    metadata.extend(text("experiment.key").map(|key| ("experimentId".to_owned(), Json::from(key))));
    let variant = text("experimentResult.key").filter(|_| reason == "SPLIT");
    let variant = variant.or(rule).unwrap_or_else(|| "default".to_owned());
    let mut shown =
        json!({ "key": key, "reason": reason, "variant": variant, "metadata": metadata });
    let value = answer.at("value");
    if *value != Value::Null {
        shown["value"] = serde_json::to_value(value).unwrap_or_default();
    }
    shown
}
