//! Folds: events in, values and stored profiles out, to the bit.

use super::{folder, hex, passed, suite, unhex};
use rapport_core::event::{Event, EventWire, Millis};
use rapport_core::profile::{Profile, SignalWire, Signals, compile_signals};
use serde_json::{Map, Value, json};

#[test]
fn every_fold_gives_the_expected_bits() {
    let mut cases = 0;
    let mut failures = Vec::new();
    for (file, document) in suite("fold") {
        for case in document["cases"].as_array().unwrap() {
            cases += 1;
            let told =
                Told { document: &document, file: &file, name: case["name"].as_str().unwrap() };
            failures.extend(told.run(case).err());
        }
    }
    assert!(failures.is_empty(), "{} of {cases} fail:\n{}", failures.len(), failures.join("\n"));
    assert!(cases >= 200, "{cases} cases");
    passed("fold", cases);
}

/// The compiled form of each set of signals, for hosts that read no JSON. With
/// `RAPPORT_WRITE_PARTS=1` the file is written anew.
#[test]
fn signal_sets_compile_to_the_committed_parts() {
    let mut parts = Map::new();
    for (file, document) in suite("fold").into_iter().chain(suite("histories")) {
        for (name, _) in document["sets"].as_object().unwrap() {
            parts.insert(format!("{file}#{name}"), json!(hex(&part(&document, name))));
        }
    }
    let path = folder().join("cases/fold-parts.json");
    let text = serde_json::to_string_pretty(&parts).unwrap() + "\n";
    if std::env::var_os("RAPPORT_WRITE_PARTS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "the form of signal parts changed: bump its version, or write {} anew",
        path.display()
    );
}

struct Told<'a> {
    document: &'a Value,
    file: &'a str,
    name: &'a str,
}

impl Told<'_> {
    fn run(&self, case: &Value) -> Result<(), String> {
        let mut signals = self.signals(case["signals"].as_str().unwrap());
        let mut profile = Profile::new(&signals);
        for step in case["steps"].as_array().unwrap() {
            let now = Millis(step["now"].as_i64().unwrap_or_default());
            if let Some(event) = step.get("event") {
                fold(&mut profile, &signals, event, Some(now));
            } else if let Some(stored) = step.get("stored") {
                profile = Profile::open(&unhex(stored.as_str().unwrap()), &signals)
                    .map_err(|error| self.fault("stored", error.to_string()))?;
            } else if let Some(set) = step.get("reopen") {
                let stored = profile.encode(&signals);
                signals = self.signals(set.as_str().unwrap());
                profile = Profile::open(&stored, &signals)
                    .map_err(|error| self.fault("reopen", error.to_string()))?;
            } else if let Some(events) = step.get("merge") {
                let mut other = Profile::new(&signals);
                events
                    .as_array()
                    .unwrap()
                    .iter()
                    .for_each(|event| fold(&mut other, &signals, event, None));
                profile.merge(&signals, &other);
            } else {
                self.compare(&profile, &signals, now, step)?;
            }
        }
        Ok(())
    }

    fn compare(
        &self,
        profile: &Profile,
        signals: &Signals,
        now: Millis,
        step: &Value,
    ) -> Result<(), String> {
        for (name, expected) in step["values"].as_object().unwrap() {
            let index = signals.index_of_name(name).unwrap();
            let value = profile.value(signals, index, now);
            let found = match profile.level(index) {
                Some(level) => json!(format!("#{level:08x}")),
                None if value.is_nan() => Value::Null,
                None => json!(format!("{:016x}", value.to_bits())),
            };
            if found != *expected {
                let shown = expected
                    .as_str()
                    .and_then(|text| u64::from_str_radix(text, 16).ok())
                    .map(f64::from_bits);
                return Err(
                    self.fault(name, format!("{found} ({value}) is not {expected} ({shown:?})"))
                );
            }
        }
        let stored = profile.encode(signals);
        if let Some(expected) = step.get("profile")
            && hex(&stored) != expected.as_str().unwrap()
        {
            return Err(self.fault("profile", format!("{} is not {expected}", hex(&stored))));
        }
        let reopened = Profile::open(&stored, signals)
            .map_err(|error| self.fault("profile", error.to_string()))?;
        if reopened.encode(signals) != stored {
            return Err(self.fault("profile", "does not survive a round trip".to_owned()));
        }
        Ok(())
    }

    fn signals(&self, set: &str) -> Signals {
        Signals::open(&part(self.document, set)).unwrap()
    }

    fn fault(&self, what: &str, fault: String) -> String {
        format!("{}: {}: {what}: {fault}", self.file, self.name)
    }
}

fn fold(profile: &mut Profile, signals: &Signals, event: &Value, now: Option<Millis>) {
    let wire: EventWire = serde_json::from_value(event.clone()).unwrap();
    let time = wire.client_time().unwrap().unwrap();
    let bytes = wire.encode(time).unwrap();
    profile.fold(signals, &Event::decode(&bytes).unwrap(), now.unwrap_or(time));
}

pub fn part(document: &Value, set: &str) -> Vec<u8> {
    let wires: Vec<SignalWire> = serde_json::from_value(document["sets"][set].clone()).unwrap();
    let (part, problems) = compile_signals(&wires);
    assert_eq!(problems, []);
    part
}
