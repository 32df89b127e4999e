//! Who was shown what, and what they did: a projection of the log, in a file of its own.

use crate::clock::Millis;
use crate::error::StoreError;
use crate::identity::{Scope, SubjectId};
use crate::log::Offset;
use crate::secret::Sha256Digest;
use crate::sqlite::{Database, Durability};
use rusqlite::params;
use serde_json::{Map, Value};
use std::path::Path;

/// Keeps exposures and conversions. An offset and its effect commit together.
pub trait ExposureStore: Send + Sync {
    /// Up to where the log of a scope went in, and what it was read for.
    fn reading(&self, scope: Scope) -> Result<Option<(Offset, Sha256Digest)>, StoreError>;
    /// Drops all of a scope, and begins its log again for something else.
    fn begin(&self, scope: Scope, reads: Sha256Digest) -> Result<(), StoreError>;
    /// Adds what was found up to a position.
    fn add(&self, scope: Scope, position: Offset, found: &Found) -> Result<(), StoreError>;
    /// The exposures to an experiment, in the order of subjects.
    fn exposures(&self, scope: Scope, experiment: &str) -> Result<Vec<Exposure>, StoreError>;
    /// What was done towards a goal, in the order of the log.
    fn conversions(&self, scope: Scope, goal: &str) -> Result<Vec<Conversion>, StoreError>;
    /// Who works here.
    fn staff(&self, scope: Scope) -> Result<Vec<SubjectId>, StoreError>;
    /// Drops what is about subjects.
    fn forget(&self, scope: Scope, subjects: &[SubjectId]) -> Result<(), StoreError>;
}

/// What some envelopes say.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Found {
    pub exposures: Vec<Exposure>,
    pub conversions: Vec<Conversion>,
    pub staff: Vec<SubjectId>,
}

/// Somebody was shown a variation, at first then.
#[derive(Debug, Clone, PartialEq)]
pub struct Exposure {
    pub experiment: String,
    pub variation: String,
    pub subject: SubjectId,
    pub at: Millis,
    /// Whether a program says that it is no person's browser.
    pub bot: bool,
    /// Whose chances it was shown with.
    pub leaf: Option<LeafSeen>,
    /// What was known of them then.
    pub context: Map<String, Value>,
}

/// What an exposure says of the bandit that it came of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeafSeen {
    pub version: i64,
    pub leaf: i64,
    /// The chance of what was shown, as the host says.
    pub propensity: f64,
}

/// Somebody did what is a goal.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversion {
    pub goal: String,
    pub subject: SubjectId,
    pub at: Millis,
    pub offset: Offset,
    /// What it was worth; 0 where the goal has no value.
    pub value: f64,
}

/// Exposures in `results.db`.
pub struct SqliteExposures {
    database: Database,
}

