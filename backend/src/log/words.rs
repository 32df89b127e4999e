//! Where the words come from that blocks are packed with: invented events, written as blocks hold them.

use super::block::add;
use super::{Arrived, Consent, Draft, Open, Plain, SCHEMA_VERSION, Sealed};
use crate::identity::{Scope, SubjectId, WorkspaceId};
use rapport_core::event::{FlatEvent, Millis};
use serde_json::Value;

fn words(lines: &str) -> Vec<u8> {
    let mut words = Vec::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let text = line["event"].to_string();
        let flat: FlatEvent<'_> = serde_json::from_str(&text).unwrap();
        assert!(flat.is_whole(), "{text}");
        let time = Millis::parse(line["event"]["timestamp"].as_str().unwrap()).unwrap();
        let arrived = Arrived {
            ip: line["ip"].as_str(),
            user_agent: line["userAgent"].as_str(),
            proven: false,
            staff: false,
        };
        let plain = Plain::compact(arrived, &flat, &flat.encode(time).unwrap());
        let draft = Draft {
            scope: Scope::live(WorkspaceId::INSTALLATION),
            message_id: String::new(),
            subject: SubjectId([0; 16]),
            event_time: time.0,
            sent_at: Some(time.0),
            received_at: time.0,
            consent: Consent::ALL,
            schema_version: SCHEMA_VERSION,
            open: Open {
                path: line["event"]["context"]["page"]["path"].as_str().map(str::to_owned),
                client_time: Some(time.0),
                ..Open::default()
            },
            sealed: Sealed::default(),
        };
        add(&plain.bytes, &draft, &mut words);
    }
    words
}

/// Blocks that are sealed need these words for good: what has to change gets another version.
#[test]
fn the_words_of_blocks_are_invented_and_stay() {
    let made = words(include_str!("../../../archive/src/words-1.jsonl"));
    if std::env::var_os("RAPPORT_WRITE_GOLDEN").is_some() {
        std::fs::write("../archive/src/words-1.bin", &made).unwrap();
    }
    assert!(made == std::fs::read("../archive/src/words-1.bin").unwrap());
}
