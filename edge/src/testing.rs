//! Conformance cases, posted: payloads that were never published are compiled and asked on the spot.

use crate::answer::Answer;
use crate::problem::Problem;
use crate::request::Request;
use rapport_core::experiment::{Asker, Flags, compile_flags};
use rapport_core::targeting::Value;
use serde::Deserialize;

#[derive(Deserialize)]
struct CaseWire {
    payload: Value<'static>,
    context: Value<'static>,
    #[serde(default)]
    feature: Option<String>,
    #[serde(default)]
    experiment: Option<usize>,
}

/// `POST /_rapport/test/ask` with `{payload, context, feature | experiment}`, or an array of such.
pub fn answer(what: &str, request: &Request) -> Result<Answer, Problem> {
    if what != "ask" {
        return Err(Problem::NotFound("test"));
    }
    let cases: Vec<CaseWire> = serde_json::from_slice(&request.body)
        .map_err(|error| Problem::Malformed(format!("the body is no list of cases: {error}")))?;
    let answers = cases.iter().map(|case| {
        let (flags, _) = compile_flags(&case.payload);
        // What is asked is what would be published.
        let flags = Flags::open(&flags.to_bytes())
            .map_err(|error| Problem::Malformed(format!("the payload does not open: {error}")))?;
        let asker = Asker::new(&case.context);
        Ok(match (&case.feature, case.experiment) {
            (Some(key), _) => asker.feature(&flags, key),
            (None, Some(number)) => asker.experiment(&flags, number),
            (None, None) => asker.all(&flags),
        })
    });
    let answers = answers.collect::<Result<Vec<_>, Problem>>()?;
    let body = serde_json::to_vec(&answers)
        .map_err(|error| Problem::Malformed(format!("the answer cannot be written: {error}")))?;
    Ok(Answer::json(body))
}
