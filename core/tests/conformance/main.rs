//! The shared cases of `conformance/`, on the native host.
#![cfg(feature = "wire")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod event;
mod experience;
mod fold;
mod history;
mod points;
mod score;

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from("../conformance")
}

/// A file of the folder.
fn read<T: DeserializeOwned>(file: &str) -> T {
    let path = folder().join(file);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The documents of one suite of `index.json`, by file name.
fn suite(name: &str) -> Vec<(String, Value)> {
    let index: Value = read("index.json");
    let found =
        index["suites"].as_array().unwrap().iter().find(|suite| suite["name"] == name).unwrap();
    let files =
        found["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap().to_owned());
    files.map(|file| (file.clone(), read(&file))).collect()
}

/// Tells `cargo xtask test` how many cases of a suite passed here, for its matrix of suites and hosts.
fn passed(suite: &str, cases: usize) {
    println!("CASES {suite} {cases}");
}

fn unhex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
