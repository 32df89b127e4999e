//! The log's envelope, byte for byte: `docs/log-format.md` and its golden file.
#![allow(clippy::unwrap_used, clippy::panic)]

mod house;

use house::scratch;
use rapport_backend::identity::{Scope, SubjectId, WorkspaceId};
use rapport_backend::log::{
    Consent, Draft, EventLog, Offset, Open, SCHEMA_VERSION, SealedWire, SqliteLog, bound,
};
use rapport_backend::seal::SecretKey;
use serde_json::{Map, Value, json};

const GOLDEN: &str = include_str!("golden/envelope-1.json");
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
        consent: Consent { analytics: true, profiling: true, personalization: false },
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
        sealed: Vec::new(),
    }
}

fn contents() -> SealedWire {
    SealedWire {
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

/// The only row of the log's table, as JSON: blobs as hexadecimal digits.
fn stored_row(directory: &std::path::Path) -> Value {
    let connection = rusqlite::Connection::open(directory.join("log.db")).unwrap();
    let mut statement = connection.prepare("SELECT * FROM events").unwrap();
    let names: Vec<_> = statement.column_names().into_iter().map(str::to_owned).collect();
    let row = statement.query_row([], |row| {
        let mut columns = Map::new();
        for (index, name) in names.iter().enumerate() {
            let value: rusqlite::types::Value = row.get(index)?;
            columns.insert(
                name.clone(),
                match value {
                    rusqlite::types::Value::Null => Value::Null,
                    rusqlite::types::Value::Integer(number) => json!(number),
                    rusqlite::types::Value::Real(number) => json!(number),
                    rusqlite::types::Value::Text(text) => json!(text),
                    rusqlite::types::Value::Blob(bytes) => json!(hex(&bytes)),
                },
            );
        }
        Ok(Value::Object(columns))
    });
    row.unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_envelope_is_kept_as_the_golden_file_says() {
    let mut draft = golden_draft("ws_0h2a8vm6xp4c1".parse().unwrap());
    let plain = serde_json::to_vec(&contents()).unwrap();
    draft.sealed = SecretKey::from_bytes(KEY).seal_with(NONCE, &bound(&draft), &plain);
    let directory = scratch();
    SqliteLog::open(&directory).unwrap().append(std::slice::from_ref(&draft)).unwrap();
    let written = json!({
        "key": hex(&KEY),
        "bound": hex(&bound(&draft)),
        "plain": String::from_utf8(plain).unwrap(),
        "row": stored_row(&directory),
    });
    if std::env::var_os("RAPPORT_WRITE_GOLDEN").is_some() {
        let path = "tests/golden/envelope-1.json";
        std::fs::write(path, format!("{written:#}\n")).unwrap();
    }
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    assert_eq!(written, golden);
}

#[test]
fn the_golden_envelope_reads_back() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let directory = scratch();
    let workspace = "ws_0h2a8vm6xp4c1".parse().unwrap();
    drop(SqliteLog::open(&directory).unwrap());
    let connection = rusqlite::Connection::open(directory.join("log.db")).unwrap();
    let row = golden["row"].as_object().unwrap();
    let columns: Vec<_> = row.keys().map(String::as_str).collect();
    let values: Vec<_> = row
        .iter()
        .map(|(name, value)| match (name.as_str(), value) {
            (_, Value::Null) => "NULL".to_owned(),
            ("subject" | "sealed", Value::String(hex)) => format!("x'{hex}'"),
            (_, Value::String(text)) => format!("'{text}'"),
            (_, value) => value.to_string(),
        })
        .collect();
    let sql = format!("INSERT INTO events ({}) VALUES ({})", columns.join(","), values.join(","));
    connection.execute(&sql, []).unwrap();
    let envelope = SqliteLog::open(&directory)
        .unwrap()
        .read(Scope::live(workspace), Offset(0), 9)
        .unwrap()
        .remove(0);
    let plain =
        SecretKey::from_bytes(KEY).open(&bound(&envelope.draft), &envelope.draft.sealed).unwrap();
    assert_eq!(serde_json::from_slice::<SealedWire>(&plain).unwrap(), contents());
    let mut expected = golden_draft(workspace);
    expected.sealed.clone_from(&envelope.draft.sealed);
    assert_eq!((envelope.offset, envelope.draft), (Offset(1), expected));
}
