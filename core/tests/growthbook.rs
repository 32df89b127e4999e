//! GrowthBook's own cases: `conformance/suites/growthbook/`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![cfg(feature = "wire")]

use aes::cipher::{BlockCipherDecrypt, KeyInit};
use aes::{Aes128, Block};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rapport_core::experiment::{
    Asker, Flags, HashVersion, Namespace, Range, chosen, compile_flags, equal_weights,
    query_override, ranges, redirect,
};
use rapport_core::targeting::{Compiler, Scope, Value};

fn cases(group: &str) -> Vec<Vec<Value<'static>>> {
    const CASES: &str = include_str!("../../conformance/suites/growthbook/cases.json");
    let all: Value<'static> = serde_json::from_str(CASES).unwrap();
    let Some(Value::List(cases)) = all.member(group) else { panic!("no cases of {group}") };
    cases
        .iter()
        .map(|case| match case {
            Value::List(parts) => parts.clone(),
            _ => panic!("a case is a list"),
        })
        .collect()
}

#[test]
fn conditions_hold_of_whom_growthbook_says() {
    let cases = cases("evalCondition");
    assert_eq!(cases.len(), 248);
    let mut wrong = Vec::new();
    for case in &cases {
        let none = Value::Null;
        let mut compiler = Compiler::new(case.get(4).unwrap_or(&none));
        let (condition, _) = compiler.condition(&case[1]);
        let visitor: Vec<_> = compiler
            .attributes
            .iter()
            .map(|name| case[2].member(name).cloned().unwrap_or_default())
            .collect();
        let groups: Vec<_> = compiler.groups.iter().map(|(_, members)| members.clone()).collect();
        let held = condition.holds(Scope::Visitor(&visitor), &groups);
        if Value::Bool(held) != case[3] {
            wrong.push(case[0].to_text().into_owned());
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    passed(cases.len());
}

/// For the matrix of suites and hosts.
fn passed(cases: usize) {
    println!("CASES growthbook {cases}");
}

/// A context's flags, as hosts get them.
fn flags_of(context: &Value<'static>) -> Flags {
    let (compiled, _) = compile_flags(context);
    let flags = Flags::open(&compiled.to_bytes()).unwrap();
    assert_eq!(flags, compiled);
    flags
}

/// Whether `shown` holds all that is wanted, in any order; null is absent.
fn holds(shown: &Value<'_>, wanted: &Value<'_>) -> bool {
    match (shown, wanted) {
        (Value::Map(shown), Value::Map(wanted)) => {
            wanted.iter().all(|(name, wanted)| {
                shown.iter().any(|(other, shown)| other == name && holds(shown, wanted))
            }) && shown.iter().all(|(name, value)| {
                *value == Value::Null || wanted.iter().any(|(other, _)| other == name)
            })
        }
        _ => shown.written_like(wanted),
    }
}

fn text(value: &Value<'static>) -> String {
    value.to_text().into_owned()
}

#[track_caller]
fn none_wrong(group: &str, count: usize, wrong: impl Fn(&[Value<'static>]) -> Option<String>) {
    let cases = cases(group);
    assert_eq!(cases.len(), count, "{group}");
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|case| wrong(case).map(|found| format!("{}: {found}", case[0].to_text())))
        .collect();
    assert!(wrong.is_empty(), "{} of {group}:\n{}", wrong.len(), wrong.join("\n"));
    passed(count);
}

fn features(group: &str, count: usize) {
    none_wrong(group, count, |case| {
        let shown = Asker::new(&case[1]).feature(&flags_of(&case[1]), &text(&case[2]));
        let shown = without(&shown, &["exposures", "why"]);
        (!holds(&shown, &case[3])).then(|| serde_json::to_string(&shown).unwrap())
    });
}

fn without(shown: &Value<'static>, names: &[&str]) -> Value<'static> {
    let Value::Map(members) = shown else { return Value::Null };
    let kept = members.iter().filter(|(name, _)| !names.contains(&&**name));
    Value::Map(kept.cloned().collect())
}

#[test]
fn features_are_what_growthbook_says() {
    features("feature", 55);
}

#[test]
fn contextual_bandits_choose_what_growthbook_says() {
    features("contextualBandit", 35);
}

#[test]
fn experiments_assign_whom_growthbook_says() {
    none_wrong("run", 73, |case| {
        let Value::Map(mut context) = case[1].clone() else { panic!("a context is an object") };
        context.push(("experiments".into(), Value::List(vec![case[2].clone()])));
        let context = Value::Map(context);
        let shown = Asker::new(&context).experiment(&flags_of(&context), 0);
        let result = |name: &str| shown.at(&format!("experimentResult.{name}")).clone();
        let right = result("value").written_like(&case[3])
            && result("inExperiment") == case[4]
            && result("hashUsed") == case[5];
        (!right).then(|| serde_json::to_string(&shown).unwrap())
    });
}

#[test]
fn variations_stick_as_growthbook_says() {
    none_wrong("stickyBucket", 13, |case| {
        let Value::Map(context) = without(&case[1], &["stickyBucketAssignmentDocs"]) else {
            panic!("a context is an object")
        };
        let known = ("stickyBucketAssignmentDocs".into(), case[2].clone());
        let context = Value::Map(context.into_iter().chain([known]).collect());
        let shown = Asker::new(&context).feature(&flags_of(&context), &text(&case[3]));
        let result = shown.member("experimentResult").cloned().unwrap_or_default();
        // Of other visitors' documents nothing is expected.
        let documents = without(shown.at("stickyBucketAssignmentDocs"), &["deviceId||d456"]);
        let right = (result == case[4] || holds(&result, &case[4])) && holds(&documents, &case[5]);
        (!right).then(|| serde_json::to_string(&shown).unwrap())
    });
}

#[test]
fn redirects_lead_where_growthbook_says() {
    none_wrong("urlRedirect", 4, |case| {
        let flags = flags_of(&case[1]);
        let asker = Asker::new(&case[1]);
        let from = text(case[1].at("url"));
        let found = (0..flags.experiments.len()).find_map(|number| {
            let shown = asker.experiment(&flags, number);
            let to = shown.at("experimentResult.value.urlRedirect");
            let there = *shown.at("experimentResult.inExperiment") == Value::Bool(true)
                && *to != Value::Null;
            let keeps_query = flags.experiments[number].keeps_query;
            there.then(|| (text(to), redirect(&from, &text(to), keeps_query)))
        });
        let Value::List(wanted) = &case[2] else { panic!("results are a list") };
        let wanted = wanted.first().map(|wanted| {
            let at = |name: &str| wanted.member(name).map(text).unwrap_or_default();
            (at("urlRedirect"), at("urlWithParams"))
        });
        (found != wanted).then(|| format!("{found:?}"))
    });
}

#[test]
fn places_ranges_and_shares_are_growthbooks() {
    let number = |value: &Value<'_>| value.to_number();
    let as_ranges = |value: &Value<'_>| -> Vec<Range> {
        let Value::List(ranges) = value else { return Vec::new() };
        ranges
            .iter()
            .map(|range| {
                Range(number(range.member("0").unwrap()), number(range.member("1").unwrap()))
            })
            .collect()
    };
    let near = |left: f64, right: f64| (left - right).abs() < 1e-6;
    let cases_of = |group: &str, count: usize| {
        let cases = cases(group);
        assert_eq!(cases.len(), count);
        cases
    };
    for case in cases_of("hash", 15) {
        let version = HashVersion::numbered(number(&case[2]) as u32);
        let place = version.map(|version| version.place(&text(&case[0]), &text(&case[1])));
        assert_eq!(place.map_or(Value::Null, Value::Number), case[3]);
    }
    for case in cases_of("getBucketRange", 13) {
        let Value::List(of) = &case[1] else { panic!() };
        let weights: Option<Vec<f64>> = match &of[2] {
            Value::List(weights) => Some(weights.iter().map(number).collect()),
            _ => None,
        };
        let got = ranges(number(&of[0]) as usize, number(&of[1]), weights.as_deref());
        let same = got
            .iter()
            .zip(as_ranges(&case[2]))
            .all(|(got, wanted)| near(got.0, wanted.0) && near(got.1, wanted.1));
        assert!(same && got.len() == as_ranges(&case[2]).len(), "{got:?}");
    }
    for case in cases_of("chooseVariation", 13) {
        let found = chosen(&as_ranges(&case[2]), number(&case[1]));
        assert_eq!(found.map_or(-1.0, |at| at as f64), number(&case[3]), "{:?}", case[0]);
    }
    for case in cases_of("getQueryStringOverride", 16) {
        let found = query_override(&text(&case[1]), &text(&case[2]), number(&case[3]) as usize);
        assert_eq!(
            found.map_or(Value::Null, |at| Value::Number(at as f64)),
            case[4],
            "{:?}",
            case[0]
        );
    }
    for case in cases_of("inNamespace", 16) {
        let Value::List(of) = &case[2] else { panic!() };
        let range = Range(number(&of[1]), number(&of[2]));
        let namespace = Namespace { seed: text(&of[0]).into(), range };
        assert_eq!(Value::Bool(namespace.holds(&text(&case[1]))), case[3], "{:?}", case[0]);
    }
    for case in cases_of("getEqualWeights", 6) {
        let count = number(&case[0]).max(0.0) as usize;
        let Value::List(wanted) = &case[1] else { panic!() };
        let got = equal_weights(count);
        assert!(
            got.len() == wanted.len()
                && got.iter().zip(wanted).all(|(got, wanted)| near(*got, number(wanted)))
        );
    }
    passed(15 + 13 + 13 + 16 + 16 + 6);
}

/// What GrowthBook encrypts, AES-CBC as `IV.TEXT` in base 64. Hosts do that, by what they have of
/// cryptography: core has none.
fn decrypted(sealed: &str, key: &str) -> Option<String> {
    let bytes = |text: &str| BASE64_STANDARD.decode(text).ok();
    let (iv, body) = sealed.split_once('.')?;
    let (key, mut iv, body) = (bytes(key)?, bytes(iv)?, bytes(body)?);
    let cipher = Aes128::new_from_slice(&key).ok()?;
    let mut plain = Vec::new();
    for block in body.chunks(16) {
        let mut opened = Block::try_from(block).ok()?;
        cipher.decrypt_block(&mut opened);
        plain.extend(opened.iter().zip(&iv).map(|(byte, mask)| byte ^ mask));
        iv = block.to_vec();
    }
    let padding = usize::from(*plain.last()?);
    plain.truncate(plain.len().checked_sub(padding).filter(|_| (1..=16).contains(&padding))?);
    String::from_utf8(plain).ok()
}

#[test]
fn what_is_encrypted_opens_as_growthbook_says() {
    none_wrong("decrypt", 10, |case| {
        let found = decrypted(&text(&case[1]), &text(&case[2]));
        let found = found.map_or(Value::Null, |found| Value::Text(found.into()));
        (found != case[3]).then(|| format!("{found:?}"))
    });
}
