//! A log with sealed halves that open, and all that can be read of it.
#![allow(dead_code, reason = "each test file uses its part")]

use super::house::{Scratch, copy, scratch};
use rapport_backend::identity::{Environment, Scope, SubjectId, WorkspaceId};
use rapport_backend::keys::{DirectoryKeys, KeyStore};
use rapport_backend::log::{
    Arrived, Consent, DayLog, Disk, Draft, EventLog, MachineDisk, Offset, Open, Plain, Replayed,
    SCHEMA_VERSION, Sealed, SealedWire, contents, seal, seal_bytes,
};
use rapport_core::event::{FlatEvent, Millis};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;

pub const DAY: i64 = 86_400_000;
/// Subjects of each scope; the numbers of both scopes' subjects are the same.
const SUBJECTS: i64 = 5;

pub struct Written {
    pub directory: Scratch,
    pub keys: Arc<DirectoryKeys>,
    pub scopes: Vec<Scope>,
    days: i64,
}

/// Everything that a log says.
#[derive(Debug, PartialEq)]
pub struct All {
    pub replayed: Vec<String>,
    pub subjects: Vec<(Scope, SubjectId, Vec<String>)>,
    pub known: Vec<bool>,
    pub held: Vec<bool>,
    pub ends: Vec<(Scope, Offset)>,
}

/// Every other message has a UUID.
fn id(day: i64, number: i64) -> String {
    if number % 2 == 0 {
        format!("{day:08x}-0000-4000-a000-{number:012x}")
    } else {
        format!("m{day}-{number}")
    }
}

/// What the server seals of most events: numbers that are short, long and odd among it.
fn compact(wire: &SealedWire, time: i64) -> Plain {
    let text = json!({ "type": "page", "anonymousId": wire.event.anonymous_id, "timestamp": time,
        "context": wire.event.context, "properties": { "odd": "\u{1}\u{ff}", "a": 12.3, "b": -0.0,
            "c": -1234.5678, "d": 0.1 + 0.2, "e": 1e19, "f": time, "g": 255, "h": -1 } });
    let text = text.to_string();
    let flat: FlatEvent<'_> = serde_json::from_str(&text).unwrap();
    let arrived = Arrived { ip: wire.ip.as_deref(), ..Arrived::default() };
    Plain::compact(arrived, &flat, &flat.encode(Millis(time)).unwrap())
}

impl Written {
    /// So many days with so many events each, in three scopes.
    pub fn days(days: i64, events: i64) -> Self {
        let directory = scratch();
        let keys = Arc::new(DirectoryKeys::open(&directory.join("keys")).unwrap());
        let live = Scope::live(WorkspaceId::generate().unwrap());
        let test = Scope { environment: Environment::Test, ..live };
        let scopes = vec![live, test, Scope::live(WorkspaceId::generate().unwrap())];
        let written = Self { directory, keys, scopes, days };
        let log = written.open();
        for day in 0..days {
            let drafts: Vec<_> = (0..events)
                .map(|number| written.draft(written.scopes[number as usize % 3], day, number))
                .collect();
            drafts.chunks(7).for_each(|group| _ = log.append(group).unwrap());
        }
        written
    }

