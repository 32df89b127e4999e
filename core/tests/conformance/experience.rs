//! Experiences: what a bundle decides for visitors, and why.

use super::{folder, passed, read, suite};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rapport_core::bundle::{BundleWire, Compiled, PartKind, compile};
use rapport_core::decide::{self, Want};
use rapport_core::event::{Event, EventWire, Millis};
use rapport_core::experiment::{Asker, Flags, compile_flags, redirect};
use rapport_core::scoring::Band;
use rapport_core::targeting::Value as CoreValue;
use serde_json::{Map, Value, json};

#[test]
fn every_host_decides_what_is_expected() {
    let mut cases = 0;
    let mut failures = Vec::new();
    for (file, document) in suite("experiences") {
        let authored: CoreValue<'_> = read(&file);
        let mut host = Host::open(authored.at("flags"));
        for (at, case) in document["cases"].as_array().unwrap().iter().enumerate() {
            cases += 1;
            let context = authored.at(&format!("cases.{at}.visitor"));
            let found = host.answer(context, &case["visitor"], &case["expect"]);
            if let Some(fault) = differs("", &found, &case["expect"]) {
                failures.push(format!("{file}: {}: {fault}", case["name"]));
            }
        }
    }
    let wrong = failures.len();
    failures.truncate(9);
    assert!(wrong == 0, "{wrong} of {cases} fail:\n{}", failures.join("\n"));
    let index: Value = read("index.json");
    let suites = index["suites"].as_array().unwrap();
    let listed = suites.iter().find(|suite| suite["name"] == "experiences").unwrap();
    assert_eq!(json!(cases), listed["cases"], "cases ran, and cases are listed");
    passed("experiences", cases);
}

