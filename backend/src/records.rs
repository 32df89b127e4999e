//! The records port: what people and machines administer, and its SQLite adapter.

use crate::audit::AuditStore;
use crate::bundles::BundleStore;
use crate::error::StoreError;
use crate::experiments::{self, DefinitionStore, WeightStore};
use crate::identity::secrets::SecretStore;
use crate::identity::settings::SettingsStore;
use crate::identity::store::IdentityStore;
use crate::models::{self, ModelStore};
use crate::privacy::ErasureStore;
use crate::profiles::MergeStore;
use crate::profiles::given::{self, GivenStore};
use crate::sqlite::{Database, Durability};
use std::path::Path;

/// Everything that is administered. Each change writes its audit row in its own transaction.
pub trait Records:
    IdentityStore
    + SecretStore
    + SettingsStore
    + AuditStore
    + BundleStore
    + ErasureStore
    + MergeStore
    + GivenStore
    + DefinitionStore
    + WeightStore
    + ModelStore
{
}

impl<T> Records for T where
    T: IdentityStore
        + SecretStore
        + SettingsStore
        + AuditStore
        + BundleStore
        + ErasureStore
        + MergeStore
        + GivenStore
        + DefinitionStore
        + WeightStore
        + ModelStore
{
}

/// Records in one SQLite file.
pub struct SqliteRecords {
    pub(crate) database: Database,
}

impl SqliteRecords {
    /// Opens `records.db` in a directory that exists.
    ///
    /// # Errors
    /// Where the file cannot be opened, or belongs to a newer release.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        Ok(Self {
            database: Database::open(
                directory.join("records.db"),
                Durability::Synced,
                &[
                    VERSION_1,
                    VERSION_2,
                    VERSION_3,
                    given::TABLE,
                    experiments::TABLE,
                    experiments::LEARNT,
                    models::TABLES,
                ],
            )?,
        })
    }
}

const VERSION_1: &str = "
CREATE TABLE workspaces (id INTEGER PRIMARY KEY, name TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT;
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, created_at INTEGER NOT NULL) STRICT;
CREATE TABLE members (
    workspace INTEGER NOT NULL REFERENCES workspaces (id),
    person INTEGER NOT NULL REFERENCES people (id),
    role TEXT NOT NULL,
    PRIMARY KEY (workspace, person)
) STRICT, WITHOUT ROWID;
CREATE INDEX members_by_person ON members (person);
CREATE TABLE keys (
    workspace INTEGER NOT NULL REFERENCES workspaces (id),
    environment TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    digest BLOB NOT NULL UNIQUE,
    shown TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    PRIMARY KEY (workspace, environment, id)
) STRICT;
CREATE TABLE owner_links (
    digest BLOB NOT NULL,
    position INTEGER NOT NULL,
    workspace INTEGER NOT NULL REFERENCES workspaces (id),
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (digest, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE sessions (
    digest BLOB PRIMARY KEY,
    person INTEGER NOT NULL REFERENCES people (id),
    workspace INTEGER NOT NULL REFERENCES workspaces (id),
    environment TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE audit (
    workspace INTEGER NOT NULL,
    number INTEGER NOT NULL,
    environment TEXT NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    before TEXT,
    after TEXT,
    PRIMARY KEY (workspace, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE bundles (
    workspace INTEGER NOT NULL REFERENCES workspaces (id),
    environment TEXT NOT NULL,
    number INTEGER NOT NULL,
    manifest TEXT NOT NULL,
    signature BLOB NOT NULL,
    published_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, environment, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE erasures (
    workspace INTEGER NOT NULL REFERENCES workspaces (id),
    environment TEXT NOT NULL,
    subject BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (workspace, environment, subject)
) STRICT, WITHOUT ROWID;
";

const VERSION_2: &str = "
ALTER TABLE keys ADD COLUMN terms TEXT NOT NULL DEFAULT '{}';
CREATE TABLE settings (
    workspace INTEGER NOT NULL REFERENCES workspaces (id),
    environment TEXT NOT NULL,
    settings TEXT NOT NULL,
    PRIMARY KEY (workspace, environment)
) STRICT, WITHOUT ROWID;
CREATE TABLE identity_secrets (
    workspace INTEGER NOT NULL REFERENCES workspaces (id),
    environment TEXT NOT NULL,
    id TEXT NOT NULL,
    sealed BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, environment, id)
) STRICT, WITHOUT ROWID;
";

const VERSION_3: &str = "
CREATE TABLE merges (
    workspace INTEGER NOT NULL REFERENCES workspaces (id),
    environment TEXT NOT NULL,
    id TEXT NOT NULL,
    together INTEGER NOT NULL,
    one BLOB NOT NULL,
    other BLOB,
    at INTEGER NOT NULL,
    logged INTEGER NOT NULL,
    PRIMARY KEY (workspace, environment, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX merges_not_logged ON merges (at) WHERE NOT logged;
";
