//! Models at rest: versions and moves are only ever added.

use crate::audit::{Change, append};
use crate::bundles::{Publication, insert_publication};
use crate::clock::Millis;
use crate::error::StoreError;
use crate::identity::{Actor, Scope};
use crate::records::SqliteRecords;
use crate::secret::Sha256Digest;
use crate::sqlite::table_of_scopes;
use rapport_core::bundle::ScoreInPage;
use rusqlite::{Transaction, params};
use serde_json::{Value, json};

/// Keeps the models of scopes. Their bytes are files.
pub trait ModelStore: Send + Sync {
    /// Adds a version; answers its number, from 1.
    fn add_model(&self, by: &Actor, scope: Scope, model: &NewModel) -> Result<i64, StoreError>;
    /// All versions, oldest first.
    fn models(&self, scope: Scope) -> Result<Vec<StoredModel>, StoreError>;
    /// What was promoted and rolled back, oldest first.
    fn moves(&self, scope: Scope) -> Result<Vec<Move>, StoreError>;
    /// The bundle as it was published, without what was promoted since.
    fn base(&self, scope: Scope) -> Result<Option<Base>, StoreError>;
    /// Publishes a bundle, in one commit with what made it.
    fn publish_with(
        &self,
        by: &Actor,
        scope: Scope,
        publication: &Publication,
        because: &Because,
    ) -> Result<i64, StoreError>;
}

/// A version to add.
#[derive(Debug, Clone, PartialEq)]
pub struct NewModel {
    pub name: String,
    /// `trees`, `points`, `logistic`, `onnx` or `wasm`.
    pub kind: String,
    pub digest: Sha256Digest,
    pub bytes: usize,
    pub score_in_page: ScoreInPage,
    pub at: Millis,
}

/// A version.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredModel {
    pub version: i64,
    pub model: NewModel,
    /// Who added it.
    pub by: String,
}

/// What moved the pointer to the live model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    pub action: Action,
    /// What is live from then on; `None` stands for the bundle's own model.
    pub version: Option<i64>,
    pub at: Millis,
    pub by: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Promote,
    Rollback,
}

/// A bundle as it was authored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The manifest that it would have had.
    pub manifest: String,
    /// The signals that were kept of it, as they were written, in JSON.
    pub signals: String,
}

/// Why a bundle is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// Somebody published it.
    Authored(Base),
    /// Another model is live; `from` was before.
    Moved { to: Move, from: Option<i64> },
}

impl Action {
    /// The word that rows and documents use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Promote => "promote",
            Self::Rollback => "rollback",
        }
    }
}

/// The tables that hold them.
pub(crate) const TABLES: &str = concat!(
    table_of_scopes!(
        "models",
        "version INTEGER NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, digest TEXT NOT NULL,
        bytes INTEGER NOT NULL, score_in_page TEXT NOT NULL, at INTEGER NOT NULL, by TEXT NOT NULL",
        "version"
    ),
    table_of_scopes!(
        "model_moves",
        "number INTEGER NOT NULL, action TEXT NOT NULL, version INTEGER, at INTEGER NOT NULL, by TEXT NOT NULL",
        "number"
    ),
    table_of_scopes!(
        "bundle_bases",
        "one INTEGER NOT NULL CHECK (one = 1), manifest TEXT NOT NULL, signals TEXT NOT NULL",
        "one"
    )
);

impl ModelStore for SqliteRecords {
    fn add_model(&self, by: &Actor, scope: Scope, model: &NewModel) -> Result<i64, StoreError> {
        self.database.write(|transaction| {
            let NewModel { name, kind, digest, bytes, score_in_page, at } = model;
            let version: i64 = transaction.query_row(
                "INSERT INTO models (workspace, environment, version, name, kind, digest, bytes, score_in_page, at, by)
                 SELECT ?1, ?2, COALESCE(MAX(version), 0) + 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9 FROM models
                 WHERE workspace = ?1 AND environment = ?2 RETURNING version",
                params![scope.workspace, scope.environment, name, kind, digest.to_string(), *bytes as i64, word(*score_in_page), at, by.0],
                |row| row.get(0),
            )?;
            let told = json!({ "name": name, "kind": kind, "hash": digest.to_string(), "bytes": bytes });
            let change = Change::new(by, "model.add", format!("model {version}")).after(&told);
            append(transaction, scope, *at, change)?;
            Ok(version)
        })
    }