    pub fn draft(&self, scope: Scope, day: i64, number: i64) -> Draft {
        let subject = SubjectId([(number % SUBJECTS) as u8; 16]);
        let time = day * DAY + number * 1000;
        let id = id(day, number);
        let mut draft = Draft {
            scope,
            message_id: id.clone(),
            subject,
            // Some come late.
            event_time: if number % 11 == 0 { time - 3_600_000 } else { time },
            sent_at: (number % 3 > 0).then_some(time + 20),
            received_at: time,
            consent: Consent { personalization: number % 4 > 0, ..Consent::ALL },
            schema_version: SCHEMA_VERSION,
            open: Open {
                kind: "page".to_owned(),
                name: "Pricing".to_owned(),
                path: (number % 5 > 0).then(|| format!("/pricing/{}", number % 3)),
                referrer_host: (number % 7 == 0).then(|| "www.example.com".to_owned()),
                client_time: Some(time - 10),
                ..Open::default()
            },
            sealed: Sealed::default(),
        };
        let event = json!({ "type": "page", "messageId": id, "anonymousId": format!("anonymous {subject}"),
            "context": { "page": { "path": draft.open.path, "url": "https://acme.test/pricing/1?a=\"b\"\n" } },
            "timestamp": time - 10, "properties": { "odd": "\u{1}\u{2}\t" } });
        let wire = json!({ "ip": "203.0.113.7", "userAgent": "Mozilla/5.0", "event": event });
        let wire: SealedWire = serde_json::from_value(wire).unwrap();
        let keys = self.keys.ensure_subject_keys(scope, &[subject]).unwrap();
        if let Some(key) = keys.into_iter().next().and_then(|key| key.kept()) {
            draft.sealed = if number % 3 > 0 {
                let plain = compact(&wire, time);
                draft.schema_version = plain.schema_version;
                seal_bytes(&key, &draft, &plain.bytes).unwrap()
            } else {
                seal(&key, &draft, &wire).unwrap()
            };
        }
        draft
    }

    /// The same log at another place, under the same keys.
    pub fn copy(&self) -> Self {
        let directory = scratch();
        copy(&self.directory.join("log"), &directory.join("log"));
        Self { directory, keys: self.keys.clone(), scopes: self.scopes.clone(), ..*self }
    }

    pub fn day(&self, day: i64) -> PathBuf {
        self.directory.join("log").join(format!("1970-01-{:02}", day + 1))
    }

    pub fn open(&self) -> DayLog {
        self.open_on(Arc::new(MachineDisk))
    }

    pub fn open_on(&self, disk: Arc<dyn Disk>) -> DayLog {
        DayLog::open_on(&self.directory, disk).unwrap().sealing_under(self.keys.clone())
    }

    /// The log with every day sealed that is due.
    pub fn sealed(&self) -> DayLog {
        let log = self.open();
        let newest = (0..30).rev().find(|day| self.day(*day).exists()).unwrap();
        let due = || {
            let journals = (0..newest - 1).map(|day| self.day(day).join("events.journal"));
            journals.filter(|journal| journal.exists()).count()
        };
        for _ in 0..10_000 {
            log.tidy().unwrap();
            if due() == 0 {
                return log;
            }
        }
        panic!("{} days are not sealed", due())
    }

    /// Everything that the log says.
    pub fn all(&self, log: &DayLog) -> All {
        let line = |envelope| match contents(&*self.keys, envelope).unwrap() {
            Replayed::Event(event) => {
                let mut envelope = event.envelope;
                envelope.draft.sealed = Sealed::default();
                format!("{envelope:?} {}", serde_json::to_string(&event.sealed).unwrap())
            }
            tombstone => format!("{tombstone:?}"),
        };
        let (mut replayed, mut subjects, mut known, mut held) = <(Vec<_>, Vec<_>, _, _)>::default();
        for scope in &self.scopes {
            let mut after = Offset(0);
            loop {
                let step = log.read(*scope, after, 37).unwrap();
                let Some(last) = step.last() else { break };
                after = last.offset;
                replayed.extend(step.into_iter().map(line));
            }
            for number in 0..=SUBJECTS {
                let subject = SubjectId([number as u8; 16]);
                for until in [40, 1_000_000] {
                    let found = log.subject(*scope, subject, Offset(until)).unwrap();
                    subjects.push((*scope, subject, found.into_iter().map(line).collect()));
                }
                let before =
                    [2, 9, 20].map(|offset| log.knows(*scope, subject, Offset(offset)).unwrap());
                known = [known, before.to_vec()].concat();
            }
            let ids: Vec<_> =
                (0..self.days * 40).map(|number| id(number / 40, number % 40)).collect();
            let ids: Vec<_> = ids.iter().map(String::as_str).collect();
            held = [held, log.holds(*scope, &ids).unwrap()].concat();
        }
        All { replayed, subjects, known, held, ends: log.ends().unwrap() }
    }
}
