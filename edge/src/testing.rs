//! Conformance cases, posted: payloads that were never published are compiled and asked on the spot.

use crate::answer::Answer;
use crate::bundle::{BundleFile, OpenBundle};
use crate::decide::evaluate;
use crate::edge::{Settings, said};
use crate::problem::Problem;
use crate::request::Request;
use crate::visitor::{self, VisitorWire};
use rapport_core::event::Millis;
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

/// A bundle that was never published, and whom to decide for by it.
#[derive(Deserialize)]
struct VisitsWire {
    bundle: BundleFile,
    visitors: Vec<VisitorWire>,
}

/// `POST /_rapport/test/evaluate` with `{bundle, visitors}`: what `/v1/evaluate` says of each.
pub fn evaluate_all(
    settings: &Settings,
    request: &Request,
    now: Millis,
) -> Result<Answer, Problem> {
    let VisitsWire { bundle, visitors } = visitor::read(&request.body)?;
    let bundle = OpenBundle::open(&bundle, None)?;
    let answers = visitors.into_iter();
    // Cases say all there is: of where this request comes from they know nothing.
    let nowhere = Request::get("/");
    let answers = answers.map(|visitor| evaluate(&bundle, settings, visitor, &nowhere, now));
    said(&answers.collect::<Result<Vec<_>, _>>()?)
}

/// `POST /_rapport/test/ask` with `{payload, context, feature | experiment}`, or an array of such.
pub fn ask(request: &Request) -> Result<Answer, Problem> {
    let cases: Vec<CaseWire> = visitor::read(&request.body)?;
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
    said(&answers.collect::<Result<Vec<_>, Problem>>()?)
}
