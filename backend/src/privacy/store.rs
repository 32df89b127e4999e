//! The list of erasures.

use crate::audit::{Change, append};
use crate::clock::Millis;
use crate::error::StoreError;
use crate::identity::{Actor, Scope, SubjectId};
use crate::records::SqliteRecords;
use rusqlite::params;

/// Keeps who is to be forgotten.
pub trait ErasureStore: Send + Sync {
    /// Adds to the list, all or none; adding again changes nothing.
    fn record_erasures(&self, by: &Actor, erasures: &[Erasure]) -> Result<(), StoreError>;
    /// The whole list, oldest first.
    fn erasures(&self) -> Result<Vec<Erasure>, StoreError>;
}

/// A visitor to be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure {
    pub scope: Scope,
    pub subject: SubjectId,
    pub at: Millis,
}

impl ErasureStore for SqliteRecords {
    fn record_erasures(&self, by: &Actor, erasures: &[Erasure]) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            for Erasure { scope, subject, at } in erasures {
                let added = transaction.execute(
                    "INSERT OR IGNORE INTO erasures (workspace, environment, subject, at) VALUES (?1, ?2, ?3, ?4)",
                    params![scope.workspace, scope.environment, subject, at],
                )?;
                transaction.execute(
                    "DELETE FROM given WHERE workspace = ?1 AND environment = ?2 AND subject = ?3",
                    params![scope.workspace, scope.environment, subject],
                )?;
                if added > 0 {
                    append(transaction, *scope, *at, Change::new(by, "visitor.erase", subject.to_string()))?;
                }
            }
            Ok(())
        })
    }

    fn erasures(&self) -> Result<Vec<Erasure>, StoreError> {
        self.database.rows(
            "SELECT workspace, environment, subject, at FROM erasures ORDER BY at",
            [],
            |row| {
                Ok(Erasure { scope: Scope::in_row(row, 0)?, subject: row.get(2)?, at: row.get(3)? })
            },
        )
    }
}
