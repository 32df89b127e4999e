//! Sealed days as files: other tools read them, and whatever stands in their place harms nobody.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;
#[path = "sealing/written.rs"]
mod written;

use rapport_backend::log::{Damage, EventLog, Offset, survey};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use written::Written;

fn volume(written: &Written, scope: usize) -> PathBuf {
    let scope = written.scopes[scope];
    let start = format!("{}.{}.", scope.workspace, scope.environment.word());
    let files = std::fs::read_dir(written.day(0)).unwrap().map(|file| file.unwrap().path());
    let of_scope = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(&start) && name.ends_with(".parquet")
    };
    files.filter(|path| of_scope(path)).collect::<Vec<_>>().remove(0)
}

fn damage(written: &Written) -> Vec<Damage> {
    let days = survey(&written.directory, |_| Ok(())).unwrap();
    days.into_iter().flat_map(|day| day.damage).collect()
}

/// What is left of a day whose file is damaged: never more than was there, and never another event.
fn check(written: &Written, path: &Path, before: &[String], what: &str) {
    let log = written.open();
    let after = written.all(&log);
    let (others, ours): (Vec<_>, Vec<_>) =
        before.iter().partition(|line| after.replayed.contains(line));
    assert_eq!(after.replayed, others.into_iter().cloned().collect::<Vec<_>>(), "{what}");
    assert!(ours.len() <= 20, "{what}: of other days and scopes nothing is lost: {}", ours.len());
    let found = damage(written);
    assert!(
        !found.is_empty() && found.iter().all(|damage| damage.path == path),
        "{what}: {found:?}"
    );
    // The offsets go on behind it.
    let scope = written.scopes[0];
    assert_eq!(log.end(scope).unwrap(), Offset(60), "{what}");
}

#[test]
fn whatever_stands_in_the_place_of_a_sealed_day_is_said_and_left_out() {
    let written = Written::days(3, 60);
    let log = written.sealed();
    let before = written.all(&log).replayed;
    drop(log);
    assert_eq!(damage(&written), []);
    let path = volume(&written, 0);
    let whole = std::fs::read(&path).unwrap();
    let put = |bytes: &[u8], what: &str| {
        std::fs::write(&path, bytes).unwrap();
        check(&written, &path, &before, what);
    };
    for length in [0, 3, 8, 11, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
        put(&whole[..length], &format!("cut at {length}"));
    }
    let soak = std::env::var_os("RAPPORT_SOAK").is_some();
    for at in (0..whole.len()).step_by(if soak { 7 } else { whole.len() / 40 }) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        put(&bytes, &format!("a bit at {at}"));
    }
    let huge = [b"PAR1".as_slice(), &[7; 500], &0x7fff_fff0u32.to_le_bytes(), b"PAR1"].concat();
    put(&huge, "a footer of two gigabytes");
    put(&[b"PAR1".as_slice(), &[0; 100], &90u32.to_le_bytes(), b"PAR1"].concat(), "zeros");
    // A file of the right form that says nothing of its sums, as other tools write it.
    let footer = u32::from_le_bytes(whole[whole.len() - 8..whole.len() - 4].try_into().unwrap());
    let footer_at = whole.len() - 8 - footer as usize;
    let foreign = [&whole[..footer_at - 24], &whole[footer_at..]].concat();
    put(&foreign, "no sums");
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(damage(&written), []);
    assert_eq!(written.all(&written.open()).replayed, before, "put back, it is all there again");
}

#[test]
fn another_days_file_opens_for_nobody() {
    let written = Written::days(3, 60);
    drop(written.sealed());
    std::fs::copy(volume(&written, 1), volume(&written, 0)).unwrap();
    let log = written.open();
    for envelope in log.read(written.scopes[0], Offset(0), 1000).unwrap() {
        let of_day = envelope.draft.received_at < written::DAY;
        let opened = rapport_backend::log::contents(&*written.keys, envelope);
        assert_eq!(opened.is_err(), of_day, "{opened:?}");
    }
}

const SCRIPT: &str = r#"
import json, sys, pyarrow.parquet as parquet
file = parquet.ParquetFile(sys.argv[1])
table = file.read()
rows = [{"offset": row["offset"], "event_time": round(row["event_time"].timestamp() * 1000),
    "received_at": round(row["event_time"].timestamp() * 1000) + row["received_after"],
    "subject": row["subject"].hex(), "message_id": row["message_id"] or str(row["message_uuid"] if not isinstance(row["message_uuid"], bytes) else __import__("uuid").UUID(bytes=row["message_uuid"])),
    "kind": row["kind"], "name": row["name"], "path": row["path"], "referrer_host": row["referrer_host"]}
    for row in table.to_pylist()]
said = {key.decode(): value.decode() for key, value in file.metadata.metadata.items() if key.startswith(b"rapport")}
try:
    import duckdb
    said["duckdb"] = duckdb.sql(f"select count(*), count(distinct subject) from '{sys.argv[1]}' where path like '/pricing%'").fetchall()[0]
except ImportError:
    pass
print(json.dumps({"rows": rows, "said": said}))
"#;

#[test]
fn other_tools_read_a_sealed_day() {
    let python = std::env::var("RAPPORT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python).args(["-c", "import pyarrow.parquet"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED no Python with pyarrow; say which with RAPPORT_PYTHON");
        return;
    }
    let written = Written::days(3, 300);
    let log = written.sealed();
    let output =
        Command::new(python).args(["-c", SCRIPT]).arg(volume(&written, 0)).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    let scope = written.scopes[0];
    assert_eq!(read["said"]["rapport.workspace"], scope.workspace.to_string());
    assert_eq!(read["said"]["rapport.day"], "1970-01-01");
    let mut rows = read["rows"].as_array().unwrap().clone();
    rows.sort_by_key(|row| row["offset"].as_i64());
    let envelopes = log.read(scope, Offset(0), 100).unwrap();
    assert_eq!(rows.len(), 100);
    let pricing = envelopes.iter().filter(|envelope| envelope.draft.open.path.is_some()).count();
    if let Some(counts) = read["said"]["duckdb"].as_array() {
        assert_eq!(counts[0], pricing);
    }
    for (row, envelope) in rows.iter().zip(envelopes) {
        let draft = &envelope.draft;
        let subject: String = draft.subject.0.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(row["offset"], envelope.offset.0);
        assert_eq!(
            (&row["event_time"], &row["received_at"]),
            (&draft.event_time.into(), &draft.received_at.into())
        );
        assert_eq!(
            (&row["subject"], &row["message_id"]),
            (&subject.into(), &draft.message_id.clone().into())
        );
        assert_eq!((&row["kind"], &row["name"]), (&"page".into(), &"Pricing".into()));
        assert_eq!(
            (&row["path"], &row["referrer_host"]),
            (&draft.open.path.clone().into(), &draft.open.referrer_host.clone().into())
        );
    }
}
