//! Keys in a directory: the master key as a file, wrapped keys in SQLite.

use super::{KeyStore, SubjectKey};
use crate::clock::Millis;
use crate::error::StoreError;
use crate::identity::{Scope, SubjectId, WorkspaceId};
use crate::seal::SecretKey;
use crate::secret::{parse_hex, write_hex};
use crate::sqlite::{Database, Durability, lock};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// A key store in a directory that only its owner can read.
pub struct DirectoryKeys {
    master: SecretKey,
    database: Database,
    workspace_keys: Mutex<HashMap<WorkspaceId, SecretKey>>,
    subject_keys: Mutex<Remembered>,
    /// How often a key was to be shredded.
    shreds: AtomicU64,
    /// Of the latest day.
    salt: Mutex<Option<(i64, SecretKey)>>,
}

/// Unwrapped subject keys in memory: those asked for lately, and those asked for before them.
#[derive(Default)]
struct Remembered {
    late: HashMap<(Scope, SubjectId), SecretKey>,
    before: HashMap<(Scope, SubjectId), SecretKey>,
}

impl Remembered {
    /// So many of each are held: visitors who are active at a time.
    const HALF: usize = 1 << 16;

    fn get(&mut self, whose: (Scope, SubjectId)) -> Option<SecretKey> {
        if let Some(key) = self.late.get(&whose) {
            return Some(key.clone());
        }
        let key = self.before.remove(&whose)?;
        self.insert(whose, key.clone());
        Some(key)
    }

    fn insert(&mut self, whose: (Scope, SubjectId), key: SecretKey) {
        if self.late.len() >= Self::HALF {
            self.before = std::mem::take(&mut self.late);
        }
        self.late.insert(whose, key);
    }

    fn remove(&mut self, whose: (Scope, SubjectId)) {
        self.late.remove(&whose);
        self.before.remove(&whose);
    }
}

const VERSION_1: &str = "
CREATE TABLE workspace_keys (workspace INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;
CREATE TABLE subject_keys (
    workspace INTEGER NOT NULL,
    environment TEXT NOT NULL,
    subject BLOB NOT NULL,
    wrapped BLOB,
    shredded_at INTEGER,
    PRIMARY KEY (workspace, environment, subject)
) STRICT, WITHOUT ROWID;
";

const VERSION_2: &str =
    "CREATE TABLE salts (day INTEGER PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;";

impl DirectoryKeys {
    /// Opens the store, or makes it with a new master key.
    ///
    /// # Errors
    /// Where the directory cannot be used, or its master key is missing, malformed or not the one
    /// that its keys were wrapped with.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| StoreError::file("creating", directory, error))?;
        let (file, wrapped_keys) = (directory.join("master.key"), directory.join("keys.db"));
        let master = match fs::read_to_string(&file) {
            Ok(text) => parse_hex(text.trim()).map(SecretKey::from_bytes).ok_or_else(|| {
                StoreError::corrupt("master key", "it must be 64 hexadecimal digits")
            })?,
            Err(error)
                if error.kind() == std::io::ErrorKind::NotFound && !wrapped_keys.exists() =>
            {
                create_master(&file)?
            }
            Err(error) => return Err(StoreError::file("reading", file, error)),
        };
        let database = Database::open(wrapped_keys, Durability::Synced, &[VERSION_1, VERSION_2])?;
        let store = Self {
            master,
            database,
            workspace_keys: Mutex::default(),
            subject_keys: Mutex::default(),
            salt: Mutex::default(),
            shreds: AtomicU64::new(0),
        };
        // Every store has this key: a wrong master key shows at once, not at the first event.
        store.workspace_key(WorkspaceId::INSTALLATION)?;
        Ok(store)
    }

    fn wrapping_key(&self, scope: Scope) -> Result<SecretKey, StoreError> {
        Ok(self.workspace_key(scope.workspace)?.derive("wrap", &scope.to_bytes()))
    }

    fn remembered(&self, scope: Scope, subject: SubjectId) -> Option<SubjectKey> {
        lock(&self.subject_keys).get((scope, subject)).map(SubjectKey::Kept)
    }

    /// Keeps keys in memory that were read when so many had been shredded: what was shredded
    /// meanwhile must not stay there.
    fn remember<'k>(
        &self,
        scope: Scope,
        keys: impl IntoIterator<Item = (SubjectId, &'k SecretKey)>,
        shreds: u64,
    ) {
        let mut remembered = lock(&self.subject_keys);
        if self.shreds.load(Ordering::SeqCst) == shreds {
            for (subject, key) in keys {
                remembered.insert((scope, subject), key.clone());
            }
        }
    }
}

