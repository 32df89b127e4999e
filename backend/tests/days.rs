//! The log over days: what is kept of those that are over, and what a start reads of them.
#![allow(clippy::unwrap_used, clippy::panic)]

#[allow(dead_code)]
#[path = "contract/log.rs"]
mod contract;
mod house;
#[path = "sealing/written.rs"]
mod written;

use contract::draft;
use house::scratch;
use rapport_backend::identity::{Scope, SubjectId, WorkspaceId};
use rapport_backend::log::{Appended, DayLog, Draft, Envelope, EventLog, Offset};
use std::path::{Path, PathBuf};
use written::Written;

const DAY: i64 = 86_400_000;

fn on_day(scope: Scope, day: i64, number: i64) -> Draft {
    draft(scope, (number % 3) as u8, &format!("m{day}-{number}"), day * DAY + number)
}

fn files(directory: &Path, day: &str) -> Vec<String> {
    let entries = std::fs::read_dir(directory.join("log").join(day)).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn all(log: &DayLog, scope: Scope) -> (Vec<Envelope>, Vec<Envelope>) {
    let end = log.end(scope).unwrap();
    (
        log.read(scope, Offset(0), 1000).unwrap(),
        log.subject(scope, SubjectId([1; 16]), end).unwrap(),
    )
}

#[test]
fn a_day_that_is_over_is_filed_and_reads_as_before() {
    let directory = scratch();
    let scope = Scope::live(WorkspaceId::generate().unwrap());
    let log = DayLog::open(&directory).unwrap();
    for day in 0..3 {
        for number in 0..20 {
            log.append(&[on_day(scope, day, number)]).unwrap();
        }
    }
    let before = all(&log, scope);
    assert_eq!((before.0.len(), before.1.len()), (60, 21));
    log.tidy().unwrap();
    assert_eq!(all(&log, scope), before);
    let of_first = files(&directory, "1970-01-01");
    assert_eq!(of_first.len(), 4, "journal, places, two indexes: {of_first:?}");
    assert_eq!(files(&directory, "1970-01-03"), ["events.journal"], "the last day is not over");
    drop(log);

    let log = DayLog::open(&directory).unwrap();
    assert_eq!(all(&log, scope), before);
    assert_eq!(log.append(&[on_day(scope, 0, 5)]).unwrap(), [Appended::Duplicate]);
    assert_eq!(log.append(&[on_day(scope, 0, 99)]).unwrap(), [Appended::At(Offset(61))]);
    drop(log);
    // Whatever lies beside a journal can be lost or damaged.
    let beside = |name: &str| directory.join("log/1970-01-01").join(name);
    for name in of_first.iter().filter(|name| *name != "events.journal") {
        let path: PathBuf = beside(name);
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(path, bytes).unwrap();
    }
    let log = DayLog::open(&directory).unwrap();
    assert_eq!(all(&log, scope).0.len(), 61);
    assert_eq!(all(&log, scope).1.len(), 21);
    assert_eq!(log.append(&[on_day(scope, 0, 5)]).unwrap(), [Appended::Duplicate]);
}

#[test]
fn messages_are_remembered_for_thirty_days() {
    let directory = scratch();
    let scope = Scope::live(WorkspaceId::generate().unwrap());
    let log = DayLog::open(&directory).unwrap();
    log.append(&[on_day(scope, 0, 1), on_day(scope, 0, 2)]).unwrap();
    log.append(&[on_day(scope, 30, 1)]).unwrap();
    log.tidy().unwrap();
    assert_eq!(log.append(&[on_day(scope, 0, 1)]).unwrap(), [Appended::Duplicate]);
    log.append(&[on_day(scope, 31, 1)]).unwrap();
    log.tidy().unwrap();
    let again = |log: &DayLog, number| {
        let mut draft = on_day(scope, 0, number);
        draft.received_at = 31 * DAY;
        log.append(&[draft]).unwrap()
    };
    assert_eq!(again(&log, 1), [Appended::At(Offset(5))]);
    drop(log);
    let log = DayLog::open(&directory).unwrap();
    assert_eq!(again(&log, 2), [Appended::At(Offset(6))], "nor after a start");
    assert_eq!(again(&log, 1), [Appended::Duplicate]);
    assert_eq!(log.read(scope, Offset(0), 100).unwrap().len(), 6, "the events stay");
}

#[test]
fn who_brings_events_of_the_past_finds_messages_of_all_days() {
    let (written, long) = (Written::days(3, 60), 100);
    let (log, scope) = (written.sealed(), written.scopes[0]);
    log.append(&[written.draft(scope, long, 0)]).unwrap();
    log.tidy().unwrap();
    drop(log);
    let sealed = |day| !written.day(day).join("events.journal").exists();
    assert!(sealed(0) && !sealed(2), "one day of each form");
    let again = |log: &DayLog, day, number| {
        let mut draft = written.draft(scope, day, number);
        draft.received_at = (long * DAY) + 1;
        log.append(&[draft]).unwrap()[0]
    };
    let mut known = Vec::new();
    for day in 0..3 {
        known.extend((3..60).step_by(3).map(|number| (day, number)));
    }
    for _ in 0..2 {
        let log = DayLog::open_remembering(&written.directory).unwrap();
        for (day, number) in &known {
            assert_eq!(again(&log, *day, *number), Appended::Duplicate, "{day} {number}");
            log.tidy().unwrap();
        }
    }
    let log = written.open();
    log.tidy().unwrap();
    assert!(matches!(again(&log, 0, 3), Appended::At(_)), "others remember thirty days");
}
