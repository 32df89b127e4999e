//! The event log in one SQLite file.

use super::{Appended, Consent, Draft, Envelope, EventLog, Offset, Open};
use crate::error::StoreError;
use crate::identity::{Scope, SubjectId};
use crate::secret::Sha256Digest;
use crate::sqlite::{Database, Durability, lock};
use rusqlite::{Row, Transaction, params};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

/// Envelopes in `log.db`.
pub struct SqliteLog {
    database: Database,
    ends: Mutex<HashMap<Scope, Offset>>,
}

const VERSION_1: &str = "
CREATE TABLE events (
    workspace INTEGER NOT NULL,
    environment TEXT NOT NULL,
    offset INTEGER NOT NULL,
    message_id TEXT NOT NULL,
    subject BLOB NOT NULL,
    event_time INTEGER NOT NULL,
    sent_at INTEGER,
    received_at INTEGER NOT NULL,
    consent INTEGER NOT NULL,
    schema_version INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT,
    referrer_host TEXT,
    source TEXT,
    medium TEXT,
    campaign TEXT,
    client_time INTEGER,
    sealed BLOB NOT NULL,
    UNIQUE (workspace, environment, offset)
) STRICT;
CREATE INDEX events_by_subject ON events (workspace, environment, subject, event_time, offset);
CREATE TABLE seen (
    workspace INTEGER NOT NULL,
    environment TEXT NOT NULL,
    message BLOB NOT NULL,
    PRIMARY KEY (workspace, environment, message)
) STRICT, WITHOUT ROWID;
";

const COLUMNS: &str =
    "offset, message_id, subject, event_time, sent_at, received_at, consent, schema_version,
    kind, name, path, referrer_host, source, medium, campaign, client_time, sealed";

impl SqliteLog {
    /// Opens `log.db` in a directory that exists.
    ///
    /// # Errors
    /// Where the file cannot be opened, or belongs to a newer release.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let database = Database::open(directory.join("log.db"), Durability::Synced, &[VERSION_1])?;
        let log = Self { database, ends: Mutex::default() };
        let ends = log.stored_ends()?;
        lock(&log.ends).extend(ends);
        Ok(log)
    }

    fn stored_ends(&self) -> Result<Vec<(Scope, Offset)>, StoreError> {
        self.database.read(|connection| {
            let mut statement = connection.prepare("SELECT workspace, environment, MAX(offset) FROM events GROUP BY workspace, environment")?;
            let rows = statement.query_map([], |row| Ok((Scope { workspace: row.get(0)?, environment: row.get(1)? }, Offset(row.get(2)?))))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

impl EventLog for SqliteLog {
    fn append(&self, drafts: &[Draft]) -> Result<Vec<Appended>, StoreError> {
        // Offsets move on only when the commit that uses them has succeeded.
        let mut ends = lock(&self.ends);
        let mut moved = ends.clone();
        let appended = self.database.write(|transaction| {
            drafts.iter().map(|draft| append(transaction, &mut moved, draft)).collect()
        })?;
        *ends = moved;
        Ok(appended)
    }

    fn read(&self, scope: Scope, after: Offset, limit: u32) -> Result<Vec<Envelope>, StoreError> {
        self.database.read(|connection| {
            let sql = format!("SELECT {COLUMNS} FROM events WHERE workspace = ?1 AND environment = ?2 AND offset > ?3 ORDER BY offset LIMIT ?4");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params![scope.workspace, scope.environment, after.0, limit], |row| envelope(scope, row))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn subject(
        &self,
        scope: Scope,
        subject: SubjectId,
        until: Offset,
    ) -> Result<Vec<Envelope>, StoreError> {
        self.database.read(|connection| {
            let sql = format!(
                "SELECT {COLUMNS} FROM events WHERE workspace = ?1 AND environment = ?2 AND subject = ?3 AND offset <= ?4
                 ORDER BY event_time, offset"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params![scope.workspace, scope.environment, subject, until.0], |row| envelope(scope, row))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    fn end(&self, scope: Scope) -> Result<Offset, StoreError> {
        Ok(lock(&self.ends).get(&scope).copied().unwrap_or_default())
    }

    fn holds(&self, scope: Scope, message_ids: &[&str]) -> Result<Vec<bool>, StoreError> {
        self.database.read(|connection| {
            let sql =
                "SELECT 1 FROM seen WHERE workspace = ?1 AND environment = ?2 AND message = ?3";
            let mut statement = connection.prepare_cached(sql)?;
            let held = message_ids.iter().map(|id| {
                statement.exists(params![scope.workspace, scope.environment, message_key(id)])
            });
            Ok(held.collect::<Result<_, _>>()?)
        })
    }

    fn ends(&self) -> Result<Vec<(Scope, Offset)>, StoreError> {
        let mut ends: Vec<_> =
            lock(&self.ends).iter().map(|(scope, offset)| (*scope, *offset)).collect();
        ends.sort_unstable();
        Ok(ends)
    }
}

/// How a message id is remembered: so long that two never meet, and no longer.
fn message_key(message_id: &str) -> [u8; 16] {
    let mut key = [0; 16];
    key.iter_mut().zip(Sha256Digest::of(message_id.as_bytes()).0).for_each(|(to, from)| *to = from);
    key
}

fn append(
    transaction: &Transaction<'_>,
    ends: &mut HashMap<Scope, Offset>,
    draft: &Draft,
) -> Result<Appended, StoreError> {
    let scope = draft.scope;
    let message = message_key(&draft.message_id);
    let new = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO seen (workspace, environment, message) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![scope.workspace, scope.environment, message])?;
    if new == 0 {
        return Ok(Appended::Duplicate);
    }
    let end = ends.entry(scope).or_default();
    end.0 += 1;
    let open = &draft.open;
    transaction
        .prepare_cached(
            "INSERT INTO events (workspace, environment, offset, message_id, subject, event_time, sent_at, received_at, consent, schema_version,
                kind, name, path, referrer_host, source, medium, campaign, client_time, sealed)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
        )?
        .execute(params![
            scope.workspace,
            scope.environment,
            end.0,
            draft.message_id,
            draft.subject,
            draft.event_time,
            draft.sent_at,
            draft.received_at,
            draft.consent.bits(),
            draft.schema_version,
            open.kind,
            open.name,
            open.path,
            open.referrer_host,
            open.source,
            open.medium,
            open.campaign,
            open.client_time,
            draft.sealed,
        ])?;
    Ok(Appended::At(*end))
}

fn envelope(scope: Scope, row: &Row<'_>) -> rusqlite::Result<Envelope> {
    let open = Open {
        kind: row.get(8)?,
        name: row.get(9)?,
        path: row.get(10)?,
        referrer_host: row.get(11)?,
        source: row.get(12)?,
        medium: row.get(13)?,
        campaign: row.get(14)?,
        client_time: row.get(15)?,
    };
    let draft = Draft {
        scope,
        message_id: row.get(1)?,
        subject: row.get(2)?,
        event_time: row.get(3)?,
        sent_at: row.get(4)?,
        received_at: row.get(5)?,
        consent: Consent::from_bits(row.get(6)?),
        schema_version: row.get(7)?,
        open,
        sealed: row.get(16)?,
    };
    Ok(Envelope { offset: Offset(row.get(0)?), draft })
}
