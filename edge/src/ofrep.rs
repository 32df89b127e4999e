//! The OpenFeature Remote Evaluation Protocol, as the backend speaks it: flags, one by one or all at once.

use crate::answer::{Answer, PRIVATE};
use crate::bundle::{OpenBundle, hex};
use crate::request::Request;
use crate::visitor::VisitorWire;
use rapport_core::event::Millis;
use rapport_core::experiment::Asker;
use rapport_core::targeting::Value;
use serde_json::{Value as Json, json};

/// A client in the background need not listen after so many seconds.
const INACTIVITY: u32 = 120;

/// One flag, or all of them where `key` is none.
pub fn answer(
    bundle: &OpenBundle,
    request: &Request,
    key: Option<&str>,
    write_key: &str,
    now: Millis,
) -> Answer {
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
        Some(key) => {
            let flag = json!(asker.resolution(flags, key));
            let status = match flag["errorCode"].as_str() {
                None => 200,
                Some("FLAG_NOT_FOUND") => 404,
                Some(_) => 400,
            };
            said(status, &flag)
        }
        None => {
            let features = flags.features.iter();
            let all: Vec<_> =
                features.map(|feature| asker.resolution(flags, &feature.key)).collect();
            let endpoint = json!({ "requestUri": format!("/ofrep/v1/changes/{write_key}") });
            let streams =
                json!([{ "type": "sse", "endpoint": endpoint, "inactivityDelaySec": INACTIVITY }]);
            let whole = said(
                200,
                &json!({ "flags": all, "metadata": { "version": bundle.hash }, "eventStreams": streams }),
            );
            let tag = format!("\"{}\"", hex(&whole.body).get(..32).unwrap_or_default());
            let answer = if request.has(&tag) {
                Answer::empty(304).with("cache-control", PRIVATE)
            } else {
                whole
            };
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
