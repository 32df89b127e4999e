//! Features and experiments beyond what GrowthBook's cases show.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![cfg(feature = "wire")]

use rapport_core::binary::crc32;
use rapport_core::experiment::{
    Flags, FlagsError, Source, StickyBuckets, Visitor, Why, compile_flags,
};
use rapport_core::targeting::Value;

fn json(text: &str) -> Value<'static> {
    serde_json::from_str(text).unwrap()
}

fn flags(text: &str) -> Flags {
    compile_flags(&json(text)).0
}

fn problems(text: &str) -> Vec<String> {
    compile_flags(&json(text)).1.iter().map(ToString::to_string).collect()
}

/// A visitor with these attributes.
fn visitor(flags: &Flags, attributes: &str) -> Visitor<'static> {
    let given = json(attributes);
    let attributes =
        flags.attributes.iter().map(|name| given.member(name).cloned().unwrap_or_default());
    Visitor { attributes: attributes.collect(), ..Visitor::default() }
}

#[test]
fn a_growing_share_moves_nobody_from_one_variation_to_another() {
    let at = |coverage: f64| {
        flags(&format!(
            r#"{{"features":{{"f":{{"rules":[{{"variations":["a","b","c"],"weights":[0.2,0.3,0.5],
                "hashVersion":3,"coverage":{coverage}}}]}}}}}}"#
        ))
    };
    let steps: Vec<Flags> = [0.0, 0.01, 0.1, 0.33, 0.5, 0.9, 1.0].map(at).into();
    let mut covered = vec![0; steps.len()];
    for id in 0..5000 {
        let mut before = None;
        for (step, flags) in steps.iter().enumerate() {
            let visitor = visitor(flags, &format!(r#"{{"id":"visitor {id}"}}"#));
            let (outcome, _) = flags.feature("f", &visitor);
            let now = (outcome.source == Source::Experiment).then(|| outcome.value.clone());
            assert!(before.is_none() || now == before, "visitor {id} at step {step}");
            covered[step] += usize::from(now.is_some());
            before = now;
        }
        assert!(before.is_some(), "everybody is in at the end");
    }
    assert_eq!((covered[0], covered[6]), (0, 5000));
    assert!((1500..1800).contains(&covered[3]), "{covered:?}");
}

#[test]
fn experiments_of_one_namespace_never_share_a_visitor() {
    let flags = flags(
        r#"{"experiments":[
            {"key":"one","variations":[0,1],"namespaces":[["home",0,0.5],["eu",0,0.8]]},
            {"key":"two","variations":[0,1],"namespace":["home",0.5,1]}]}"#,
    );
    let mut counts = [0; 3];
    for id in 0..2000 {
        let visitor = visitor(&flags, &format!(r#"{{"id":"{id}"}}"#));
        let [one, two] =
            [0, 1].map(|at| flags.run(&flags.experiments[at], &visitor).0.in_experiment);
        assert!(!(one && two), "visitor {id}");
        counts[usize::from(one) + 2 * usize::from(two)] += 1;
    }
    // Two namespaces together leave two fifths.
    assert!((720..880).contains(&counts[1]) && (900..1100).contains(&counts[2]), "{counts:?}");
}

#[test]
fn signing_in_changes_no_variation() {
    let flags = flags(
        r#"{"features":{"f":{"rules":[{"variations":["a","b","c","d"],"hashAttribute":"userId",
            "fallbackAttribute":"anonymousId","meta":[{"key":"0"},{"key":"1"},{"key":"2"},{"key":"3"}]}]}}}"#,
    );
    for id in 0..200 {
        let mut memory = StickyBuckets::default();
        let before = memory.clone();
        let mut anonymous = visitor(&flags, &format!(r#"{{"anonymousId":"a{id}"}}"#));
        anonymous.sticky = Some(&before);
        let (first, _) = flags.feature("f", &anonymous);
        first.assignment.as_ref().unwrap().remember(&flags, &mut memory);
        let mut known = visitor(&flags, &format!(r#"{{"anonymousId":"a{id}","userId":"u{id}"}}"#));
        known.sticky = Some(&memory);
        let (then, _) = flags.feature("f", &known);
        assert_eq!(first.value, then.value);
        assert_eq!(then.assignment.unwrap().why, Why::Remembered);
    }
}

#[test]
fn holdouts_nest_and_their_exposures_count() {
    let flags = flags(
        r#"{"features":{"f":{"defaultValue":"none","rules":[
            {"key":"company holdout","variations":["out","in"],"weights":[0.1,0.9],"hashVersion":3,
                "meta":[{"key":"held"},{"key":"free","passthrough":true}]},
            {"key":"team holdout","variations":["out","in"],"weights":[0.2,0.8],"hashVersion":3,
                "meta":[{"key":"held"},{"key":"free","passthrough":true}]},
            {"key":"button","variations":["red","blue"],"hashVersion":3}]}}}"#,
    );
    let mut held = 0;
    for id in 0..2000 {
        let (outcome, exposures) =
            flags.feature("f", &visitor(&flags, &format!(r#"{{"id":"{id}"}}"#)));
        let keys: Vec<_> = exposures.iter().map(|one| &*one.experiment.key).collect();
        if *outcome.value == Value::Text("out".into()) {
            held += 1;
            assert!(keys == ["company holdout"] || keys == ["company holdout", "team holdout"]);
        } else {
            assert_eq!(keys, ["company holdout", "team holdout", "button"]);
        }
    }
    assert!((500..620).contains(&held), "{held}: one tenth, and a fifth of the rest");
}

#[test]
fn what_does_nothing_is_reported_where_it_stands() {
    let found = problems(
        r#"{"features":{
            "a":{"rules":[{"force":1,"condition":{"n":{"$regex":"(?=x)"}}},{"force":1,"condition":{"n":{"$like":"x"}}}]},
            "b":{"rules":[{"variations":[0,1],"weights":[0.5,0.4,0.1]},{"variations":[0,1],"weights":[0.9,0.9]},
                {"variations":[0,1],"ranges":[[0,0.6],[0.5,1]]},{"variations":[0]},{"variations":[0,1],"hashVersion":9}]},
            "c":{"rules":[{"force":1,"condition":{"id":{"$inGroup":"nobody"}}},{"force":1,"condition":{"$and":{"a":1}}}]}}}"#,
    );
    for (at, reason) in [
        ("features.a.rules.0.condition.n.$regex", "look-around"),
        ("features.a.rules.1.condition.n.$like", "nobody knows this operator"),
        ("features.b.rules.0", "3 weights for 2 variations"),
        ("features.b.rules.1", "sum to 1.8"),
        ("features.b.rules.2", "overlap"),
        ("features.b.rules.3", "two variations"),
        ("features.b.rules.4", "hashVersion"),
        ("features.c.rules.0.condition.id.$inGroup", "no saved group `nobody`"),
        ("features.c.rules.1.condition.$and", "list of conditions"),
    ] {
        let said =
            |problem: &&String| problem.starts_with(&format!("{at}: ")) && problem.contains(reason);
        assert!(found.iter().any(|problem| said(&problem)), "{at} {reason}: {found:#?}");
    }
    assert_eq!(found.len(), 9, "{found:#?}");
}

