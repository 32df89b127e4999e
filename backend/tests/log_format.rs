//! The log's envelope, byte for byte: `docs/log-format.md` and its golden file.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::scratch;
use rapport_backend::identity::{Scope, SubjectId, WorkspaceId};
use rapport_backend::keys::{DirectoryKeys, KeyStore};
use rapport_backend::log::{
    self, Arrived, Consent, DayLog, Draft, Envelope, EventLog, Offset, Open, Plain, Replayed,
    SCHEMA_VERSION, Sealed, SealedWire, bound, open_plain, seal_bytes,
};
use rapport_backend::seal::SecretKey;
use rapport_core::event::{FlatEvent, Millis};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const GOLDEN: &str = include_str!("golden/envelope-1.json");
const COMPACT: &str = include_str!("golden/plain-2.txt");
const KEY: [u8; 32] = [0x42; 32];
const NONCE: [u8; 12] = [0x24; 12];

fn golden_draft(workspace: WorkspaceId) -> Draft {
    Draft {
        scope: Scope::live(workspace),
        message_id: "3d1b1e62-6e1c-4a0e-9a93-4f1c8d8d9a10".to_owned(),
        subject: SubjectId([
            0x0f, 0x1e, 0x2d, 0x3c, 0x4b, 0x5a, 0x69, 0x78, 0x87, 0x96, 0xa5, 0xb4, 0xc3, 0xd2,
            0xe1, 0xf0,
        ]),
        event_time: 1_780_000_000_123,
        sent_at: Some(1_780_000_001_000),
        received_at: 1_780_000_001_250,
        consent: Consent { personalization: false, ..Consent::ALL },
        schema_version: SCHEMA_VERSION,
        open: Open {
            kind: "page".to_owned(),
            name: "Pricing".to_owned(),
            path: Some("/pricing".to_owned()),
            referrer_host: Some("www.google.com".to_owned()),
            source: Some("google".to_owned()),
            medium: Some("cpc".to_owned()),
            campaign: None,
            client_time: Some(1_779_999_999_873),
        },
        sealed: Sealed::default(),
    }
}

fn contents() -> SealedWire {
    SealedWire {
        proven: false,
        staff: false,
        ip: Some("203.0.113.7".to_owned()),
        user_agent: Some("Mozilla/5.0".to_owned()),
        event: serde_json::from_value(json!({
            "type": "page", "messageId": "3d1b1e62-6e1c-4a0e-9a93-4f1c8d8d9a10", "anonymousId": "a-1",
            "name": "Pricing", "timestamp": "2026-05-28T20:26:39.873Z", "sentAt": "2026-05-28T20:26:41Z",
            "context": { "page": { "path": "/pricing", "url": "https://acme.test/pricing?plan=team",
                "referrer": "https://www.google.com/" }, "campaign": { "source": "google", "medium": "cpc" } },
            "properties": { "plan": "team" },
        }))
        .unwrap(),
    }
}

/// An envelope's columns, as `docs/log-format.md` names them: bytes as hexadecimal digits.
fn row(envelope: &Envelope) -> Value {
    let (draft, open) = (&envelope.draft, &envelope.draft.open);
    let workspace = u64::from_be_bytes(draft.scope.workspace.to_bytes());
    json!({
        "workspace": workspace, "environment": draft.scope.environment.word(),
        "offset": envelope.offset.0, "message_id": draft.message_id,
        "subject": hex(&draft.subject.0), "event_time": draft.event_time,
        "sent_at": draft.sent_at, "received_at": draft.received_at,
        "consent": draft.consent.bits(), "schema_version": draft.schema_version,
        "kind": open.kind, "name": open.name, "path": open.path,
        "referrer_host": open.referrer_host, "source": open.source, "medium": open.medium,
        "campaign": open.campaign, "client_time": open.client_time, "sealed": hex(alone(draft)),
    })
}

/// The golden envelope, sealed as the golden file says.
fn sealed_draft() -> (Draft, Vec<u8>) {
    let mut draft = golden_draft("ws_0h2a8vm6xp4c1".parse().unwrap());
    let plain = serde_json::to_vec(&contents()).unwrap();
    draft.sealed = SecretKey::from_bytes(KEY).seal_with(NONCE, &bound(&draft), &plain).into();
    (draft, plain)
}

fn alone(draft: &Draft) -> &[u8] {
    let Sealed::Alone(sealed) = &draft.sealed else { panic!("not sealed alone") };
    sealed
}

/// The journal of the day on which the golden envelope arrived.
fn journal(directory: &Path) -> PathBuf {
    directory.join("log/2026-05-28/events.journal")
}