impl KeyStore for DirectoryKeys {
    fn workspace_key(&self, workspace: WorkspaceId) -> Result<SecretKey, StoreError> {
        if let Some(key) = lock(&self.workspace_keys).get(&workspace) {
            return Ok(key.clone());
        }
        let found =
            self.database.read(|connection| wrapped_workspace_key(connection, workspace))?;
        let wrapped = match found {
            Some(wrapped) => wrapped,
            None => self.database.write(|transaction| {
                let fresh =
                    self.master.seal(&workspace.to_bytes(), SecretKey::generate()?.expose())?;
                transaction.execute(
                    "INSERT OR IGNORE INTO workspace_keys (workspace, wrapped) VALUES (?1, ?2)",
                    params![workspace, fresh],
                )?;
                Ok(wrapped_workspace_key(transaction, workspace)?.unwrap_or_default())
            })?,
        };
        let key = unwrap(&self.master, &workspace.to_bytes(), &wrapped).map_err(|_| {
            StoreError::corrupt(
                "workspace key",
                "master.key is not the key that it was wrapped with",
            )
        })?;
        lock(&self.workspace_keys).insert(workspace, key.clone());
        Ok(key)
    }

    fn ensure_subject_keys(
        &self,
        scope: Scope,
        subjects: &[SubjectId],
    ) -> Result<Vec<SubjectKey>, StoreError> {
        let mut keys: Vec<_> =
            subjects.iter().map(|subject| self.remembered(scope, *subject)).collect();
        if keys.iter().all(Option::is_some) {
            return Ok(keys.into_iter().flatten().collect());
        }
        let shreds = self.shreds.load(Ordering::SeqCst);
        let wrapping = self.wrapping_key(scope)?;
        // Most visitors come again: nothing is written, let alone synced, for them.
        self.database.read(|connection| {
            for (subject, key) in subjects.iter().zip(&mut keys).filter(|(_, key)| key.is_none()) {
                *key = find(connection, &wrapping, scope, *subject)?;
            }
            Ok(())
        })?;
        if keys.iter().any(Option::is_none) {
            self.database.write(|transaction| {
                for (subject, key) in subjects.iter().zip(&mut keys) {
                    *key = Some(ensure(transaction, &wrapping, scope, *subject)?);
                }
                Ok(())
            })?;
        }
        let kept = subjects.iter().zip(&keys).filter_map(|(subject, key)| match key {
            Some(SubjectKey::Kept(key)) => Some((*subject, key)),
            _ => None,
        });
        self.remember(scope, kept, shreds);
        Ok(keys.into_iter().flatten().collect())
    }

    fn subject_key(
        &self,
        scope: Scope,
        subject: SubjectId,
    ) -> Result<Option<SubjectKey>, StoreError> {
        if let Some(key) = self.remembered(scope, subject) {
            return Ok(Some(key));
        }
        let shreds = self.shreds.load(Ordering::SeqCst);
        let wrapping = self.wrapping_key(scope)?;
        let found = self.database.read(|connection| find(connection, &wrapping, scope, subject))?;
        if let Some(SubjectKey::Kept(key)) = &found {
            self.remember(scope, [(subject, key)], shreds);
        }
        Ok(found)
    }

    fn daily_salt(&self, day: i64) -> Result<SecretKey, StoreError> {
        let mut latest = lock(&self.salt);
        if let Some((_, salt)) = latest.as_ref().filter(|(known, _)| *known == day) {
            return Ok(salt.clone());
        }
        let bound = [b"salt".as_slice(), &day.to_be_bytes()].concat();
        let wrapped: Vec<u8> = self.database.write(|transaction| {
            let fresh = self.master.seal(&bound, SecretKey::generate()?.expose())?;
            transaction.execute(
                "INSERT OR IGNORE INTO salts (day, wrapped) VALUES (?1, ?2)",
                params![day, fresh],
            )?;
            let sql = "SELECT wrapped FROM salts WHERE day = ?1";
            Ok(transaction.query_row(sql, [day], |row| row.get(0))?)
        })?;
        let salt = unwrap(&self.master, &bound, &wrapped)?;
        *latest = Some((day, salt.clone()));
        drop(latest);
        self.forget_salts(day - 1)?;
        Ok(salt)
    }