    fn models(&self, scope: Scope) -> Result<Vec<StoredModel>, StoreError> {
        let rows = self.database.rows(
            "SELECT version, name, kind, digest, bytes, score_in_page, at, by FROM models
             WHERE workspace = ?1 AND environment = ?2 ORDER BY version",
            params![scope.workspace, scope.environment],
            |row| {
                let (digest, place): (String, String) = (row.get(3)?, row.get(5)?);
                let (version, name, kind) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let (bytes, at, by): (i64, _, _) = (row.get(4)?, row.get(6)?, row.get(7)?);
                Ok(Sha256Digest::parse(&digest).zip(place_of(&place)).map(
                    |(digest, score_in_page)| {
                        let bytes = usize::try_from(bytes).unwrap_or_default();
                        let model = NewModel { name, kind, digest, bytes, score_in_page, at };
                        StoredModel { version, model, by }
                    },
                ))
            },
        )?;
        let known =
            |row: Option<_>| row.ok_or_else(|| StoreError::corrupt("model", "an unknown word"));
        rows.into_iter().map(known).collect()
    }

    fn moves(&self, scope: Scope) -> Result<Vec<Move>, StoreError> {
        self.database.rows(
            "SELECT action, version, at, by FROM model_moves
             WHERE workspace = ?1 AND environment = ?2 ORDER BY number",
            params![scope.workspace, scope.environment],
            |row| {
                let action: String = row.get(0)?;
                let action = if action == "promote" { Action::Promote } else { Action::Rollback };
                Ok(Move { action, version: row.get(1)?, at: row.get(2)?, by: row.get(3)? })
            },
        )
    }

    fn base(&self, scope: Scope) -> Result<Option<Base>, StoreError> {
        self.database.row(
            "SELECT manifest, signals FROM bundle_bases WHERE workspace = ?1 AND environment = ?2",
            params![scope.workspace, scope.environment],
            |row| Ok(Base { manifest: row.get(0)?, signals: row.get(1)? }),
        )
    }

    fn publish_with(
        &self,
        by: &Actor,
        scope: Scope,
        publication: &Publication,
        because: &Because,
    ) -> Result<i64, StoreError> {
        self.database.write(|transaction| {
            match because {
                Because::Authored(base) => {
                    transaction.execute(
                        "INSERT INTO bundle_bases (workspace, environment, one, manifest, signals) VALUES (?1, ?2, 1, ?3, ?4)
                         ON CONFLICT DO UPDATE SET manifest = excluded.manifest, signals = excluded.signals",
                        params![scope.workspace, scope.environment, base.manifest, base.signals],
                    )?;
                }
                Because::Moved { to, from } => moved(transaction, by, scope, to, *from)?,
            }
            insert_publication(transaction, by, scope, publication)
        })
    }
}

fn moved(
    transaction: &Transaction<'_>,
    by: &Actor,
    scope: Scope,
    to: &Move,
    from: Option<i64>,
) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO model_moves (workspace, environment, number, action, version, at, by)
         SELECT ?1, ?2, COALESCE(MAX(number), 0) + 1, ?3, ?4, ?5, ?6 FROM model_moves WHERE workspace = ?1 AND environment = ?2",
        params![scope.workspace, scope.environment, to.action.word(), to.version, to.at, to.by],
    )?;
    let (action, live) = match to.action {
        Action::Promote => ("model.promote", to.version),
        Action::Rollback => ("model.rollback", from),
    };
    let object = live.map_or_else(|| "model".to_owned(), |version| format!("model {version}"));
    let told = |version: Option<i64>| json!({ "live": version });
    let change = Change::new(by, action, object).before(&told(from)).after(&told(to.version));
    append(transaction, scope, to.at, change)
}

/// The word of a place where a model scores.
pub(super) fn word(place: ScoreInPage) -> String {
    serde_json::to_value(place)
        .ok()
        .and_then(|word| word.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn place_of(word: &str) -> Option<ScoreInPage> {
    serde_json::from_value(Value::from(word)).ok()
}
