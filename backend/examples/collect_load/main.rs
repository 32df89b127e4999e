//! Load for the collector, on the loopback: `cargo xtask bench collect` runs it.
//!
//! `prepare DIR EVENTS VISITORS DAYS` makes a data directory whose log holds so many events, which
//! arrived within so many days, sealed where they are over;
//! `run URL WRITE_KEY SECONDS CONNECTIONS VISITORS [EVENTS_A_SECOND [ADMIN_KEY]]` sends batches of
//! 20, as fast as they are answered or at a rate, and listens to the live feed where it has a key;
//! `refold DIR` folds a log again from its beginning; `seal DIR EVENTS` seals a day of visits. Each
//! prints one JSON object.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../tests/house/mod.rs"]
mod house;
mod load;
mod prepare;
mod sealing;
mod traffic;
mod visits;

use serde_json::Value;

/// As in the `rapport` binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said: Value = match words.as_slice() {
        ["prepare", directory, events, visitors, days] => {
            let days = number(days) as i64;
            prepare::fill(directory.as_ref(), number(events), number(visitors), days)
        }
        ["seal", directory, events] => sealing::seal(directory.as_ref(), number(events)),
        ["refold", directory] => prepare::refold(directory.as_ref()),
        ["run", url, key, seconds, connections, visitors, rest @ ..] => load::run(&load::Plan {
            address: url.trim_start_matches("http://").to_owned(),
            key: (*key).to_owned(),
            seconds: number(seconds) as f64,
            connections: number(connections) as usize,
            visitors: number(visitors),
            rate: rest.first().map(|rate| number(rate) as f64),
            admin_key: rest.get(1).map(|key| (*key).to_owned()),
        }),
        _ => panic!("see the first lines of main.rs"),
    };
    println!("{said}");
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}
