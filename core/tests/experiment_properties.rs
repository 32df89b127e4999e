//! What holds of every experiment, tried on random ones: shares grow without moving anybody, weights are kept,
//! exclusion excludes, signing in changes nothing, and no order of what is written matters.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods)]
#![cfg(feature = "wire")]

use rapport_core::experiment::{Asker, Flags, compile_flags};
use rapport_core::targeting::Value;
use serde_json::json;

/// So many random experiments, and visitors of each.
fn size() -> (u64, u64) {
    if std::env::var_os("RAPPORT_SOAK").is_some() { (300, 20_000) } else { (30, 1_000) }
}

fn value(json: serde_json::Value) -> Value<'static> {
    serde_json::from_value(json).unwrap()
}

fn flags(payload: serde_json::Value) -> Flags {
    let (flags, problems) = compile_flags(&value(payload));
    assert_eq!(problems.len(), 0, "{problems:?}");
    Flags::open(&flags.to_bytes()).unwrap()
}

/// Numbers that look random, the same each time (xorshift64).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(88_172_645_463_325_252 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    fn share(&mut self) -> f64 {
        self.below(1_000) as f64 / 1_000.0
    }

    /// Two to six weights that sum to 1.
    fn weights(&mut self) -> Vec<f64> {
        let parts: Vec<f64> = (0..2 + self.below(5)).map(|_| 1.0 + self.below(9) as f64).collect();
        let sum: f64 = parts.iter().sum();
        parts.iter().map(|part| part / sum).collect()
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at as u64 + 1) as usize);
        }
    }
}

/// An experiment as the rule of a feature: its variations are their numbers.
fn rule(key: u64, version: u32, weights: &[f64]) -> serde_json::Value {
    let numbers: Vec<usize> = (0..weights.len()).collect();
    json!({ "key": format!("experiment {key}"), "variations": numbers, "weights": weights, "hashVersion": version })
}

fn feature(rule: serde_json::Value) -> Flags {
    flags(json!({ "features": { "f": { "defaultValue": "none", "rules": [rule] } } }))
}

/// The variation that somebody gets, if any.
fn variation(flags: &Flags, context: serde_json::Value) -> Option<usize> {
    let context = value(context);
    match Asker::new(&context).feature(flags, "f").at("value") {
        Value::Number(number) => Some(*number as usize),
        _ => None,
    }
}

#[test]
fn a_ramp_moves_nobody() {
    let (experiments, visitors) = size();
    for key in 0..experiments {
        let mut random = Random::new(key);
        let weights = random.weights();
        let mut steps: Vec<f64> = (0..4).map(|_| random.share()).chain([0.0, 1.0]).collect();
        steps.sort_by(f64::total_cmp);
        let ramp = steps.iter().map(|step| {
            let mut rule = rule(key, 1 + key as u32 % 3, &weights);
            rule["coverage"] = json!(step);
            feature(rule)
        });
        let ramp: Vec<Flags> = ramp.collect();
        for visitor in 0..visitors / 5 {
            let of =
                |flags| variation(flags, json!({ "anonymousId": format!("visitor {visitor}") }));
            let mut got = ramp.iter().map(of).skip_while(Option::is_none);
            let first = got.next().flatten();
            assert!(first.is_some(), "everybody is in at the end");
            assert!(got.all(|then| then == first), "experiment {key}, visitor {visitor}");
        }
    }
}

#[test]
fn variations_get_their_weights() {
    let (experiments, visitors) = size();
    for key in 0..experiments {
        let weights = Random::new(key).weights();
        let flags = feature(rule(key, 2 + key as u32 % 2, &weights));
        let mut counts = vec![0.0; weights.len()];
        for visitor in 0..visitors {
            let id = format!("{key}-{visitor}");
            counts[variation(&flags, json!({ "anonymousId": id })).unwrap()] += 1.0;
        }
        let chi: f64 = counts
            .iter()
            .zip(&weights)
            .map(|(count, weight): (&f64, &f64)| {
                let expected = weight * visitors as f64;
                (count - expected).powi(2) / expected
            })
            .sum();
        // With at most five degrees of freedom one in ten million is above 40.
        assert!(chi < 40.0, "experiment {key}: {chi}: {counts:?} of {weights:?}");
    }
}