    fn forget_salts(&self, day: i64) -> Result<(), StoreError> {
        let mut latest = lock(&self.salt);
        if latest.as_ref().is_some_and(|(known, _)| *known < day) {
            *latest = None;
        }
        drop(latest);
        let forgotten = self.database.write(|transaction| {
            Ok(transaction.execute("DELETE FROM salts WHERE day < ?1", [day])?)
        })?;
        if forgotten > 0 { self.database.empty_log() } else { Ok(()) }
    }

    fn shredded(&self) -> Result<Vec<(Scope, SubjectId, Millis)>, StoreError> {
        let sql = "SELECT workspace, environment, subject, shredded_at FROM subject_keys WHERE shredded_at IS NOT NULL ORDER BY shredded_at";
        self.database.rows(sql, [], |row| Ok((Scope::in_row(row, 0)?, row.get(2)?, row.get(3)?)))
    }

    fn shred(&self, scope: Scope, subject: SubjectId, at: Millis) -> Result<(), StoreError> {
        self.shreds.fetch_add(1, Ordering::SeqCst);
        self.database.write(|transaction| {
            transaction.execute(
                "INSERT INTO subject_keys (workspace, environment, subject, wrapped, shredded_at) VALUES (?1, ?2, ?3, NULL, ?4)
                 ON CONFLICT DO UPDATE SET wrapped = NULL, shredded_at = COALESCE(shredded_at, ?4)",
                params![scope.workspace, scope.environment, subject, at],
            )?;
            Ok(())
        })?;
        // Who read the key before and has not remembered it yet does so no more.
        self.shreds.fetch_add(1, Ordering::SeqCst);
        lock(&self.subject_keys).remove((scope, subject));
        self.database.empty_log()
    }
}

fn create_master(file: &Path) -> Result<SecretKey, StoreError> {
    let key = SecretKey::generate()?;
    let failed = |error| StoreError::file("creating", file, error);
    let mut out = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .map_err(failed)?;
    struct Hex<'a>(&'a [u8]);
    impl std::fmt::Display for Hex<'_> {
        fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write_hex(self.0, formatter)
        }
    }
    writeln!(out, "{}", Hex(key.expose())).and_then(|()| out.sync_all()).map_err(failed)?;
    Ok(key)
}

fn bound(scope: Scope, subject: SubjectId) -> Vec<u8> {
    [scope.to_bytes().as_slice(), subject.0.as_slice()].concat()
}

fn unwrap(wrapping: &SecretKey, bound: &[u8], wrapped: &[u8]) -> Result<SecretKey, StoreError> {
    let bytes = wrapping.open(bound, wrapped).map_err(|error| StoreError::corrupt("key", error))?;
    let bytes =
        bytes.try_into().map_err(|_| StoreError::corrupt("key", "it has the wrong length"))?;
    Ok(SecretKey::from_bytes(bytes))
}

fn wrapped_workspace_key(
    connection: &Connection,
    workspace: WorkspaceId,
) -> Result<Option<Vec<u8>>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT wrapped FROM workspace_keys WHERE workspace = ?1")?;
    Ok(statement.query_row([workspace], |row| row.get(0)).optional()?)
}

fn find(
    connection: &Connection,
    wrapping: &SecretKey,
    scope: Scope,
    subject: SubjectId,
) -> Result<Option<SubjectKey>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT wrapped FROM subject_keys WHERE workspace = ?1 AND environment = ?2 AND subject = ?3")?;
    let found: Option<Option<Vec<u8>>> = statement
        .query_row(params![scope.workspace, scope.environment, subject], |row| row.get(0))
        .optional()?;
    match found {
        None => Ok(None),
        Some(None) => Ok(Some(SubjectKey::Shredded)),
        Some(Some(wrapped)) => {
            Ok(Some(SubjectKey::Kept(unwrap(wrapping, &bound(scope, subject), &wrapped)?)))
        }
    }
}

fn ensure(
    transaction: &Transaction<'_>,
    wrapping: &SecretKey,
    scope: Scope,
    subject: SubjectId,
) -> Result<SubjectKey, StoreError> {
    if let Some(found) = find(transaction, wrapping, scope, subject)? {
        return Ok(found);
    }
    let key = SecretKey::generate()?;
    let wrapped = wrapping.seal(&bound(scope, subject), key.expose())?;
    transaction
        .prepare_cached("INSERT INTO subject_keys (workspace, environment, subject, wrapped) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![scope.workspace, scope.environment, subject, wrapped])?;
    Ok(SubjectKey::Kept(key))
}
