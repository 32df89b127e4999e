//! `rapport import events`: own dates, each event once, and a reason for each line that is refused.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used)]

use rapport_backend::log::{DayLog, Envelope, EventLog, Offset};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A data directory with one workspace.
fn data(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("rapport-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    let mut server = Command::new(env!("CARGO_BIN_EXE_rapport"))
        .args(["serve", "--listen", "127.0.0.1:0", "--dir"])
        .arg(&directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(server.stdout.take().unwrap()));
    assert!(lines.map_while(Result::ok).any(|line| line.starts_with("Owner link")));
    server.kill().unwrap();
    server.wait().unwrap();
    directory
}

fn start(file: &Path, directory: &Path, more: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_rapport"))
        .args(["import", "events"])
        .arg(file)
        .arg("--dir")
        .arg(directory)
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn import(file: &Path, directory: &Path, more: &[&str]) -> (bool, String, String) {
    let output = start(file, directory, more).wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn kept(directory: &Path) -> Vec<Envelope> {
    let log = DayLog::open(directory).unwrap();
    let Some((scope, end)) = log.ends().unwrap().first().copied() else { return Vec::new() };
    log.read(scope, Offset(0), end.0 as u32).unwrap()
}

#[test]
fn events_keep_their_own_dates_and_count_once_however_often_they_come() {
    let directory = data("import-once");
    let (json, csv) = (directory.join("old.jsonl"), directory.join("old.csv"));
    std::fs::write(
        &json,
        r#"{"type":"page","userId":"ann","messageId":"m1","timestamp":"2019-03-04T05:06:07Z","context":{"page":{"path":"/pricing"}}}

{"type":"track","event":"Signed Up","userId":"ann","timestamp":1551675967000,"properties":{"plan":"team"}}
{"type":"track","event":"Signed Up","userId":"ann"}
{"type":"page","timestamp":"2019-03-04T05:06:07Z"}
{"type":"page","userId":"ann","timestamp":"2119-03-04T05:06:07Z"}
not json
"#,
    )
    .unwrap();
    std::fs::write(
        &csv,
        "type,userId,messageId,timestamp,event,properties.plan,traits.email\n\
         track,bob,m2,2019-03-04T05:06:08Z,Signed Up,team,\n\
         identify,bob,m3,1551675969000,,,bob@example.com\n\
         track,bob,m4\n\
         track,ann,m1,2019-03-04T05:06:07Z,Again,,\n",
    )
    .unwrap();
    let report = directory.join("refused.jsonl");
    let (ok, said, reasons) = import(&json, &directory, &["--refused", report.to_str().unwrap()]);
    assert!(ok, "{reasons}");
    assert_eq!(said, "2 events imported, 0 were there, 4 lines refused\n");
    for reason in [
        "line 4: it needs `timestamp`",
        "line 5: `anonymousId` or `userId` must say",
        "line 6: its `timestamp` lies in the future",
        "line 7: not an event: ",
    ] {
        assert!(reasons.contains(reason), "{reason}: {reasons}");
    }
    assert_eq!(std::fs::read_to_string(report).unwrap().lines().count(), 4);
    assert_eq!(
        import(&json, &directory, &[]).1,
        "0 events imported, 2 were there, 4 lines refused\n"
    );
    let (ok, said, reasons) = import(&csv, &directory, &[]);
    assert!(ok && reasons.contains("line 4: it has 3 cells where the header has 7"), "{reasons}");
    assert_eq!(said, "2 events imported, 1 were there, 1 lines refused\n");
    let kept = kept(&directory);
    let times: Vec<_> = kept.iter().map(|envelope| envelope.draft.event_time / 1000).collect();
    assert_eq!(times, [1_551_675_967, 1_551_675_967, 1_551_675_968, 1_551_675_969]);
    assert_eq!(kept[0].draft.open.path.as_deref(), Some("/pricing"));
    assert_eq!(
        (kept[2].draft.open.name.as_str(), kept[3].draft.open.kind.as_str()),
        ("Signed Up", "identify")
    );
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn an_import_that_is_killed_goes_on_where_it_was() {
    let events = if std::env::var_os("RAPPORT_SOAK").is_some() { 1_000_000 } else { 8_000 };
    let directory = data("import-killed");
    let file = directory.join("old.jsonl");
    let mut text = String::new();
    for number in 0..events {
        let (user, second) = (number % 997, number % 86_400);
        writeln!(
            text,
            r#"{{"type":"page","userId":"u{user}","messageId":"m{number}","timestamp":{}}}"#,
            1_551_675_967_000_i64 + second * 1000
        )
        .unwrap();
    }
    std::fs::write(&file, text).unwrap();
    let mut kills = 0;
    loop {
        let mut running = start(&file, &directory, &[]);
        let before = size(&directory);
        // Some of it is written before each kill.
        while size(&directory) < before + 400_000 && running.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        if kills >= 3 || running.try_wait().unwrap().is_some() {
            assert!(running.wait().unwrap().success());
            break;
        }
        running.kill().unwrap();
        running.wait().unwrap();
        kills += 1;
    }
    assert!(kills > 0);
    let (ok, said, _) = import(&file, &directory, &[]);
    assert!(ok);
    assert_eq!(said, format!("0 events imported, {events} were there, 0 lines refused\n"));
    let ids: BTreeSet<_> =
        kept(&directory).into_iter().map(|envelope| envelope.draft.message_id).collect();
    assert_eq!((ids.len() as i64, kept(&directory).len() as i64), (events, events));
    println!("{events} events, {kills} kills, each event once");
    std::fs::remove_dir_all(directory).unwrap();
}

/// Bytes of all journals.
fn size(directory: &Path) -> u64 {
    let days = std::fs::read_dir(directory.join("log")).into_iter().flatten();
    let journals = days.map(|day| day.unwrap().path().join("events.journal"));
    journals.filter_map(|journal| std::fs::metadata(journal).ok()).map(|data| data.len()).sum()
}

#[test]
fn what_cannot_be_imported_is_said_in_one_sentence() {
    let directory = data("import-refused");
    let file = directory.join("none.jsonl");
    let says = |directory: &Path, more: &[&str], sentence: &str| {
        let (ok, _, error) = import(&file, directory, more);
        assert!(!ok && error.contains(sentence) && error.lines().count() == 1, "{error}");
    };
    says(&directory, &[], "cannot read");
    says(Path::new("/nonexistent"), &[], "is no data directory");
    says(&directory, &["--workspace", "ws_0000000000001"], "there is no workspace");
    std::fs::remove_dir_all(directory).unwrap();
}
