//! Manifests at rest: every publication is kept.

use crate::audit::{Change, append};
use crate::clock::Millis;
use crate::error::StoreError;
use crate::identity::{Actor, Scope};
use crate::records::SqliteRecords;
use rusqlite::{OptionalExtension, Transaction, params};

/// Keeps what was published.
pub trait BundleStore: Send + Sync {
    /// Adds a publication, which from now on is the current one; answers its number, from 1.
    fn publish(
        &self,
        by: &Actor,
        scope: Scope,
        publication: &Publication,
    ) -> Result<i64, StoreError>;
    /// The newest publication of a scope.
    fn publication(&self, scope: Scope) -> Result<Option<Publication>, StoreError>;
}

/// A signed manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// The bytes that are signed: JSON.
    pub manifest: String,
    /// Ed25519.
    pub signature: [u8; 64],
    pub published_at: Millis,
}

impl BundleStore for SqliteRecords {
    fn publish(
        &self,
        by: &Actor,
        scope: Scope,
        publication: &Publication,
    ) -> Result<i64, StoreError> {
        self.database.write(|transaction| insert_publication(transaction, by, scope, publication))
    }

    fn publication(&self, scope: Scope) -> Result<Option<Publication>, StoreError> {
        self.database.row(
            "SELECT manifest, signature, published_at FROM bundles WHERE workspace = ?1 AND environment = ?2 ORDER BY number DESC LIMIT 1",
            params![scope.workspace, scope.environment],
            |row| Ok(Publication { manifest: row.get(0)?, signature: row.get(1)?, published_at: row.get(2)? }),
        )
    }
}

/// Adds a publication in a transaction, with its audit row; answers its number.
///
/// # Errors
/// Where SQLite cannot write.
pub(crate) fn insert_publication(
    transaction: &Transaction<'_>,
    by: &Actor,
    scope: Scope,
    publication: &Publication,
) -> Result<i64, StoreError> {
    let number: i64 = transaction.query_row(
        "INSERT INTO bundles (workspace, environment, number, manifest, signature, published_at)
         SELECT ?1, ?2, COALESCE(MAX(number), 0) + 1, ?3, ?4, ?5 FROM bundles WHERE workspace = ?1 AND environment = ?2
         RETURNING number",
        params![scope.workspace, scope.environment, publication.manifest, publication.signature, publication.published_at],
        |row| row.get(0),
    )?;
    let json = |text: &str| serde_json::from_str(text).unwrap_or_default();
    let before: Option<String> = transaction
        .query_row(
            "SELECT manifest FROM bundles WHERE workspace = ?1 AND environment = ?2 AND number = ?3",
            params![scope.workspace, scope.environment, number - 1],
            |row| row.get(0),
        )
        .optional()?;
    let change = Change::new(by, "bundle.publish", format!("bundle {number}"))
        .after(&json(&publication.manifest));
    let change = match before {
        Some(before) => change.before(&json(&before)),
        None => change,
    };
    append(transaction, scope, publication.published_at, change)?;
    Ok(number)
}
