#![no_main]
//! Compiled flags, and questions to them: what opens must answer, and pack again. The first byte
//! picks one of GrowthBook's cases, the second says how many bytes of it change; the question follows.
//! Flags of the fuzzer's own making follow a 255.

use libfuzzer_sys::fuzz_target;
use rapport_core::binary::crc32;
use rapport_core::experiment::{Flags, Question, compile_flags};
use rapport_core::targeting::Value;
use rapport_fuzz::changed;
use std::sync::LazyLock;

/// What [`Flags::open`] reads behind the magic and the checksum.
static BODIES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let suite = include_str!("../../../conformance/suites/growthbook/cases.json");
    let suite: Value = serde_json::from_str(suite).unwrap();
    let cases = ["feature", "stickyBucket", "contextualBandit", "urlRedirect"].into_iter();
    let contexts = cases.flat_map(|kind| match suite.at(kind) {
        Value::List(cases) => cases.as_slice(),
        _ => &[],
    });
    let bodies = contexts.filter_map(|case| match case {
        Value::List(case) => Some(compile_flags(case.get(1)?).0.to_bytes().split_off(8)),
        _ => None,
    });
    bodies.take(255).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let [case, changes, rest @ ..] = bytes else { return };
    let (body, question) = match BODIES.get(usize::from(*case)) {
        Some(body) => changed(body, *changes, rest),
        None => (rest.to_vec(), &[][..]),
    };
    let mut sealed = b"RPF1".to_vec();
    sealed.extend(crc32(&body).to_le_bytes());
    sealed.extend(body);
    let Ok(flags) = Flags::open(&sealed) else { return };
    let again = flags.to_bytes();
    assert_eq!(Flags::open(&again).unwrap().to_bytes(), again);
    let read = || Question::read(question, &flags).into_iter();
    let mut answer = Vec::new();
    read().for_each(|mut asked| asked.all(&flags, &mut answer));
    read().for_each(|mut asked| asked.feature(&flags, 0, &mut answer));
    read().for_each(|mut asked| asked.experiment(&flags, 0, &mut answer));
});