#[test]
fn no_payload_takes_long_or_overflows_the_stack() {
    // A tower of prerequisites, each asked for twice, and a ring of them.
    let tower: Vec<_> = (0..60)
        .map(|at| {
            let parent = at + 1;
            format!(
                r#""f{at}":{{"defaultValue":1,"rules":[{{"parentConditions":[{{"id":"f{parent}","gate":true}},
                    {{"id":"f{parent}","gate":true}}]}}]}}"#
            )
        })
        .collect();
    let flags = flags(&format!(r#"{{"features":{{{}}}}}"#, tower.join(",")));
    let nobody = visitor(&flags, "{}");
    assert_eq!(flags.feature("f0", &nobody).0.source, Source::Default);
    let ring: Vec<_> = (0..5000)
        .map(|at| {
            let next = (at + 1) % 5000;
            format!(r#""f{at}":{{"rules":[{{"parentConditions":[{{"id":"f{next}"}}]}}]}}"#)
        })
        .collect();
    let flags = flags_of(&ring);
    assert_eq!(flags.feature("f0", &nobody).0.source, Source::CyclicPrerequisite);
    let deep = format!(
        r#"{{"experiments":[{{"key":"e","variations":[0,1],"condition":{}1{}}}]}}"#,
        r#"{"$not":"#.repeat(100),
        "}".repeat(100)
    );
    assert!(problems(&deep).iter().any(|problem| problem.contains("nests too deep")));
}

fn flags_of(features: &[String]) -> Flags {
    flags(&format!(r#"{{"features":{{{}}}}}"#, features.join(",")))
}

#[test]
fn damaged_bytes_are_refused_or_decide_something() {
    let whole = flags(
        r#"{"savedGroups":{"g":["a",1,null]},"features":{"f":{"defaultValue":{"a":[1,true,null]},"rules":[
            {"force":1,"condition":{"n":{"$regex":"^a(b|c){2,3}$"},"ip":{"$cidr":["10.0.0.0/8","::1"]}}},
            {"variations":[0,1],"condition":{"$or":[{"x":{"$inGroup":"g"}},{"l":{"$elemMatch":{"k":{"$vgt":"1.2"}}}}]}}]}},
            "experiments":[{"key":"e","variations":[{},{"urlRedirect":"/b"}],"urlPatterns":[{"type":"simple","pattern":"/a*"}],
            "minBucketVersion":4000000000}]}"#,
    );
    let bytes = whole.to_bytes();
    assert_eq!(Flags::open(&bytes), Ok(whole));
    assert_eq!(Flags::open(b"{}"), Err(FlagsError::NotFlags));
    for cut in 0..bytes.len() {
        assert!(Flags::open(&bytes[..cut]).is_err());
    }
    let mut opened = 0;
    for at in 8..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = bytes.clone();
            bytes[at] ^= flip;
            assert_eq!(Flags::open(&bytes), Err(FlagsError::Damaged));
            let sum = crc32(&bytes[8..]);
            bytes[4..8].copy_from_slice(&sum.to_le_bytes());
            let Ok(flags) = Flags::open(&bytes) else { continue };
            opened += 1;
            let mut visitor =
                visitor(&flags, r#"{"id":"x","n":"abcb","ip":"10.1.1.1","l":[{"k":"2"}],"x":1}"#);
            let memory = StickyBuckets::default();
            (visitor.address, visitor.sticky) = ("https://x.test/a?e=1", Some(&memory));
            flags.features.iter().for_each(|feature| drop(flags.feature(&feature.key, &visitor)));
            flags.experiments.iter().for_each(|experiment| drop(flags.run(experiment, &visitor)));
        }
    }
    assert!(opened > 100, "{opened}");
}
