//! The embedded adapters keep their ports' contracts.
#![allow(clippy::unwrap_used, clippy::panic)]

mod contract;
mod house;

use house::scratch;
use rapport_backend::files::DirectoryFiles;
use rapport_backend::keys::DirectoryKeys;
use rapport_backend::log::DayLog;
use rapport_backend::profiles::SqliteProfiles;
use rapport_backend::records::SqliteRecords;
use rapport_backend::results::SqliteExposures;

#[test]
fn sqlite_keeps_records() {
    let directory = scratch();
    contract::records::holds(&|| Box::new(SqliteRecords::open(&directory).unwrap()));
}

#[test]
fn days_keep_the_event_log() {
    let directory = scratch();
    contract::log::holds(&|| Box::new(DayLog::open(&directory).unwrap()));
}

#[test]
fn sqlite_keeps_profiles() {
    let directory = scratch();
    contract::profiles::holds(&|| Box::new(SqliteProfiles::open(&directory).unwrap()));
}

#[test]
fn sqlite_keeps_exposures() {
    let directory = scratch();
    contract::exposures::holds(&|| Box::new(SqliteExposures::open(&directory).unwrap()));
}

#[test]
fn a_directory_keeps_keys() {
    let directory = scratch();
    contract::keys::holds(&|| Box::new(DirectoryKeys::open(&directory).unwrap()));
}

#[test]
fn a_directory_keeps_files() {
    let directory = scratch();
    contract::files::holds(&|| Box::new(DirectoryFiles::open(directory.clone()).unwrap()));
}
