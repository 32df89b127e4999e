//! Profiles at rest, and up to where the log went into them.

use crate::clock::Millis;
use crate::error::StoreError;
use crate::identity::{Scope, SubjectId};
use crate::log::Offset;
use crate::secret::Sha256Digest;
use crate::sqlite::{Database, Durability};
use rusqlite::{Row, params};
use std::path::Path;

/// Keeps one profile a subject. An offset and its effect commit together.
pub trait ProfileStore: Send + Sync {
    /// Up to where the log of a scope went in.
    fn position(&self, scope: Scope) -> Result<Offset, StoreError>;
    /// The profile of a subject.
    fn profile(
        &self,
        scope: Scope,
        subject: SubjectId,
    ) -> Result<Option<StoredProfile>, StoreError>;
    /// The profiles seen last, newest first.
    fn recent(&self, scope: Scope, limit: u32) -> Result<Vec<StoredProfile>, StoreError>;
    /// Up to `limit` profiles whose score time alone has changed by `now`, the longest due first.
    fn due(&self, scope: Scope, now: Millis, limit: u32) -> Result<Vec<StoredProfile>, StoreError>;
    /// Every subject that has a profile.
    fn subjects(&self, scope: Scope) -> Result<Vec<SubjectId>, StoreError>;
    /// Applies changes and moves the position, in one commit.
    fn apply(&self, scope: Scope, position: Offset, changes: &[Change]) -> Result<(), StoreError>;
    /// Drops the profile of a subject.
    fn forget(&self, scope: Scope, subject: SubjectId) -> Result<(), StoreError>;
    /// Drops every profile of a scope and starts at the beginning of its log.
    fn clear(&self, scope: Scope) -> Result<(), StoreError>;
}

/// What folding did to a subject.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    Keep(Box<StoredProfile>),
    /// Consent was withdrawn, or nothing is left to fold.
    Drop(SubjectId),
}

/// A profile as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredProfile {
    pub subject: SubjectId,
    /// The signals that it was folded for.
    pub signals: Sha256Digest,
    /// Of the latest event by event time, which a late event lies before.
    pub event_time: Millis,
    /// The kind, name and path of that event.
    pub last_event: (String, String, Option<String>),
    pub first_seen: Millis,
    pub events: u32,
    pub score: u8,
    pub band: String,
    /// When the score was true, and when it changes though nothing happens.
    pub as_of: Millis,
    pub next_change_at: Option<Millis>,
    pub trail: Trail,
    /// The profile's bytes under the subject's key.
    pub sealed: Vec<u8>,
}

/// How the score moved: the last points in time and their scores, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trail(Vec<(Millis, u8)>);

impl Trail {
    const LENGTH: usize = 48;

    /// Adds a score where it differs from the last one.
    pub fn push(&mut self, at: Millis, score: u8) {
        if self.0.last().is_none_or(|(_, last)| *last != score) {
            self.0.push((at, score));
        }
        if self.0.len() > Self::LENGTH {
            self.0.remove(0);
        }
    }

    /// The points, oldest first.
    pub fn points(&self) -> &[(Millis, u8)] {
        &self.0
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(at, score)| at.to_le_bytes().into_iter().chain([*score])).collect()
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let points = bytes.chunks_exact(9).filter_map(|point| {
            let (at, score) = point.split_first_chunk::<8>()?;
            Some((Millis::from_le_bytes(*at), *score.first()?))
        });
        Self(points.collect())
    }
}

/// Profiles in `profiles.db`.
pub struct SqliteProfiles {
    database: Database,
}

const VERSION_1: &str = "
CREATE TABLE positions (
    workspace INTEGER NOT NULL,
    environment TEXT NOT NULL,
    offset INTEGER NOT NULL,
    PRIMARY KEY (workspace, environment)
) STRICT, WITHOUT ROWID;
CREATE TABLE profiles (
    workspace INTEGER NOT NULL,
    environment TEXT NOT NULL,
    subject BLOB NOT NULL,
    signals BLOB NOT NULL,
    event_time INTEGER NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT,
    first_seen INTEGER NOT NULL,
    events INTEGER NOT NULL,
    score INTEGER NOT NULL,
    band TEXT NOT NULL,
    as_of INTEGER NOT NULL,
    next_change_at INTEGER,
    trail BLOB NOT NULL,
    sealed BLOB NOT NULL,
    UNIQUE (workspace, environment, subject)
) STRICT;
CREATE INDEX profiles_by_time ON profiles (workspace, environment, event_time);
CREATE INDEX profiles_by_change ON profiles (workspace, environment, next_change_at) WHERE next_change_at IS NOT NULL;
";

const COLUMNS: &str = "subject, signals, event_time, kind, name, path, first_seen, events, score, band, as_of, next_change_at, trail, sealed";