const VERSION_1: &str = "
CREATE TABLE readings (
    workspace INTEGER NOT NULL,
    environment TEXT NOT NULL,
    offset INTEGER NOT NULL,
    reads BLOB NOT NULL,
    PRIMARY KEY (workspace, environment)
) STRICT, WITHOUT ROWID;
CREATE TABLE exposures (
    workspace INTEGER NOT NULL,
    environment TEXT NOT NULL,
    experiment TEXT NOT NULL,
    subject BLOB NOT NULL,
    variation TEXT NOT NULL,
    at INTEGER NOT NULL,
    bot INTEGER NOT NULL,
    PRIMARY KEY (workspace, environment, experiment, subject, variation)
) STRICT, WITHOUT ROWID;
CREATE TABLE conversions (
    workspace INTEGER NOT NULL,
    environment TEXT NOT NULL,
    goal TEXT NOT NULL,
    offset INTEGER NOT NULL,
    subject BLOB NOT NULL,
    at INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (workspace, environment, goal, offset)
) STRICT, WITHOUT ROWID;
CREATE TABLE staff (
    workspace INTEGER NOT NULL,
    environment TEXT NOT NULL,
    subject BLOB NOT NULL,
    PRIMARY KEY (workspace, environment, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX exposures_by_subject ON exposures (workspace, environment, subject);
CREATE INDEX conversions_by_subject ON conversions (workspace, environment, subject);
";

/// Exposures of before are read again, as what is looked for says so (`Reads`).
const VERSION_2: &str = "
ALTER TABLE exposures ADD COLUMN bandit INTEGER;
ALTER TABLE exposures ADD COLUMN leaf INTEGER;
ALTER TABLE exposures ADD COLUMN propensity REAL;
ALTER TABLE exposures ADD COLUMN context TEXT NOT NULL DEFAULT '{}';
";

impl SqliteExposures {
    /// Opens `results.db` in a directory that exists.
    ///
    /// # Errors
    /// Where the file cannot be opened, or belongs to a newer release.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join("results.db");
        Ok(Self {
            database: Database::open(path, Durability::Rebuildable, &[VERSION_1, VERSION_2])?,
        })
    }
}

impl ExposureStore for SqliteExposures {
    fn reading(&self, scope: Scope) -> Result<Option<(Offset, Sha256Digest)>, StoreError> {
        let found = self.database.row(
            "SELECT offset, reads FROM readings WHERE workspace = ?1 AND environment = ?2",
            params![scope.workspace, scope.environment],
            |row| Ok((row.get(0)?, row.get::<_, [u8; 32]>(1)?)),
        )?;
        Ok(found.map(|(offset, reads)| (Offset(offset), Sha256Digest(reads))))
    }

    fn begin(&self, scope: Scope, reads: Sha256Digest) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            for table in ["exposures", "conversions", "staff"] {
                transaction.execute(
                    &format!("DELETE FROM {table} WHERE workspace = ?1 AND environment = ?2"),
                    params![scope.workspace, scope.environment],
                )?;
            }
            transaction.execute(
                "INSERT OR REPLACE INTO readings (workspace, environment, offset, reads) VALUES (?1, ?2, 0, ?3)",
                params![scope.workspace, scope.environment, reads.0],
            )?;
            Ok(())
        })
    }

    fn add(&self, scope: Scope, position: Offset, found: &Found) -> Result<(), StoreError> {
        let Scope { workspace, environment } = scope;
        self.database.write(|transaction| {
            let mut add = transaction.prepare_cached(
                "INSERT INTO exposures (workspace, environment, experiment, subject, variation, at, bot, bandit, leaf, propensity, context)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                 ON CONFLICT DO UPDATE SET bot = MAX(bot, excluded.bot)",
            )?;
            // Of several the first one decided.
            let mut earlier = transaction.prepare_cached(
                "UPDATE exposures SET at = ?6, bandit = ?7, leaf = ?8, propensity = ?9, context = ?10
                 WHERE workspace = ?1 AND environment = ?2 AND experiment = ?3 AND subject = ?4 AND variation = ?5 AND at > ?6",
            )?;
            for one in &found.exposures {
                let Exposure { experiment, variation, subject, at, bot, leaf, context } = one;
                let context = serde_json::to_string(context).unwrap_or_default();
                let (version, propensity) = (leaf.map(|leaf| leaf.version), leaf.map(|leaf| leaf.propensity));
                let leaf = leaf.map(|leaf| leaf.leaf);
                add.execute(params![
                    workspace, environment, experiment, subject, variation, at, bot, version, leaf, propensity, context
                ])?;
                earlier.execute(params![
                    workspace, environment, experiment, subject, variation, at, version, leaf, propensity, context
                ])?;
            }
            let mut add = transaction.prepare_cached(
                "INSERT OR REPLACE INTO conversions (workspace, environment, goal, offset, subject, at, value)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?;
            for one in &found.conversions {
                let Conversion { goal, subject, at, offset, value } = one;
                add.execute(params![workspace, environment, goal, offset.0, subject, at, value])?;
            }
            let mut add = transaction.prepare_cached(
                "INSERT OR IGNORE INTO staff (workspace, environment, subject) VALUES (?1, ?2, ?3)",
            )?;
            for subject in &found.staff {
                add.execute(params![workspace, environment, subject])?;
            }
            transaction.execute(
                "UPDATE readings SET offset = ?3 WHERE workspace = ?1 AND environment = ?2",
                params![workspace, environment, position.0],
            )?;
            Ok(())
        })
    }

    fn exposures(&self, scope: Scope, experiment: &str) -> Result<Vec<Exposure>, StoreError> {
        self.database.rows(
            "SELECT variation, subject, at, bot, bandit, leaf, propensity, context FROM exposures
             WHERE workspace = ?1 AND environment = ?2 AND experiment = ?3 ORDER BY subject, at",
            params![scope.workspace, scope.environment, experiment],
            |row| {
                Ok(Exposure {
                    experiment: experiment.to_owned(),
                    variation: row.get(0)?,
                    subject: row.get(1)?,
                    at: row.get(2)?,
                    bot: row.get(3)?,
                    leaf: match (row.get(4)?, row.get(5)?, row.get(6)?) {
                        (Some(version), Some(leaf), Some(propensity)) => {
                            Some(LeafSeen { version, leaf, propensity })
                        }
                        _ => None,
                    },
                    context: serde_json::from_str(&row.get::<_, String>(7)?).unwrap_or_default(),
                })
            },
        )
    }

    fn conversions(&self, scope: Scope, goal: &str) -> Result<Vec<Conversion>, StoreError> {
        self.database.rows(
            "SELECT subject, at, offset, value FROM conversions
             WHERE workspace = ?1 AND environment = ?2 AND goal = ?3 ORDER BY offset",
            params![scope.workspace, scope.environment, goal],
            |row| {
                Ok(Conversion {
                    goal: goal.to_owned(),
                    subject: row.get(0)?,
                    at: row.get(1)?,
                    offset: Offset(row.get(2)?),
                    value: row.get(3)?,
                })
            },
        )
    }

    fn staff(&self, scope: Scope) -> Result<Vec<SubjectId>, StoreError> {
        self.database.rows(
            "SELECT subject FROM staff WHERE workspace = ?1 AND environment = ?2 ORDER BY subject",
            params![scope.workspace, scope.environment],
            |row| row.get(0),
        )
    }

    fn forget(&self, scope: Scope, subjects: &[SubjectId]) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            for subject in subjects {
                for table in ["exposures", "conversions", "staff"] {
                    transaction.execute(
                        &format!("DELETE FROM {table} WHERE workspace = ?1 AND environment = ?2 AND subject = ?3"),
                        params![scope.workspace, scope.environment, subject],
                    )?;
                }
            }
            Ok(())
        })
    }
}
