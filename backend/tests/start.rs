//! Starting where it cannot: one clear sentence, and nothing broken.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::{House, page};
use serde_json::json;

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let house = House::open();
    let error = house.try_start_another().unwrap_err();
    assert!(error.starts_with("another process uses the data directory"), "{error}");
}

#[test]
fn a_taken_port_is_named() {
    let house = House::open();
    let taken = house.url().rsplit_once(':').unwrap().1.parse().unwrap();
    let other = House::open();
    let mut config = other.config();
    let elsewhere = house::scratch();
    config.data = elsewhere.clone();
    config.listen.set_port(taken);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let error =
        runtime.block_on(rapport_backend::start(config)).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains(&format!("port {taken}")) && error.contains("--listen"), "{error}");
}

#[test]
fn a_data_directory_that_is_a_file_is_named() {
    let house = House::open();
    let file = house.directory.join("a file");
    std::fs::write(&file, "x").unwrap();
    let mut config = house.config();
    config.data = file;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let error =
        runtime.block_on(rapport_backend::start(config)).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("a file cannot be used"), "{error}");
}

#[test]
fn data_of_a_newer_release_is_left_alone() {
    let mut house = House::open();
    house.stop();
    let connection = rusqlite::Connection::open(house.directory.join("log.db")).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let error = house.try_start_another().unwrap_err();
    assert!(error.contains("newer release") && error.contains("log.db"), "{error}");
    drop(connection);
    std::fs::remove_file(house.directory.join("log.db")).unwrap();
    house.start();
    let acme = house.tenant("Acme");
    house.send(&acme, json!([page("ann", "m1", "/")]));
    house.stop();
    let day = std::fs::read_dir(house.directory.join("log")).unwrap().next().unwrap().unwrap();
    let journal = day.path().join("events.journal");
    let kept = std::fs::read(&journal).unwrap();
    let mut newer = kept.clone();
    newer[7] = 99;
    std::fs::write(&journal, newer).unwrap();
    let error = house.try_start_another().unwrap_err();
    assert!(error.contains("newer release") && error.contains("events.journal"), "{error}");
    std::fs::write(&journal, kept).unwrap();
    house.start();
    assert_eq!(house.settle(&acme, 1).len(), 1);
}

#[test]
fn after_a_clean_stop_each_file_is_whole_by_itself() {
    let mut house = House::open();
    let acme = house.tenant("Acme");
    house.send(&acme, json!([page("ann", "m1", "/pricing")]));
    house.settle(&acme, 1);
    house.stop();
    let left =
        std::fs::read_dir(&*house.directory).unwrap().map(|entry| entry.unwrap().file_name());
    let logs: Vec<_> = left.filter(|name| name.to_string_lossy().ends_with("-wal")).collect();
    assert_eq!(logs, Vec::<std::ffi::OsString>::new());
}

#[test]
fn stopping_keeps_everything_that_was_acknowledged() {
    let mut house = House::open();
    let acme = house.tenant("Acme");
    for round in 0..5 {
        house.send(&acme, json!([page("ann", &format!("m{round}"), "/pricing")]));
        house.stop();
        house.start();
    }
    house.settle(&acme, 5);
}
