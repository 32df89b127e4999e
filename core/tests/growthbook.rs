//! GrowthBook's own cases: `conformance/suites/growthbook/`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![cfg(feature = "wire")]

use rapport_core::targeting::{Compiler, Scope, Value};
use std::path::Path;

fn cases(group: &str) -> Vec<Vec<Value<'static>>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../conformance/suites/growthbook/cases.json");
    let all: Value<'static> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
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
}
