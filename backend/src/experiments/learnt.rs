//! Weights that were learnt, version by version: results need to know which were in force.

use super::definition::Kind;
use crate::audit::{Change, append};
use crate::clock::Millis;
use crate::error::StoreError;
use crate::identity::{Permit, Scope};
use crate::records::SqliteRecords;
use crate::sqlite::table_of_scopes;
use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Weights of a bandit.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Weights {
    /// Counts up from 1; 0 is what was authored.
    pub version: i64,
    /// Since when they are in force, in milliseconds since 1970-01-01 UTC.
    pub at: Millis,
    /// Of how many visitors they were learnt.
    pub visitors: u32,
    /// The first one counts whose condition holds.
    pub leaves: Vec<LearntLeaf>,
}

/// Visitors who are shown the variations alike.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LearntLeaf {
    pub leaf_id: u32,
    /// Who they are, in the language of targeting.
    pub condition: Value,
    /// The chance of each variation.
    pub weights: Vec<f64>,
    pub visitors: u32,
    /// The chance of each variation to be the best one for them; empty where nothing is learnt yet.
    pub best: Vec<f64>,
}

/// Keeps what was learnt.
pub trait WeightStore: Send + Sync {
    /// All weights of one, oldest first.
    fn weights(&self, scope: Scope, kind: Kind, key: &str) -> Result<Vec<Weights>, StoreError>;
    /// The newest weights of everything that learns in a scope.
    fn newest_weights(&self, scope: Scope) -> Result<Vec<(Kind, String, Weights)>, StoreError>;
    /// Adds weights; `false` where they do not follow the newest ones.
    fn learn(&self, by: &Permit, of: (Kind, &str), weights: &Weights) -> Result<bool, StoreError>;
}

/// The table that holds them.
pub(crate) const TABLE: &str = table_of_scopes!(
    "learnt",
    "kind TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, at INTEGER NOT NULL,
    visitors INTEGER NOT NULL, leaves TEXT NOT NULL",
    "kind, key, version"
);

impl WeightStore for SqliteRecords {
    fn weights(&self, scope: Scope, kind: Kind, key: &str) -> Result<Vec<Weights>, StoreError> {
        let rows = self.database.rows(
            "SELECT version, at, visitors, leaves FROM learnt
             WHERE workspace = ?1 AND environment = ?2 AND kind = ?3 AND key = ?4 ORDER BY version",
            params![scope.workspace, scope.environment, kind, key],
            |row| read(row, 0),
        )?;
        rows.into_iter().collect()
    }

    fn newest_weights(&self, scope: Scope) -> Result<Vec<(Kind, String, Weights)>, StoreError> {
        // Beside MAX, SQLite's other columns are those of the row that has it.
        let rows = self.database.rows(
            "SELECT kind, key, MAX(version), at, visitors, leaves FROM learnt
             WHERE workspace = ?1 AND environment = ?2 GROUP BY kind, key",
            params![scope.workspace, scope.environment],
            |row| Ok((row.get(0)?, row.get(1)?, read(row, 2)?)),
        )?;
        rows.into_iter().map(|(kind, key, weights)| Ok((kind, key, weights?))).collect()
    }

    fn learn(
        &self,
        by: &Permit,
        (kind, key): (Kind, &str),
        weights: &Weights,
    ) -> Result<bool, StoreError> {
        let (scope, Weights { version, at, visitors, leaves }) = (by.scope(), weights);
        let shown = json!(leaves);
        self.database.write(|transaction| {
            let newest: i64 = transaction.query_row(
                "SELECT COALESCE(MAX(version), 0) FROM learnt
                 WHERE workspace = ?1 AND environment = ?2 AND kind = ?3 AND key = ?4",
                params![scope.workspace, scope.environment, kind, key],
                |row| row.get(0),
            )?;
            if newest + 1 != *version {
                return Ok(false);
            }
            transaction.execute(
                "INSERT INTO learnt (workspace, environment, kind, key, version, at, visitors, leaves)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![scope.workspace, scope.environment, kind, key, version, at, visitors, shown.to_string()],
            )?;
            let action = if kind == Kind::Experience { "experience.learn" } else { "experiment.learn" };
            let change = Change::new(by.actor(), action, format!("{} {key}", kind.word()));
            let after = json!({ "version": version, "visitors": visitors, "leaves": shown });
            append(transaction, scope, *at, change.after(&after))?;
            Ok(true)
        })
    }
}

fn read(row: &Row<'_>, from: usize) -> rusqlite::Result<Result<Weights, StoreError>> {
    let leaves: String = row.get(from + 3)?;
    let (version, at) = (row.get(from)?, row.get(from + 1)?);
    let visitors = row.get(from + 2)?;
    Ok(serde_json::from_str(&leaves)
        .map(|leaves| Weights { version, at, visitors, leaves })
        .map_err(|error| StoreError::corrupt("learnt weights", error)))
}
