//! Profiles, and who is who, in one SQLite file.

use super::store::{Apply, Change, PlacedAct, ProfileStore, StoredProfile, Trail};
use crate::clock::Millis;
use crate::error::StoreError;
use crate::identity::{Scope, SubjectId};
use crate::log::{Offset, Word};
use crate::secret::Sha256Digest;
use crate::sqlite::{Database, Durability, lock};
use rapport_core::event::Millis as CoreMillis;
use rapport_core::person::{Act, Moment, Piece};
use rusqlite::{Row, Transaction, params};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Mutex;

/// Profiles in `profiles.db`.
pub struct SqliteProfiles {
    database: Database,
    /// The beginnings of all subjects that pieces name, and maybe of some more: most are named by
    /// none, and need not be looked for.
    linked: Mutex<HashSet<[u8; 8]>>,
    /// As much of those who refused to be profiled.
    refused: Mutex<HashSet<[u8; 8]>>,
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

/// Profiles from before subjects were merged are folded anew.
const VERSION_2: &str = "
CREATE TABLE acts (
    workspace INTEGER NOT NULL,
    environment TEXT NOT NULL,
    arrival INTEGER NOT NULL,
    act INTEGER NOT NULL,
    one BLOB NOT NULL,
    other BLOB,
    time INTEGER NOT NULL,
    again_time INTEGER,
    again_arrival INTEGER,
    source BLOB NOT NULL,
    PRIMARY KEY (workspace, environment, arrival, act, one)
) STRICT, WITHOUT ROWID;
CREATE INDEX acts_by_one ON acts (workspace, environment, one);
CREATE INDEX acts_by_other ON acts (workspace, environment, other) WHERE other IS NOT NULL;
CREATE INDEX acts_by_source ON acts (workspace, environment, source);
CREATE TABLE pieces (
    workspace INTEGER NOT NULL,
    environment TEXT NOT NULL,
    subject BLOB NOT NULL,
    time INTEGER NOT NULL,
    arrival INTEGER NOT NULL,
    person BLOB NOT NULL,
    PRIMARY KEY (workspace, environment, subject, time, arrival)
) STRICT, WITHOUT ROWID;
CREATE INDEX pieces_by_person ON pieces (workspace, environment, person);
DELETE FROM profiles;
DELETE FROM positions;
";

const VERSION_3: &str = "
CREATE TABLE refusals (
    workspace INTEGER NOT NULL,
    environment TEXT NOT NULL,
    subject BLOB NOT NULL,
    time INTEGER NOT NULL,
    arrival INTEGER NOT NULL,
    PRIMARY KEY (workspace, environment, subject)
) STRICT, WITHOUT ROWID;
";

const COLUMNS: &str = "subject, signals, event_time, kind, name, path, first_seen, events, score, band, as_of, next_change_at, trail, sealed";

impl SqliteProfiles {
    /// Opens `profiles.db` in a directory that exists.
    ///
    /// # Errors
    /// Where the file cannot be opened, or belongs to a newer release.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let database = Database::open(
            directory.join("profiles.db"),
            Durability::Rebuildable,
            &[VERSION_1, VERSION_2, VERSION_3],
        )?;
        let linked = database.rows(
            "SELECT subject FROM pieces UNION SELECT person FROM pieces",
            [],
            |row| row.get(0),
        )?;
        let refused = database.rows("SELECT subject FROM refusals", [], |row| row.get(0))?;
        let [linked, refused] = [linked, refused]
            .map(|subjects| Mutex::new(subjects.into_iter().map(beginning).collect()));
        Ok(Self { database, linked, refused })
    }
}

