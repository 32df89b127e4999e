//! Definitions at rest: revisions are only ever added.

use super::definition::{Definition, Kind};
use crate::audit::{Change, append};
use crate::error::StoreError;
use crate::identity::{Permit, Scope};
use crate::records::SqliteRecords;
use crate::sqlite::table_of_scopes;
use rusqlite::{OptionalExtension, Row, params};
use serde_json::{Map, Value, json};

/// Keeps what is authored.
pub trait DefinitionStore: Send + Sync {
    /// The newest revision of everything in a scope, by kind and key.
    fn definitions(&self, scope: Scope) -> Result<Vec<Definition>, StoreError>;
    /// The revisions of one, newest first; none where there is no such thing.
    fn revisions(&self, scope: Scope, kind: Kind, key: &str)
    -> Result<Vec<Definition>, StoreError>;
    /// Adds revisions, all or none; `false` where one of them does not follow the newest one.
    fn define(
        &self,
        by: &Permit,
        action: &'static str,
        next: &[Definition],
    ) -> Result<bool, StoreError>;
    /// Every scope that holds a definition.
    fn defined_scopes(&self) -> Result<Vec<Scope>, StoreError>;
}

/// The table that holds them.
pub(crate) const TABLE: &str = table_of_scopes!(
    "definitions",
    "kind TEXT NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL, status TEXT NOT NULL,
    content TEXT NOT NULL, at INTEGER NOT NULL, by TEXT NOT NULL",
    "kind, key, revision"
);

impl DefinitionStore for SqliteRecords {
    fn definitions(&self, scope: Scope) -> Result<Vec<Definition>, StoreError> {
        // Beside MAX, SQLite's other columns are those of the row that has it.
        let rows = self.database.rows(
            "SELECT kind, key, MAX(revision), status, content, at, by FROM definitions
             WHERE workspace = ?1 AND environment = ?2 GROUP BY kind, key",
            params![scope.workspace, scope.environment],
            read,
        )?;
        rows.into_iter().collect()
    }

    fn revisions(
        &self,
        scope: Scope,
        kind: Kind,
        key: &str,
    ) -> Result<Vec<Definition>, StoreError> {
        let rows = self.database.rows(
            "SELECT kind, key, revision, status, content, at, by FROM definitions
             WHERE workspace = ?1 AND environment = ?2 AND kind = ?3 AND key = ?4 ORDER BY revision DESC",
            params![scope.workspace, scope.environment, kind, key],
            read,
        )?;
        rows.into_iter().collect()
    }

    fn define(
        &self,
        by: &Permit,
        action: &'static str,
        next: &[Definition],
    ) -> Result<bool, StoreError> {
        let scope = by.scope();
        // A transaction that fails leaves no trace; one that finds itself late has written nothing yet.
        self.database.write(|transaction| {
            let mut before = Vec::new();
            for Definition { kind, key, revision, .. } in next {
                let newest = transaction
                    .query_row(
                        "SELECT kind, key, revision, status, content, at, by FROM definitions
                         WHERE workspace = ?1 AND environment = ?2 AND kind = ?3 AND key = ?4
                         ORDER BY revision DESC LIMIT 1",
                        params![scope.workspace, scope.environment, kind, key],
                        read,
                    )
                    .optional()?
                    .transpose()?;
                if newest.as_ref().map_or(0, |newest| newest.revision) + 1 != *revision {
                    return Ok(false);
                }
                before.push(newest);
            }
            for (next, before) in next.iter().zip(before) {
                let Definition { kind, key, revision, status, content, at, by: who } = next;
                transaction.execute(
                    "INSERT INTO definitions (workspace, environment, kind, key, revision, status, content, at, by)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    params![
                        scope.workspace, scope.environment, kind, key, revision, status,
                        Value::Object(content.clone()).to_string(), at, who
                    ],
                )?;
                let change = Change::new(by.actor(), action, format!("{} {key}", kind.word()));
                let change = match before {
                    Some(before) => change.before(&told(&before)),
                    None => change,
                };
                append(transaction, scope, *at, change.after(&told(next)))?;
            }
            Ok(true)
        })
    }

    fn defined_scopes(&self) -> Result<Vec<Scope>, StoreError> {
        self.database.rows("SELECT DISTINCT workspace, environment FROM definitions", [], |row| {
            Scope::in_row(row, 0)
        })
    }
}

/// A revision as the audit log tells it.
fn told(definition: &Definition) -> Value {
    let Definition { revision, status, content, .. } = definition;
    json!({ "revision": revision, "status": status, "definition": content })
}

fn read(row: &Row<'_>) -> rusqlite::Result<Result<Definition, StoreError>> {
    let content: String = row.get(4)?;
    let content: Map<String, Value> = match serde_json::from_str(&content) {
        Ok(content) => content,
        Err(error) => return Ok(Err(StoreError::corrupt("definition", error))),
    };
    Ok(Ok(Definition {
        kind: row.get(0)?,
        key: row.get(1)?,
        revision: row.get(2)?,
        status: row.get(3)?,
        content,
        at: row.get(5)?,
        by: row.get(6)?,
    }))
}