/// Hosts that compile nothing open the bundles beside the cases.
#[test]
fn payloads_compile_to_the_committed_bundles() {
    for (file, _) in suite("experiences") {
        let bundle: Value = read(&file.replace(".json", ".rapport"));
        let committed = bundle["parts"].as_object().unwrap();
        let mut committed: Vec<_> = committed
            .values()
            .map(|part| BASE64_STANDARD.decode(part.as_str().unwrap()).unwrap())
            .collect();
        let mut parts: Vec<_> = compiled(read::<CoreValue<'_>>(&file).at("flags"))
            .parts
            .into_iter()
            .map(|part| part.bytes)
            .collect();
        committed.sort();
        parts.sort();
        assert!(
            committed == parts,
            "the form of parts changed: bump its version, or write {file} anew: conformance/experience_cases.py --write"
        );
    }
}

#[test]
fn what_is_wrong_is_reported_where_it_stands() {
    for (file, document) in suite("experiences") {
        let (_, problems) = compile_flags(read::<CoreValue<'_>>(&file).at("flags"));
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let wanted = document["problems"].as_array().unwrap();
        for one in wanted {
            let [at, reason] = [0, 1].map(|at| one[at].as_str().unwrap());
            let is_said = said.iter().any(|said| {
                said.strip_prefix(&format!("{at}: ")).is_some_and(|said| said.contains(reason))
            });
            assert!(is_said, "{file}: {at}: {reason}: {said:#?}");
        }
        assert_eq!(said.len(), wanted.len(), "{file}: {said:#?}");
    }
}

/// What decides for the visitors of a file.
struct Host {
    engine: decide::Engine,
    flags: Flags,
}

impl Host {
    fn open(flags: &CoreValue<'_>) -> Self {
        let compiled = compiled(flags);
        let part = |kind| compiled.part(kind).unwrap().bytes.as_slice();
        let (signals, model) = (part(PartKind::Signals), part(PartKind::Model));
        let engine = decide::Engine::open(signals, model, part(PartKind::Words)).unwrap();
        Self { engine, flags: Flags::open(part(PartKind::Flags)).unwrap() }
    }

    /// As `expect` has it: the features that it names, all experiments of pages, and what is told.
    fn answer(&mut self, context: &CoreValue<'_>, visitor: &Value, expect: &Value) -> Value {
        let scored = self.scored(visitor);
        let mut asker = Asker::new(context);
        asker.known.score = scored.map(|(score, _)| score);
        asker.known.band = scored.map(|(_, band)| band);
        let all = plain(&asker.all(&self.flags));
        let mut told = Told::new(&visitor["stickyBucketAssignmentDocs"]);
        let mut features = Map::new();
        for key in expect["features"].as_object().unwrap().keys() {
            let found = plain(&asker.feature(&self.flags, key));
            told.hear(&found);
            if let Some(known) = all["features"].get(key) {
                assert_eq!(known["value"], found["value"], "{key}, decided at once");
            }
            features.insert(key.clone(), answered(&found));
        }
        let mut pages = Vec::new();
        for (number, experiment) in self.flags.experiments.iter().enumerate() {
            let found = plain(&asker.experiment(&self.flags, number));
            told.hear(&found);
            let result = result(&found["experimentResult"], &found["why"]);
            let mut page = json!({"experiment": found["experiment"]["key"], "result": result});
            if let (Some(to), true) =
                (result["value"]["urlRedirect"].as_str(), result["inExperiment"] == true)
            {
                let from = visitor["url"].as_str().unwrap_or_default();
                page["redirect"] = json!(redirect(from, to, experiment.keeps_query));
            }
            pages.push(page);
        }
        let (score, band) = scored.unzip();
        json!({
            "score": score,
            "band": band.map(Band::name),
            "audiences": all["audiences"],
            "features": features,
            "pages": pages,
            "exposures": told.exposures,
            "sticky": told.documents,
        })
    }

    /// What the visitor's events come to, where they may be looked at.
    fn scored(&mut self, visitor: &Value) -> Option<(u8, Band)> {
        if visitor["consent"]["profiling"] == false {
            return None;
        }
        let now = Millis(visitor["now"].as_i64().unwrap());
        let mut profile = self.engine.new_profile();
        for event in visitor["events"].as_array().into_iter().flatten() {
            let wire: EventWire = serde_json::from_value(event.clone()).unwrap();
            let bytes = wire.encode(wire.client_time().unwrap().unwrap()).unwrap();
            self.engine.fold(&mut profile, &Event::decode(&bytes).unwrap(), now);
        }
        let decision = self.engine.decide(&profile, now, Want { reasons: 0, next_change: false });
        Some((decision.score, decision.band))
    }
}

/// What was heard of several answers to one visitor.
struct Told {
    before: Value,
    exposures: Vec<Value>,
    documents: Value,
}

impl Told {
    fn new(sticky: &Value) -> Self {
        Self { before: sticky.clone(), exposures: Vec::new(), documents: sticky.clone() }
    }

    fn hear(&mut self, answer: &Value) {
        for exposure in answer["exposures"].as_array().unwrap() {
            let viewed = viewed(exposure);
            let same = |one: &Value| {
                one["experimentId"] == viewed["experimentId"]
                    && one["variationId"] == viewed["variationId"]
            };
            if !self.exposures.iter().any(same) {
                self.exposures.push(viewed);
            }
        }
        let after = answer["stickyBucketAssignmentDocs"].as_object();
        for (key, document) in after.into_iter().flatten() {
            for (name, kept) in document["assignments"].as_object().unwrap() {
                if self.before[key]["assignments"][name] != *kept {
                    let own = &mut self.documents[key];
                    own["attributeName"] = document["attributeName"].clone();
                    own["attributeValue"] = document["attributeValue"].clone();
                    own["assignments"][name] = kept.clone();
                }
            }
        }
    }
}

/// The properties of an exposure's event.
fn viewed(exposure: &Value) -> Value {
    let result = &exposure["result"];
    let weights = result["variationWeights"].as_array();
    let number = usize::try_from(result["variationId"].as_u64().unwrap()).unwrap();
    json!({
        "experimentId": exposure["experiment"]["key"],
        "variationId": result["key"],
        "variationName": result["name"],
        "featureId": result["featureId"],
        "propensity": weights.and_then(|weights| weights.get(number)),
        "leafId": result["leafId"],
        "banditVersion": result["banditVersion"],
    })
}

fn answered(found: &Value) -> Value {
    let mut answer = json!({
        "value": found["value"], "source": found["source"], "ruleId": found["ruleId"], "why": found["why"],
    });
    if let Some(experiment) = found.get("experiment") {
        answer["experiment"] = experiment["key"].clone();
        let last = found["why"].as_array().unwrap().last().unwrap().as_str().unwrap();
        let (_, last) = last.split_once(": ").unwrap();
        answer["result"] = result(&found["experimentResult"], &json!(last));
    }
    answer
}

/// With its reason, which stands beside it.
fn result(found: &Value, why: &Value) -> Value {
    let mut result = found.clone();
    result["why"] = why.clone();
    result
}

fn compiled(flags: &CoreValue<'_>) -> Compiled {
    let mut wire: BundleWire = read("cases/experiences/bundle.json");
    wire.flags = Some(flags.clone().into_owned());
    let model = std::fs::read(folder().join("models/points.rpm")).unwrap();
    compile(&wire, &[("points", &model)])
}

fn plain(value: &CoreValue<'_>) -> Value {
    serde_json::to_value(value).unwrap()
}

/// Where both do not say the same; null is absent.
fn differs(at: &str, found: &Value, wanted: &Value) -> Option<String> {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            let names = found.keys().chain(wanted.keys());
            names.into_iter().find_map(|name| {
                let member = |members: &Map<String, Value>| members.get(name).cloned();
                let (found, wanted) = (member(found), member(wanted));
                differs(
                    &format!("{at}.{name}"),
                    &found.unwrap_or_default(),
                    &wanted.unwrap_or_default(),
                )
            })
        }
        (Value::Array(found), Value::Array(wanted)) if found.len() == wanted.len() => {
            let pairs = found.iter().zip(wanted).enumerate();
            pairs
                .into_iter()
                .find_map(|(number, (one, other))| differs(&format!("{at}.{number}"), one, other))
        }
        // serde_json may read the last bit of a number wrong.
        (Value::Number(one), Value::Number(other))
            if (one.as_f64()? - other.as_f64()?).abs() <= f64::EPSILON * other.as_f64()?.abs() =>
        {
            None
        }
        _ => (found != wanted).then(|| format!("{at}: {found} is not {wanted}")),
    }
}
