//! Audit rows at rest. They are only ever added.

use crate::clock::Millis;
use crate::error::StoreError;
use crate::identity::{Actor, Environment, Scope};
use crate::records::SqliteRecords;
use rusqlite::{Transaction, params};
use serde_json::Value;

/// Reads the audit log. It has no method that writes: changes bring their own row.
pub trait AuditStore: Send + Sync {
    /// The newest `limit` entries of a scope whose number lies below `before`, newest first.
    fn audit(
        &self,
        scope: Scope,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError>;
}

/// An administrative change, as the audit log tells it.
#[derive(Debug, Clone)]
pub struct Change {
    actor: Actor,
    action: &'static str,
    object: String,
    before: Option<String>,
    after: Option<String>,
}

impl Change {
    /// `actor` did `action` to `object`.
    pub fn new(actor: &Actor, action: &'static str, object: String) -> Self {
        Self { actor: actor.clone(), action, object, before: None, after: None }
    }

    /// How it was. Never holds personal data or secrets.
    pub fn before(mut self, before: &Value) -> Self {
        self.before = Some(before.to_string());
        self
    }

    /// How it is now. Never holds personal data or secrets.
    pub fn after(mut self, after: &Value) -> Self {
        self.after = Some(after.to_string());
        self
    }
}

/// A row of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Counts up from 1 in each workspace, over both environments.
    /// What concerns the whole workspace stands in `live`.
    pub number: i64,
    pub environment: Environment,
    pub at: Millis,
    pub actor: String,
    pub action: String,
    pub object: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// Writes a change's row into the transaction that makes the change.
///
/// # Errors
/// Where SQLite cannot write.
pub fn append(
    transaction: &Transaction<'_>,
    scope: Scope,
    at: Millis,
    change: Change,
) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO audit (workspace, number, environment, at, actor, action, object, before, after)
         SELECT ?1, COALESCE(MAX(number), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM audit WHERE workspace = ?1",
        params![scope.workspace, scope.environment, at, change.actor.0, change.action, change.object, change.before, change.after],
    )?;
    Ok(())
}

impl AuditStore for SqliteRecords {
    fn audit(
        &self,
        scope: Scope,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        let json = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        self.database.rows(
            "SELECT number, environment, at, actor, action, object, before, after FROM audit
             WHERE workspace = ?1 AND environment = ?2 AND number < ?3 ORDER BY number DESC LIMIT ?4",
            params![scope.workspace, scope.environment, before.unwrap_or(i64::MAX), limit],
            |row| {
                Ok(Entry {
                    number: row.get(0)?,
                    environment: row.get(1)?,
                    at: row.get(2)?,
                    actor: row.get(3)?,
                    action: row.get(4)?,
                    object: row.get(5)?,
                    before: json(row.get(6)?),
                    after: json(row.get(7)?),
                })
            },
        )
    }
}
