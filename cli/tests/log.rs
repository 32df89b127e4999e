//! `rapport log` on logs that are whole, forgotten in part, torn and damaged.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used)]

use rapport_backend::identity::{Scope, SubjectId, WorkspaceId};
use rapport_backend::keys::{DirectoryKeys, KeyStore};
use rapport_backend::log::{
    Consent, DayLog, Draft, EventLog, Open, SCHEMA_VERSION, Sealed, SealedWire, seal,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

const DAY: i64 = 86_400_000;
const EVENTS: i64 = 40;

/// A log of two days and two subjects, in groups of five.
fn filled(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("rapport-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    let keys = DirectoryKeys::open(&directory.join("keys")).unwrap();
    let log = DayLog::open(&directory).unwrap();
    let scope = Scope::live(WorkspaceId::generate().unwrap());
    let drafts: Vec<_> = (0..EVENTS).map(|number| draft(&keys, scope, number)).collect();
    drafts.chunks(5).for_each(|group| _ = log.append(group).unwrap());
    keys.shred(scope, SubjectId([1; 16]), 1).unwrap();
    directory
}

fn draft(keys: &DirectoryKeys, scope: Scope, number: i64) -> Draft {
    let subject = SubjectId([(number % 2) as u8; 16]);
    let time = 20_000 * DAY + number / 20 * DAY + number;
    let mut draft = Draft {
        scope,
        message_id: format!("m{number}"),
        subject,
        event_time: time,
        sent_at: None,
        received_at: time,
        consent: Consent::ALL,
        schema_version: SCHEMA_VERSION,
        open: Open { kind: "page".to_owned(), ..Open::default() },
        sealed: Sealed::default(),
    };
    let event = json!({ "type": "page", "anonymousId": format!("ann {subject}") });
    let wire = json!({ "ip": "203.0.113.7", "userAgent": null, "event": event });
    let wire: SealedWire = serde_json::from_value(wire).unwrap();
    let key = keys.ensure_subject_keys(scope, &[subject]).unwrap().remove(0).kept().unwrap();
    draft.sealed = seal(&key, &draft, &wire).unwrap();
    draft
}

fn log(job: &str, directory: &Path) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rapport"))
        .args(["log", job, "--dir"])
        .arg(directory)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn journal(directory: &Path, day: &str) -> PathBuf {
    directory.join("log").join(day).join("events.journal")
}

#[test]
fn a_whole_log_is_shown_checked_and_replayed_to_the_same_bytes() {
    let directory = filled("whole");
    let (ok, shown, _) = log("inspect", &directory);
    assert!(ok && shown.contains("2024-10-04  20 events"), "{shown}");
    assert!(shown.contains("1 to 20") && shown.contains("21 to 40"), "{shown}");
    let (ok, said, _) = log("verify", &directory);
    assert!(ok, "{said}");
    assert!(said.contains("40 events of 2 days: 20 open, 20 of erased visitors"), "{said}");
    let (ok, replayed, _) = log("replay", &directory);
    assert!(ok);
    assert_eq!(log("replay", &directory).1, replayed);
    let lines: Vec<Value> =
        replayed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 40);
    assert_eq!(
        lines[0]["sealed"]["event"]["anonymousId"],
        json!(format!("ann {}", SubjectId([0; 16])))
    );
    assert_eq!((&lines[1]["offset"], &lines[1]["kind"]), (&json!(2), &json!("page")));
    for absent in ["subject", "message_id", "sealed"] {
        assert_eq!(lines[1].get(absent), None, "a tombstone says nothing about whom");
    }
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn a_day_says_the_same_once_it_is_sealed() {
    let directory = filled("sealed");
    let replayed = log("replay", &directory).1;
    // A day that is over is sealed once a later one has begun.
    let keys = Arc::new(DirectoryKeys::open(&directory.join("keys")).unwrap());
    let days = DayLog::open(&directory).unwrap().sealing_under(keys.clone());
    let scope = days.ends().unwrap()[0].0;
    let late = Draft { received_at: 20_009 * DAY, ..draft(&keys, scope, EVENTS) };
    days.append(&[late]).unwrap();
    while journal(&directory, "2024-10-05").exists() {
        days.tidy().unwrap();
    }
    drop(days);
    let (ok, after, _) = log("replay", &directory);
    assert!(ok);
    let lines =
        |text: &str| text.lines().take(EVENTS as usize).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lines(&after), lines(&replayed));
    assert_eq!(after.lines().count(), 41);
    let (ok, said, _) = log("verify", &directory);
    assert!(ok && said.contains("41 events of 3 days: 21 open, 20 of erased visitors"), "{said}");
    let (ok, shown, _) = log("inspect", &directory);
    assert!(ok && shown.contains("2024-10-04  20 events") && shown.contains("1 to 20"), "{shown}");
    let day = directory.join("log/2024-10-04");
    let sealed = std::fs::read_dir(&day).unwrap().map(|entry| entry.unwrap().path());
    let sealed = sealed.filter(|path| path.extension().is_some_and(|kind| kind == "parquet"));
    for path in sealed {
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    }
    let (ok, said, error) = log("verify", &directory);
    assert!(!ok && said.contains("damaged"), "{said}{error}");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn damage_is_found_and_told_from_what_a_crash_leaves() {
    let directory = filled("damaged");
    let (first, last) = (journal(&directory, "2024-10-04"), journal(&directory, "2024-10-05"));
    let whole = std::fs::read(&last).unwrap();
    std::fs::write(&last, &whole[..whole.len() - 7]).unwrap();
    let (ok, said, _) = log("verify", &directory);
    assert!(ok && said.contains("never acknowledged"), "{said}");
    assert!(said.contains("35 events of 2 days"), "{said}");
    std::fs::write(&last, &whole).unwrap();
    let mut bytes = std::fs::read(&first).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&first, bytes).unwrap();
    let (ok, said, error) = log("verify", &directory);
    assert!(!ok && said.contains("are damaged"), "{said}");
    assert!(said.contains("offset 16 follows 10") && error.contains("2 faults"), "{said}{error}");
    assert!(DayLog::open(&directory).is_err(), "a server does not start on it");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn what_is_no_log_is_said_in_one_sentence() {
    let directory = filled("none");
    let (ok, _, error) = log("inspect", Path::new("/nonexistent"));
    assert!(!ok && error.contains("say where with --dir"), "{error}");
    std::fs::remove_dir_all(directory.join("keys")).unwrap();
    let (ok, _, error) = log("verify", &directory);
    assert!(!ok && error.contains("say where with --keys"), "{error}");
    std::fs::remove_dir_all(directory).unwrap();
}