impl SqliteProfiles {
    fn put(
        &self,
        transaction: &Transaction<'_>,
        scope: Scope,
        changes: &[Change],
    ) -> Result<(), StoreError> {
        // Before the commit: who is looked for too early is not found, and who is found late is wrong.
        for change in changes {
            if let Change::Pieces(subject, pieces) = change {
                let people = pieces.iter().map(|piece| piece.person);
                lock(&self.linked).extend(people.chain([*subject]).map(beginning));
            }
        }
        let mut drop = transaction.prepare_cached(
            "DELETE FROM profiles WHERE workspace = ?1 AND environment = ?2 AND subject = ?3",
        )?;
        let sql = format!(
                "INSERT INTO profiles (workspace, environment, {COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
                 ON CONFLICT (workspace, environment, subject) DO UPDATE SET ({COLUMNS}) = (?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
            );
        let mut keep = transaction.prepare_cached(&sql)?;
        for change in changes {
            match change {
                Change::Drop(subject) => {
                    drop.execute(params![scope.workspace, scope.environment, subject])?
                }
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
                Change::Act(act) => keep_act(transaction, scope, act)?,
                Change::OwnProofs(browser, proofs) => {
                    transaction
                        .prepare_cached("DELETE FROM acts WHERE workspace = ?1 AND environment = ?2 AND source = ?3 AND one = ?3 AND act = 0")?
                        .execute(params![scope.workspace, scope.environment, browser])?;
                    for proof in proofs {
                        keep_act(transaction, scope, proof)?;
                    }
                    proofs.len()
                }
                Change::Pieces(subject, pieces) => {
                    keep_pieces(transaction, scope, *subject, pieces)?
                }
            };
        }
        Ok(())
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

    fn count_due(&self, scope: Scope, now: Millis) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) FROM profiles WHERE workspace = ?1 AND environment = ?2 AND next_change_at <= ?3";
        let place = params![scope.workspace, scope.environment, now];
        Ok(self
            .database
            .row(sql, place, |row| row.get::<_, i64>(0))?
            .unwrap_or_default()
            .unsigned_abs())
    }

    fn subjects(&self, scope: Scope) -> Result<Vec<SubjectId>, StoreError> {
        let sql = "SELECT subject FROM profiles WHERE workspace = ?1 AND environment = ?2 ORDER BY subject";
        self.database.rows(sql, params![scope.workspace, scope.environment], |row| row.get(0))
    }

    fn acts(&self, scope: Scope, subject: SubjectId) -> Result<Vec<PlacedAct>, StoreError> {
        let columns = "SELECT arrival, act, one, other, time, source, again_time, again_arrival FROM acts WHERE workspace = ?1 AND environment = ?2";
        let sql = format!("{columns} AND one = ?3 UNION {columns} AND other = ?3");
        self.database.rows(&sql, params![scope.workspace, scope.environment, subject], placed)
    }

    fn pieces(
        &self,
        scope: Scope,
        subject: SubjectId,
    ) -> Result<Vec<Piece<SubjectId>>, StoreError> {
        if !lock(&self.linked).contains(&beginning(subject)) {
            return Ok(Vec::new());
        }
        let sql = "SELECT time, arrival, person FROM pieces WHERE workspace = ?1 AND environment = ?2 AND subject = ?3 ORDER BY time, arrival";
        self.database.rows(sql, params![scope.workspace, scope.environment, subject], |row| {
            let from = Moment { time: CoreMillis(row.get(0)?), arrival: row.get(1)? };
            Ok(Piece { from, person: row.get(2)? })
        })
    }

    fn members(&self, scope: Scope, person: SubjectId) -> Result<Vec<SubjectId>, StoreError> {
        if !lock(&self.linked).contains(&beginning(person)) {
            return Ok(Vec::new());
        }
        let sql = "SELECT DISTINCT subject FROM pieces WHERE workspace = ?1 AND environment = ?2 AND person = ?3 ORDER BY subject";
        let place = params![scope.workspace, scope.environment, person];
        self.database.rows(sql, place, |row| row.get(0))
    }

    fn refusal(&self, scope: Scope, subject: SubjectId) -> Result<Option<Moment>, StoreError> {
        if !lock(&self.refused).contains(&beginning(subject)) {
            return Ok(None);
        }
        let sql = "SELECT time, arrival FROM refusals WHERE workspace = ?1 AND environment = ?2 AND subject = ?3";
        self.database.row(sql, params![scope.workspace, scope.environment, subject], |row| {
            Ok(Moment { time: CoreMillis(row.get(0)?), arrival: row.get(1)? })
        })
    }

    fn keep_words(&self, scope: Scope, words: &[Word]) -> Result<(), StoreError> {
        let refused = words.iter().filter(|word| !word.granted);
        lock(&self.refused).extend(refused.map(|word| beginning(word.subject)));
        self.database.write(|transaction| {
            for Word { subject, event_time, offset, granted } in words {
                let sql = if *granted {
                    "DELETE FROM refusals WHERE workspace = ?1 AND environment = ?2 AND subject = ?3 AND (time, arrival) < (?4, ?5)"
                } else {
                    "INSERT INTO refusals (workspace, environment, subject, time, arrival) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT DO UPDATE SET (time, arrival) = (?4, ?5) WHERE (time, arrival) < (?4, ?5)"
                };
                let Scope { workspace, environment } = scope;
                transaction
                    .prepare_cached(sql)?
                    .execute(params![workspace, environment, subject, event_time, offset.0])?;
            }
            Ok(())
        })
    }

