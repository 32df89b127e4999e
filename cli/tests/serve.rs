//! `rapport serve` from outside: asked to stop, started where it cannot.
#![cfg(feature = "serve")]
#![allow(clippy::unwrap_used)]

mod server;

use rapport_backend::log::{DayLog, EventLog};
use server::{Server, page, scratch};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

const WRITERS: u64 = 4;

#[test]
fn a_server_that_is_asked_to_stop_answers_what_it_took_and_ends_well() {
    let directory = scratch("stop");
    let (mut server, key) = Server::start(&directory);
    let key = key.unwrap();
    let acknowledged = Mutex::new(0);
    let event = |writer, number| page(&format!("v{writer}"), &format!("v{writer}-{number}"), "/");
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (server, key, acknowledged) = (&server, &key, &acknowledged);
            scope.spawn(move || {
                for number in 0.. {
                    let Some(results) = server.send(key, &[event(writer, number)]) else {
                        return;
                    };
                    assert_eq!(results, ["accepted"]);
                    *acknowledged.lock().unwrap() += 1;
                }
            });
        }
        std::thread::sleep(Duration::from_millis(200));
        server.signal("-TERM");
    });
    assert!(server.child.wait().unwrap().success());
    let log = DayLog::open(&directory).unwrap();
    let (_, end) = log.ends().unwrap()[0];
    assert_eq!(end.0, acknowledged.into_inner().unwrap(), "as many kept as acknowledged");
    std::fs::remove_dir_all(&directory).unwrap();
}

/// Runs a command that must end with one sentence.
fn fails(command: &str, arguments: &[&str], says: &str) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_rapport")).arg(command).args(arguments).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.starts_with("rapport: ") && error.contains(says), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn a_start_that_fails_says_why_in_one_sentence() {
    let directory = scratch("refuse");
    let (server, _) = Server::start(&directory);
    let taken = server.url.strip_prefix("http://").unwrap().to_owned();
    let other = scratch("refuse-too");
    let (here, there) = (directory.to_str().unwrap(), other.to_str().unwrap());
    let file = other.join("file");
    std::fs::write(&file, "").unwrap();
    let cases = [
        (["--dir", here, "--listen", "127.0.0.1:0"], "another process uses the data directory"),
        (["--dir", there, "--listen", &taken], "is taken; choose another with --listen"),
        (["--dir", file.to_str().unwrap(), "--listen", "127.0.0.1:0"], "cannot be used"),
    ];
    for (arguments, says) in cases {
        fails("serve", &arguments, says);
    }
    fails("serve", &["--dir", there, "--sdk-dir", there], "holds no built SDK");
    // A demo says so before it trains.
    let built = other.join("sdk");
    std::fs::create_dir(&built).unwrap();
    std::fs::write(built.join("page-track.js"), "").unwrap();
    let (site, signals) = ("../examples/demo-site", "../examples/demo");
    let (built, port) = (built.to_str().unwrap(), taken.rsplit(':').next().unwrap());
    let demo = |changed: &'static str, to: &str, says: &str| {
        let mut arguments = std::collections::BTreeMap::from([
            ("--dir", there),
            ("--sdk-dir", built),
            ("--site", site),
            ("--signals", signals),
            ("--port", "0"),
        ]);
        arguments.insert(changed, to);
        let arguments: Vec<_> = arguments.into_iter().flat_map(|(name, to)| [name, to]).collect();
        fails("demo", &arguments, says);
    };
    demo("--sdk-dir", here, "holds no built SDK");
    demo("--site", here, "say where with --site");
    demo("--signals", here, "say where with --signals");
    demo("--dir", file.to_str().unwrap(), "choose another --dir");
    demo("--port", port, "choose others with --port");
    drop(server);
    for directory in [directory, other] {
        std::fs::remove_dir_all(directory).unwrap();
    }
}