fn golden(name: &str) -> PathBuf {
    Path::new("tests/golden").join(name)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_envelope_is_kept_as_the_golden_files_say() {
    let (draft, plain) = sealed_draft();
    let directory = scratch();
    let log = DayLog::open(&directory).unwrap();
    log.append(std::slice::from_ref(&draft)).unwrap();
    let envelope = log.read(draft.scope, Offset(0), 1).unwrap().remove(0);
    let written = json!({
        "key": hex(&KEY),
        "bound": hex(&bound(&draft)),
        "plain": String::from_utf8(plain).unwrap(),
        "row": row(&envelope),
    });
    let bytes = std::fs::read(journal(&directory)).unwrap();
    if std::env::var_os("RAPPORT_WRITE_GOLDEN").is_some() {
        std::fs::write(golden("envelope-1.json"), format!("{written:#}\n")).unwrap();
        std::fs::write(golden("journal-1.bin"), &bytes).unwrap();
    }
    let kept: Value = serde_json::from_str(GOLDEN).unwrap();
    assert_eq!(written, kept);
    assert_eq!(bytes, std::fs::read(golden("journal-1.bin")).unwrap());
}

#[test]
fn an_event_whose_compact_form_says_all_is_sealed_in_it() {
    let wire = contents();
    let mut event = serde_json::to_value(&wire.event).unwrap();
    event.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let text = event.to_string();
    let mut flat: FlatEvent<'_> = serde_json::from_str(&text).unwrap();
    assert!(flat.is_whole());
    let message_id = flat.message_id.take().unwrap();
    let compact = flat.encode(Millis(1_780_000_000_123)).unwrap();
    let arrived = Arrived {
        ip: wire.ip.as_deref(),
        user_agent: wire.user_agent.as_deref(),
        proven: wire.proven,
        staff: wire.staff,
    };
    let plain = Plain::compact(arrived, &flat, &compact);
    assert_eq!((hex(&plain.bytes), plain.schema_version), (COMPACT.trim().to_owned(), 2));

    let mut draft = golden_draft("ws_0h2a8vm6xp4c1".parse().unwrap());
    assert_eq!(draft.message_id, message_id);
    let keys = DirectoryKeys::open(&scratch().join("keys")).unwrap();
    let key = keys.ensure_subject_keys(draft.scope, &[draft.subject]).unwrap().remove(0);
    draft.sealed = seal_bytes(&key.kept().unwrap(), &draft, &plain.bytes).unwrap();
    match log::contents(&keys, Envelope { offset: Offset(1), draft }).unwrap() {
        Replayed::Event(read) => assert_eq!(read.sealed, wire),
        tombstone => panic!("{tombstone:?}"),
    }
    // What breaks off anywhere is said to be damaged.
    for end in 1..plain.bytes.len() - 1 {
        assert!(
            log::compact(&plain.bytes[..end], Millis(0))
                .map_or(true, |bytes| { rapport_core::event::Event::decode(&bytes).is_err() })
        );
    }
}

#[test]
fn the_golden_journal_reads_back() {
    let directory = scratch();
    std::fs::create_dir_all(journal(&directory).parent().unwrap()).unwrap();
    std::fs::copy(golden("journal-1.bin"), journal(&directory)).unwrap();
    let log = DayLog::open(&directory).unwrap();
    let (draft, _) = sealed_draft();
    let read = log.read(draft.scope, Offset(0), 9).unwrap();
    assert_eq!(read, [Envelope { offset: Offset(1), draft: draft.clone() }]);
    let plain = open_plain(&SecretKey::from_bytes(KEY).opener(), &read[0].draft).unwrap();
    assert_eq!(serde_json::from_slice::<SealedWire>(&plain).unwrap(), contents());
}

#[test]
fn the_log_of_an_older_release_moves_over_once() {
    let kept: Value = serde_json::from_str(GOLDEN).unwrap();
    let directory = scratch();
    let connection = rusqlite::Connection::open(directory.join("log.db")).unwrap();
    let row = kept["row"].as_object().unwrap();
    let columns: Vec<_> = row.keys().map(|name| format!("\"{name}\"")).collect();
    let values: Vec<_> = row
        .iter()
        .map(|(name, value)| match (name.as_str(), value) {
            (_, Value::Null) => "NULL".to_owned(),
            ("subject" | "sealed", Value::String(hex)) => format!("x'{hex}'"),
            (_, Value::String(text)) => format!("'{text}'"),
            (_, value) => value.to_string(),
        })
        .collect();
    let (columns, values) = (columns.join(","), values.join(","));
    connection.execute(&format!("CREATE TABLE events ({columns})"), []).unwrap();
    connection.execute(&format!("INSERT INTO events VALUES ({values})"), []).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    drop(connection);
    let (draft, _) = sealed_draft();
    for _ in 0..2 {
        let log = DayLog::open(&directory).unwrap();
        let expected = Envelope { offset: Offset(1), draft: draft.clone() };
        assert_eq!(log.read(draft.scope, Offset(0), 9).unwrap(), [expected]);
        assert_eq!(log.holds(draft.scope, &[&draft.message_id]).unwrap(), [true]);
        assert!(!directory.join("log.db").exists());
    }
}