    fn apply(&self, scope: Scope, position: Offset, changes: &[Change]) -> Result<(), StoreError> {
        self.apply_all(scope, position, &mut |apply| apply(changes))
    }

    fn apply_all(
        &self,
        scope: Scope,
        position: Offset,
        work: &mut dyn FnMut(&mut Apply<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            work(&mut |changes| self.put(transaction, scope, changes))?;
            transaction
                .prepare_cached("INSERT OR REPLACE INTO positions (workspace, environment, offset) VALUES (?1, ?2, ?3)")?
                .execute(params![scope.workspace, scope.environment, position.0])?;
            Ok(())
        })
    }

    fn forget(&self, scope: Scope, subjects: &[SubjectId]) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            for subject in subjects {
                for what in [
                    "profiles WHERE subject",
                    "acts WHERE one",
                    "acts WHERE other",
                    "acts WHERE source",
                    "pieces WHERE subject",
                    "pieces WHERE person",
                    "refusals WHERE subject",
                ] {
                    transaction
                        .prepare_cached(&format!(
                            "DELETE FROM {what} = ?3 AND workspace = ?1 AND environment = ?2"
                        ))?
                        .execute(params![scope.workspace, scope.environment, subject])?;
                }
            }
            Ok(())
        })
    }

    fn clear(&self, scope: Scope, forgotten: Offset) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            let own = "WHERE workspace = ?1 AND environment = ?2";
            for table in ["profiles", "positions"] {
                let sql = format!("DELETE FROM {table} {own}");
                transaction.execute(&sql, params![scope.workspace, scope.environment])?;
            }
            transaction.execute(
                &format!("DELETE FROM acts {own} AND arrival > ?3"),
                params![scope.workspace, scope.environment, forgotten.0],
            )?;
            // Pieces follow from all acts: where some are not told again, nobody works them out again.
            if forgotten == Offset(0) {
                let sql = format!("DELETE FROM pieces {own}");
                transaction.execute(&sql, params![scope.workspace, scope.environment])?;
            }
            Ok(())
        })
    }
}

/// What subjects are remembered by; those of all scopes differ.
fn beginning(subject: SubjectId) -> [u8; 8] {
    subject.0.first_chunk().copied().unwrap_or_default()
}

fn keep_act(
    transaction: &Transaction<'_>,
    scope: Scope,
    placed: &PlacedAct,
) -> rusqlite::Result<usize> {
    let (one, other) = placed.act.names();
    let Moment { time, arrival } = placed.at;
    transaction
        .prepare_cached("INSERT OR REPLACE INTO acts (workspace, environment, arrival, act, one, other, time, source, again_time, again_arrival) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?
        .execute(params![
            scope.workspace,
            scope.environment,
            arrival,
            placed.act.code(),
            one,
            other,
            time.0,
            placed.source,
            placed.again.map(|again| again.time.0),
            placed.again.map(|again| again.arrival),
        ])
}

fn placed(row: &Row<'_>) -> rusqlite::Result<PlacedAct> {
    let (one, other): (_, Option<SubjectId>) = (row.get(2)?, row.get(3)?);
    let act = match (row.get(1)?, other) {
        (0, Some(person)) => Act::Proof { browser: one, person },
        (1, Some(other)) => Act::Same { person: one, other },
        (2, from) => Act::Apart { one, from },
        (act, _) => return Err(rusqlite::Error::IntegralValueOutOfRange(1, act)),
    };
    let at = Moment { time: CoreMillis(row.get(4)?), arrival: row.get(0)? };
    let again: (Option<i64>, Option<i64>) = (row.get(6)?, row.get(7)?);
    let again = again.0.zip(again.1);
    let again = again.map(|(time, arrival)| Moment { time: CoreMillis(time), arrival });
    Ok(PlacedAct { at, again, source: row.get(5)?, act })
}

fn keep_pieces(
    transaction: &Transaction<'_>,
    scope: Scope,
    subject: SubjectId,
    pieces: &[Piece<SubjectId>],
) -> rusqlite::Result<usize> {
    let gone = transaction
        .prepare_cached(
            "DELETE FROM pieces WHERE workspace = ?1 AND environment = ?2 AND subject = ?3",
        )?
        .execute(params![scope.workspace, scope.environment, subject])?;
    let mut keep = transaction.prepare_cached("INSERT INTO pieces (workspace, environment, subject, time, arrival, person) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for Piece { from, person } in pieces {
        let Moment { time, arrival } = *from;
        keep.execute(params![
            scope.workspace,
            scope.environment,
            subject,
            time.0,
            arrival,
            person
        ])?;
    }
    Ok(gone)
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
