//! The log of releases before the journal, `log.db`: moved over once, offsets and all.

use super::days::DayLog;
use super::{Consent, Draft, Envelope, Offset, Open};
use crate::error::StoreError;
use crate::identity::Scope;
use rusqlite::{Connection, OpenFlags, Row};
use std::path::{Path, PathBuf};

/// The only schema that `log.db` ever had.
const VERSION: i64 = 1;
const GROUP: usize = 1000;

/// Says so where `log.db` is of a release that this one does not know.
pub fn refuse_newer(data: &Path) -> Result<(), StoreError> {
    let Some((path, connection)) = open(data)? else { return Ok(()) };
    let found = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found > VERSION {
        return Err(StoreError::Newer { path, found, known: VERSION as usize });
    }
    Ok(())
}

/// Moves what `log.db` holds and is not moved yet, then deletes it. Stopped in the middle, the next
/// start goes on.
pub fn move_into(data: &Path, log: &DayLog) -> Result<(), StoreError> {
    let Some((path, connection)) = open(data)? else { return Ok(()) };
    tracing::info!(path = %path.display(), "the log moves to its new form; this is done once");
    {
        let mut statement = connection.prepare("SELECT * FROM events ORDER BY rowid")?;
        let mut rows = statement.query([])?;
        let mut group = Vec::with_capacity(GROUP);
        while let Some(row) = rows.next()? {
            group.push(envelope(row)?);
            if group.len() == GROUP {
                log.take_over(&group)?;
                group.clear();
            }
        }
        log.take_over(&group)?;
    }
    drop(connection);
    for suffix in ["-wal", "-shm", ""] {
        let file = PathBuf::from(format!("{}{suffix}", path.display()));
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::file("deleting", file, error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn open(data: &Path) -> Result<Option<(PathBuf, Connection)>, StoreError> {
    let path = data.join("log.db");
    if !path.exists() {
        return Ok(None);
    }
    // Not read-only: what a crash left in the write-ahead log has to be read too.
    let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    Ok(Some((path, connection)))
}

fn envelope(row: &Row<'_>) -> rusqlite::Result<Envelope> {
    let open = Open {
        kind: row.get("kind")?,
        name: row.get("name")?,
        path: row.get("path")?,
        referrer_host: row.get("referrer_host")?,
        source: row.get("source")?,
        medium: row.get("medium")?,
        campaign: row.get("campaign")?,
        client_time: row.get("client_time")?,
    };
    let draft = Draft {
        scope: Scope { workspace: row.get("workspace")?, environment: row.get("environment")? },
        message_id: row.get("message_id")?,
        subject: row.get("subject")?,
        event_time: row.get("event_time")?,
        sent_at: row.get("sent_at")?,
        received_at: row.get("received_at")?,
        consent: Consent::from_bits(row.get("consent")?),
        schema_version: row.get("schema_version")?,
        open,
        sealed: row.get::<_, Vec<u8>>("sealed")?.into(),
    };
    Ok(Envelope { offset: Offset(row.get("offset")?), draft })
}