#[test]
fn who_is_in_one_of_a_namespace_is_in_no_other() {
    let (experiments, visitors) = size();
    for key in 0..experiments {
        let mut random = Random::new(key);
        let cut = 0.1 + 0.8 * random.share();
        let of = |at: u64, from: f64, to: f64| {
            let mut rule = rule(key + at, 1 + key as u32 % 3, &[0.5, 0.5]);
            rule["namespaces"] = json!([[format!("namespace {key}"), from, to], ["all", 0, 1]]);
            feature(rule)
        };
        let (one, other) = (of(0, 0.0, cut), of(1, cut, 1.0));
        for visitor in 0..visitors / 5 {
            let context = json!({ "anonymousId": visitor.to_string() });
            let both = [&one, &other].map(|flags| variation(flags, context.clone()).is_some());
            assert!(both[0] != both[1], "experiment {key}, visitor {visitor}: {both:?}");
        }
    }
}

#[test]
fn who_signs_in_keeps_the_variation() {
    let (experiments, visitors) = size();
    for key in 0..experiments {
        let weights = Random::new(key).weights();
        // By the browser's id nothing need be remembered; by the user's it must be.
        let by_browser = feature(rule(key, 3, &weights));
        let mut remembered = rule(key, 3, &weights);
        remembered["hashAttribute"] = json!("userId");
        remembered["fallbackAttribute"] = json!("anonymousId");
        let keys: Vec<_> = (0..weights.len()).map(|at| json!({ "key": at.to_string() })).collect();
        remembered["meta"] = json!(keys);
        let by_user = feature(remembered);
        for visitor in 0..visitors / 10 {
            let (browser, user) = (format!("browser {visitor}"), format!("user {visitor}"));
            let before = json!({ "anonymousId": browser, "stickyBucketAssignmentDocs": {} });
            let first = variation(&by_browser, before.clone());
            let after = json!({ "anonymousId": browser, "userId": user });
            assert_eq!(first, variation(&by_browser, after.clone()));
            let context = value(before);
            let answer = Asker::new(&context).feature(&by_user, "f");
            let mut then = after;
            then["stickyBucketAssignmentDocs"] =
                serde_json::to_value(answer.at("stickyBucketAssignmentDocs")).unwrap();
            let kept = variation(&by_user, then).map(|number| Value::Number(number as f64));
            assert_eq!(answer.at("value"), &kept.unwrap(), "experiment {key}, visitor {visitor}");
        }
    }
}

/// The same object with its members, and theirs, in another order.
fn reordered(random: &mut Random, held: &Value<'static>) -> Value<'static> {
    match held {
        Value::Map(members) => {
            let mut members: Vec<_> = members
                .iter()
                .map(|(name, held)| (name.clone(), reordered(random, held)))
                .collect();
            random.shuffle(&mut members);
            Value::Map(members)
        }
        Value::List(items) => {
            Value::List(items.iter().map(|item| reordered(random, item)).collect())
        }
        other => other.clone(),
    }
}

#[test]
fn no_order_of_members_matters() {
    let payload = value(json!({
        "audiences": { "big": { "company": { "size": 9 } }, "hot": { "$score": { "$gt": 3 }, "plan": "pro" } },
        "features": {
            "f": { "defaultValue": 0, "rules": [{ "variations": [1, 2, 3], "condition": { "a": { "$gte": 2, "$lt": 7 }, "b": { "$in": ["0", "1"] } } }] },
            "g": { "defaultValue": 0, "rules": [{ "force": 1, "parentConditions": [{ "id": "f", "condition": { "value": { "$gt": 1 } } }] }] },
        },
        "experiences": [{ "key": "e", "slot": "s", "audience": ["hot", "big"], "variations": [{ "type": "text", "text": "1" }, null] }],
    }));
    let (flags, _) = compile_flags(&payload);
    let mut random = Random::new(7);
    for visitor in 0..size().1 / 5 {
        let [a, b, score] = [9, 3, 9].map(|end| random.below(end));
        let context = value(json!({
            "anonymousId": visitor.to_string(), "score": score,
            "attributes": { "a": a, "b": b.to_string(), "plan": "pro", "company": { "size": a, "x": null }, "z": [{ "p": 1, "q": 2 }] },
        }));
        let (other, _) = compile_flags(&reordered(&mut random, &payload));
        let turned = reordered(&mut random, &context);
        let answers = [(&flags, &context), (&other, &turned)].map(|(flags, context)| {
            let asker = Asker::new(context);
            ["f", "g", "s"].map(|key| {
                let answer = asker.feature(flags, key);
                // JSON sorts the members of a slot's content.
                ["value", "source", "experimentResult.bucket"]
                    .map(|path| serde_json::to_value(answer.at(path)).unwrap())
            })
        });
        assert_eq!(answers[0], answers[1], "visitor {visitor}");
    }
}
