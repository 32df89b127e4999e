//! Days that left the journal: nothing is lost, doubled or told to anybody without the key.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;
#[path = "sealing/power.rs"]
mod power;
#[path = "sealing/written.rs"]
mod written;

use power::{Power, Spared};
use rapport_backend::identity::SubjectId;
use rapport_backend::keys::KeyStore;
use rapport_backend::log::{Appended, EventLog, Offset, Replayed, Sealed, contents};
use std::path::Path;
use std::sync::Arc;
use written::Written;

fn files(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_sealed_day_reads_as_its_journal_did() {
    let written = Written::days(4, 300);
    let before = written.all(&written.open());
    let log = written.sealed();
    assert_eq!(written.all(&log), before);
    drop(log);
    let first = files(&written.day(0));
    let sealed = |name: &String| name.ends_with(".parquet");
    assert_eq!(first.iter().filter(|name| sealed(name)).count(), written.scopes.len());
    assert_eq!(first.len(), written.scopes.len() + 2, "and two indexes: {first:?}");
    assert!(files(&written.day(2)).contains(&"events.journal".to_owned()), "its grace is not over");
    let log = written.open();
    assert_eq!(written.all(&log), before, "after a start too");
    for (number, scope) in (30..).zip(&written.scopes) {
        let (known, new) = (written.draft(*scope, 0, number), written.draft(*scope, 3, 9_999));
        assert_eq!(log.append(&[known]).unwrap(), [Appended::Duplicate]);
        assert!(matches!(log.append(&[new]).unwrap()[..], [Appended::At(_)]));
    }
}

#[test]
fn what_stands_beside_sealed_days_can_be_lost_or_damaged() {
    let written = Written::days(3, 200);
    let before = written.all(&written.sealed());
    for damage in [0, 1] {
        for name in files(&written.day(0)) {
            let path = written.day(0).join(&name);
            if name.ends_with(".index") && damage == 0 {
                std::fs::remove_file(path).unwrap();
            } else if name.ends_with(".index") {
                let mut bytes = std::fs::read(&path).unwrap();
                *bytes.last_mut().unwrap() ^= 1;
                std::fs::write(path, bytes).unwrap();
            }
        }
        let log = written.open();
        assert_eq!(written.all(&log), before);
        let known = written.draft(written.scopes[0], 0, 6);
        assert_eq!(log.append(&[known]).unwrap(), [Appended::Duplicate]);
    }
}

#[test]
fn who_is_erased_after_the_day_was_sealed_is_a_tombstone_and_nobody_else() {
    let written = Written::days(3, 200);
    let log = written.sealed();
    let (scope, ann) = (written.scopes[0], SubjectId([1; 16]));
    written.keys.shred(scope, ann, 1).unwrap();
    for envelope in log.read(scope, Offset(0), 10_000).unwrap() {
        let (subject, in_block) = (envelope.draft.subject, envelope.draft.sealed.clone());
        match contents(&*written.keys, envelope).unwrap() {
            Replayed::Tombstone { .. } => assert_eq!(subject, ann),
            Replayed::Event(_) => assert_ne!(subject, ann),
        }
        if matches!(in_block, Sealed::Block(_)) {
            assert!(format!("{in_block:?}").len() < 60, "what is sealed is not printed");
        }
    }
}

#[test]
fn who_was_erased_before_leaves_no_name_in_the_sealed_day() {
    let written = Written::days(3, 200);
    let (scope, ann) = (written.scopes[0], SubjectId([1; 16]));
    written.keys.shred(scope, ann, 1).unwrap();
    let before = written.all(&written.open());
    let log = written.sealed();
    let mut after = written.all(&log);
    // Of an erased subject nobody asks for the envelopes any more.
    assert_eq!(after.replayed, before.replayed);
    after.subjects.retain(|(of, subject, _)| (*of, *subject) != (scope, ann));
    let mut others = before;
    others.subjects.retain(|(of, subject, _)| (*of, *subject) != (scope, ann));
    assert_eq!(after.subjects, others.subjects);
    let of_first = log.read(scope, Offset(0), 200).unwrap();
    let gone: Vec<_> =
        of_first.iter().filter(|envelope| envelope.draft.sealed == Sealed::Gone).collect();
    assert!(!gone.is_empty());
    for envelope in gone {
        assert_eq!(envelope.draft.subject, SubjectId([0; 16]));
        assert_eq!(envelope.draft.message_id, "");
    }
}

#[test]
fn what_does_not_open_stays_as_it_arrived() {
    let written = Written::days(3, 60);
    let scope = written.scopes[0];
    let mut odd = written.draft(scope, 2, 7_001);
    odd.sealed = vec![7; 99].into();
    let log = written.open();
    // As where the key store that is mounted is not the one that the events were sealed with.
    let mut unknown = written.draft(scope, 2, 7_003);
    unknown.subject = SubjectId([9; 16]);
    log.append(&[odd, unknown]).unwrap();
    log.append(&[written.draft(scope, 6, 1)]).unwrap();
    let before = log.read(scope, Offset(0), 10_000).unwrap();
    drop(log);
    let after = written.sealed().read(scope, Offset(0), 10_000).unwrap();
    let alone = |envelope: &rapport_backend::log::Envelope| {
        let sealed = envelope.draft.sealed.clone();
        (envelope.offset, envelope.draft.message_id.clone(), sealed)
    };
    let odd = |all: &[rapport_backend::log::Envelope]| {
        all.iter()
            .map(alone)
            .filter(|(_, id, _)| id.ends_with("-7001") || id.ends_with("-7003"))
            .collect::<Vec<_>>()
    };
    assert_eq!(odd(&after).len(), 2);
    assert_eq!(odd(&after), odd(&before));
}

#[test]
fn a_stop_at_any_step_loses_nothing_and_doubles_nothing() {
    let written = Written::days(3, 9);
    let before = written.all(&written.open());
    for spared in [Spared::All, Spared::Synced] {
        let mut steps = 0;
        loop {
            let copy = written.copy();
            let power = Arc::new(Power::for_steps(steps));
            let log = copy.open_on(power.clone());
            let cut = log.tidy().is_err();
            drop(log);
            power.cut(spared);
            assert_eq!(copy.all(&copy.open()), before, "{spared:?} after {steps} steps");
            assert_eq!(copy.all(&copy.sealed()), before, "{spared:?} after {steps} steps");
            let left = files(&copy.day(0));
            assert!(!left.iter().any(|name| name.ends_with("unfinished")), "{left:?}");
            if !cut {
                break;
            }
            steps += 1;
        }
        assert!(steps > 10, "every step was met: {steps}");
    }
}

#[test]
fn events_arrive_while_a_day_is_sealed() {
    let written = Written::days(3, 2_000);
    let log = written.open();
    let scope = written.scopes[0];
    let end = log.end(scope).unwrap();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while written.day(0).join("events.journal").exists() {
                log.tidy().unwrap();
            }
        });
        for number in 0..200 {
            let draft = written.draft(scope, 2, 10_000 + number);
            assert!(matches!(log.append(&[draft]).unwrap()[..], [Appended::At(_)]));
            assert_eq!(log.read(scope, Offset(0), 10).unwrap().len(), 10);
        }
    });
    let read = log.read(scope, Offset(0), 10_000).unwrap();
    let offsets: Vec<_> = read.iter().map(|envelope| envelope.offset.0).collect();
    assert_eq!(offsets, (1..=end.0 + 200).collect::<Vec<_>>());
}
