//! What a sealed day of real traffic takes on disk.

use crate::traffic::iso;
use crate::visits::day;
use rapport_backend::collect::{Arrival, Batch, write};
use rapport_backend::identity::{Scope, WorkspaceId};
use rapport_backend::keys::{DirectoryKeys, KeyStore};
use rapport_backend::log::{DayLog, EventLog};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const DAY: i64 = 86_400_000;
/// 23 November 2026.
const START: i64 = 20_780 * DAY;

/// Fills a log with a day of visits, seals it, and says what it takes.
pub fn seal(directory: &Path, events: u64) -> Value {
    let keys = Arc::new(DirectoryKeys::open(&directory.join("keys")).unwrap());
    let scope = Scope::live(WorkspaceId::generate().unwrap());
    let log = DayLog::open(directory).unwrap().sealing_under(keys.clone());
    let mut arrival = Arrival::new(scope, keys.workspace_key(scope.workspace).unwrap(), 0);
    let mut json_bytes = 0;
    let mut take = |all: Vec<crate::visits::Sent>| {
        for several in all.chunks(500) {
            let requests = several.iter().map(|sent| {
                let body =
                    json!({ "sentAt": iso(sent.at + sent.skew), "batch": sent.batch }).to_string();
                json_bytes += body.len();
                arrival.received_at = sent.at + sent.latency;
                arrival.ip = Some(sent.ip.clone());
                arrival.user_agent = Some(sent.user_agent.clone());
                let batch = Batch::read(body.as_bytes()).unwrap();
                let admitted = batch.events.iter().map(|raw| arrival.admit(&batch, raw));
                admitted.map(|admitted| admitted.unwrap().item).collect::<Vec<_>>()
            });
            let (outcomes, _) = write(&log, &*keys, requests.collect());
            assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        }
    };
    take(day(START, events as usize));
    let (count, folder) = (log.end(scope).unwrap().0 as f64, directory.join("log/2026-11-23"));
    let journal = std::fs::metadata(folder.join("events.journal")).unwrap().len() as f64;
    take(day(START + 2 * DAY, 10));
    let started = Instant::now();
    while folder.join("events.journal").exists() {
        log.tidy().unwrap();
    }
    let seconds = started.elapsed().as_secs_f64();
    let (mut bytes, mut after) = (0, 0);
    let mut parts = serde_json::Map::new();
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let (name, length) =
            (path.file_name().unwrap().to_str().unwrap(), std::fs::metadata(&path).unwrap().len());
        bytes += length;
        if !name.starts_with("messages") {
            after += length;
        }
        if name.ends_with(".parquet") {
            let archive =
                rapport_archive::Archive::open(std::fs::File::open(&path).unwrap()).unwrap();
            let columns = archive
                .sizes()
                .into_iter()
                .map(|(name, size)| (name.to_owned(), json!(size as f64 / count)));
            parts.extend(columns);
        }
        parts.insert(
            name.split(['.', '-']).next().unwrap().to_owned(),
            json!(length as f64 / count),
        );
    }
    let subjects = log
        .read(scope, rapport_backend::log::Offset(0), u32::MAX)
        .unwrap()
        .into_iter()
        .map(|envelope| envelope.draft.subject)
        .collect::<std::collections::BTreeSet<_>>();
    json!({
        "bytes_per_event": bytes as f64 / count, "bytes_after_30_days": after as f64 / count,
        "journal_bytes_per_event": journal / count, "json_bytes_per_event": json_bytes as f64 / count,
        "events": count, "events_a_subject": count / subjects.len() as f64,
        "seal_us": seconds / count * 1e6, "parts": parts,
    })
}