impl SqliteProfiles {
    /// Opens `profiles.db` in a directory that exists.
    ///
    /// # Errors
    /// Where the file cannot be opened, or belongs to a newer release.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            database: Database::open(
                directory.join("profiles.db"),
                Durability::Rebuildable,
                &[VERSION_1],
            )?,
        })
    }
}

impl ProfileStore for SqliteProfiles {
    fn position(&self, scope: Scope) -> Result<Offset, StoreError> {
        let sql = "SELECT offset FROM positions WHERE workspace = ?1 AND environment = ?2";
        let place = params![scope.workspace, scope.environment];
        let found = self.database.row(sql, place, |row| Ok(Offset(row.get(0)?)))?;
        Ok(found.unwrap_or_default())
    }

    fn profile(
        &self,
        scope: Scope,
        subject: SubjectId,
    ) -> Result<Option<StoredProfile>, StoreError> {
        let place = params![scope.workspace, scope.environment, subject];
        self.database.row(&select("AND subject = ?3"), place, stored)
    }

    fn recent(&self, scope: Scope, limit: u32) -> Result<Vec<StoredProfile>, StoreError> {
        let place = params![scope.workspace, scope.environment, limit];
        self.database.rows(&select("ORDER BY event_time DESC LIMIT ?3"), place, stored)
    }

    fn due(&self, scope: Scope, now: Millis, limit: u32) -> Result<Vec<StoredProfile>, StoreError> {
        let sql = select("AND next_change_at <= ?3 ORDER BY next_change_at LIMIT ?4");
        self.database.rows(&sql, params![scope.workspace, scope.environment, now, limit], stored)
    }

    fn subjects(&self, scope: Scope) -> Result<Vec<SubjectId>, StoreError> {
        let sql = "SELECT subject FROM profiles WHERE workspace = ?1 AND environment = ?2 ORDER BY subject";
        self.database.rows(sql, params![scope.workspace, scope.environment], |row| row.get(0))
    }

    fn apply(&self, scope: Scope, position: Offset, changes: &[Change]) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            let mut drop = transaction.prepare_cached("DELETE FROM profiles WHERE workspace = ?1 AND environment = ?2 AND subject = ?3")?;
            let sql = format!(
                "INSERT INTO profiles (workspace, environment, {COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
                 ON CONFLICT (workspace, environment, subject) DO UPDATE SET ({COLUMNS}) = (?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
            );
            let mut keep = transaction.prepare_cached(&sql)?;
            for change in changes {
                match change {
                    Change::Drop(subject) => drop.execute(params![scope.workspace, scope.environment, subject])?,
                    Change::Keep(profile) => keep.execute(params![
                        scope.workspace,
                        scope.environment,
                        profile.subject,
                        profile.signals.0,
                        profile.event_time,
                        profile.last_event.0,
                        profile.last_event.1,
                        profile.last_event.2,
                        profile.first_seen,
                        profile.events,
                        profile.score,
                        profile.band,
                        profile.as_of,
                        profile.next_change_at,
                        profile.trail.to_bytes(),
                        profile.sealed,
                    ])?,
                };
            }
            transaction
                .prepare_cached("INSERT OR REPLACE INTO positions (workspace, environment, offset) VALUES (?1, ?2, ?3)")?
                .execute(params![scope.workspace, scope.environment, position.0])?;
            Ok(())
        })
    }

    fn forget(&self, scope: Scope, subject: SubjectId) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            transaction.execute(
                "DELETE FROM profiles WHERE workspace = ?1 AND environment = ?2 AND subject = ?3",
                params![scope.workspace, scope.environment, subject],
            )?;
            Ok(())
        })
    }

    fn clear(&self, scope: Scope) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            for table in ["profiles", "positions"] {
                transaction.execute(
                    &format!("DELETE FROM {table} WHERE workspace = ?1 AND environment = ?2"),
                    params![scope.workspace, scope.environment],
                )?;
            }
            Ok(())
        })
    }
}

/// Profiles of a scope, those that `rest` says.
fn select(rest: &str) -> String {
    format!("SELECT {COLUMNS} FROM profiles WHERE workspace = ?1 AND environment = ?2 {rest}")
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredProfile> {
    Ok(StoredProfile {
        subject: row.get(0)?,
        signals: Sha256Digest(row.get(1)?),
        event_time: row.get(2)?,
        last_event: (row.get(3)?, row.get(4)?, row.get(5)?),
        first_seen: row.get(6)?,
        events: row.get(7)?,
        score: row.get(8)?,
        band: row.get(9)?,
        as_of: row.get(10)?,
        next_change_at: row.get(11)?,
        trail: Trail::from_bytes(&row.get::<_, Vec<u8>>(12)?),
        sealed: row.get(13)?,
    })
}
