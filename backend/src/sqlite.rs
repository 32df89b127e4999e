//! One SQLite file: write-ahead log, migrations from version 1, one writer and a few readers.

use crate::error::StoreError;
use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Params, Row, Transaction, TransactionBehavior,
};
use rusqlite_migration::{Error, M, MigrationDefinitionError, Migrations};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A SQLite file whose schema is up to date.
pub struct Database {
    path: PathBuf,
    idle_readers: Mutex<Vec<Connection>>,
    /// Dropped last: only a connection that may write moves the log into the file when it closes.
    writer: Mutex<Connection>,
}

/// What a commit promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The commit is on stable storage when it returns.
    Synced,
    /// The file stays consistent after a power cut but may lose the last commits: for what can be rebuilt.
    Rebuildable,
}

/// Opening one costs as much as many reads.
const IDLE_READERS: usize = 8;
/// Kilobytes that a reader keeps of the file; the system keeps more, for all of them together.
const READER_CACHE: i64 = 512;
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

impl Database {
    /// Opens or creates the file and applies the migrations it lacks; `migrations[n]` leads to version n + 1.
    ///
    /// # Errors
    /// Where the file cannot be opened or written, or was written by a newer release.
    pub fn open(
        path: PathBuf,
        durability: Durability,
        migrations: &[&str],
    ) -> Result<Self, StoreError> {
        let mut writer = connect(&path, durability)?;
        migrate(&mut writer, &path, migrations)?;
        Ok(Self { path, writer: Mutex::new(writer), idle_readers: Mutex::new(Vec::new()) })
    }

    /// Runs `work` in one transaction that commits where it succeeds and leaves no trace where it fails.
    ///
    /// # Errors
    /// What `work` returns, or why the transaction did not commit.
    pub fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer = lock(&self.writer);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// Runs `work` on a connection that sees the last commit.
    ///
    /// # Errors
    /// What `work` returns, or why no connection could be opened.
    pub fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = lock(&self.idle_readers).pop();
        let reader = match idle {
            Some(reader) => reader,
            None => read_only(&self.path)?,
        };
        let value = work(&reader);
        let mut readers = lock(&self.idle_readers);
        if readers.len() < IDLE_READERS {
            readers.push(reader);
        }
        value
    }

    /// Every row that a query finds.
    ///
    /// # Errors
    /// Where the query fails, or a row is not what `map` expects.
    pub fn rows<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        map: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            Ok(statement.query_map(parameters, map)?.collect::<Result<_, _>>()?)
        })
    }

    /// The first row that a query finds.
    ///
    /// # Errors
    /// As [`Self::rows`].
    pub fn row<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        map: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        self.read(|connection| {
            Ok(connection.prepare_cached(sql)?.query_row(parameters, map).optional()?)
        })
    }

    /// Moves everything from the write-ahead log to the file and empties it: what was deleted is gone from both.
    ///
    /// # Errors
    /// Where the log cannot be moved.
    pub fn empty_log(&self) -> Result<(), StoreError> {
        lock(&self.writer).query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }
}

/// The statement that makes a table whose rows belong each to a scope: its name, its other columns, and
/// its key behind the scope.
macro_rules! table_of_scopes {
    ($name:literal, $columns:literal, $key:literal) => {
        concat!(
            "CREATE TABLE ",
            $name,
            " (workspace INTEGER NOT NULL REFERENCES workspaces (id), environment TEXT NOT NULL, ",
            $columns,
            ", PRIMARY KEY (workspace, environment, ",
            $key,
            ")) STRICT, WITHOUT ROWID;"
        )
    };
}
pub(crate) use table_of_scopes;

/// Locks even after a panic elsewhere: what the lock guards is a connection, which rolls back by itself.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(path: &Path, durability: Durability) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match durability {
        Durability::Synced => "FULL",
        Durability::Rebuildable => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Freed pages are overwritten: a shredded key or an erased row must not linger in the file.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn read_only(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path, steps: &[&str]) -> Result<(), StoreError> {
    let migrations = Migrations::new(steps.iter().map(|step| M::up(step)).collect());
    match migrations.to_latest(connection) {
        Ok(()) => Ok(()),
        Err(Error::MigrationDefinition(MigrationDefinitionError::DatabaseTooFarAhead)) => {
            let found = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            Err(StoreError::Newer { path: path.to_owned(), found, known: steps.len() })
        }
        Err(source) => Err(StoreError::Migration { path: path.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_be_synced_is_synced_with_each_commit() {
        let path = std::env::temp_dir().join(format!("rapport-synced-{}.db", std::process::id()));
        for (durability, full) in [(Durability::Synced, 2), (Durability::Rebuildable, 1)] {
            let database =
                Database::open(path.clone(), durability, &["CREATE TABLE t (a)"]).unwrap();
            let writer = lock(&database.writer);
            let set: i64 =
                writer.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap();
            assert_eq!(set, full);
        }
        std::fs::remove_file(path).unwrap();
    }
}
