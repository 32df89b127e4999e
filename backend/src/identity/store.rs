//! Workspaces, people, keys, owner links and sessions at rest.

use super::{Actor, KeyTerms, Principal, Role, Scope, WorkspaceId};
use crate::audit::{Change, append};
use crate::clock::Millis;
use crate::error::StoreError;
use crate::records::SqliteRecords;
use crate::secret::Sha256Digest;
use rusqlite::{OptionalExtension, Row, Transaction, params};

/// Keeps who may come in. Secrets arrive as digests; no method can give one back.
pub trait IdentityStore: Send + Sync {
    /// Adds a workspace.
    fn create_workspace(&self, by: &Actor, workspace: &Workspace) -> Result<(), StoreError>;
    /// The workspace of that id.
    fn workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError>;
    /// Every workspace, oldest first: for the operator only.
    fn workspaces(&self) -> Result<Vec<Workspace>, StoreError>;
    /// Adds a key.
    fn create_key(&self, by: &Actor, scope: Scope, key: &NewKey) -> Result<(), StoreError>;
    /// The keys of a scope that still work, oldest first.
    fn keys(&self, scope: Scope) -> Result<Vec<Key>, StoreError>;
    /// Limits a key in use anew; `false` where the scope has no such key.
    fn change_key(
        &self,
        by: &Actor,
        scope: Scope,
        id: &str,
        terms: &KeyTerms,
        at: Millis,
    ) -> Result<bool, StoreError>;
    /// Takes a key out of use; `false` where the scope has no such key in use.
    fn revoke_key(
        &self,
        by: &Actor,
        scope: Scope,
        id: &str,
        at: Millis,
    ) -> Result<bool, StoreError>;
    /// Who holds the key with that digest, if it is in use.
    fn key_holder(&self, digest: Sha256Digest) -> Result<Option<Principal>, StoreError>;
    /// Adds a link that makes its first user the owner of `workspaces`.
    fn create_owner_link(&self, by: &Actor, link: &OwnerLink) -> Result<(), StoreError>;
    /// Spends a link and opens a session on its first workspace; `false` where the link is spent or expired.
    fn redeem_owner_link(
        &self,
        link: Sha256Digest,
        session: Sha256Digest,
        at: Millis,
        until: Millis,
    ) -> Result<bool, StoreError>;
    /// The session with that digest, if it has not expired.
    fn session(&self, digest: Sha256Digest, at: Millis) -> Result<Option<Session>, StoreError>;
    /// Moves a session to another workspace that its person is a member of; `false` where they are not.
    fn switch_session(&self, digest: Sha256Digest, to: Scope) -> Result<bool, StoreError>;
}

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    pub id: WorkspaceId,
    pub name: String,
    pub created_at: Millis,
}

/// A key to be kept.
#[derive(Debug, Clone)]
pub struct NewKey {
    pub id: String,
    pub name: String,
    pub role: Role,
    pub digest: Sha256Digest,
    /// The whole of a write key, which is public; the first letters of a secret one.
    pub shown: String,
    pub terms: KeyTerms,
    pub created_at: Millis,
}

/// A key in use.
#[derive(Debug, Clone)]
pub struct Key {
    pub id: String,
    pub name: String,
    pub role: Role,
    pub shown: String,
    pub terms: KeyTerms,
    pub created_at: Millis,
}

/// A link to be kept.
#[derive(Debug, Clone)]
pub struct OwnerLink {
    pub digest: Sha256Digest,
    pub workspaces: Vec<WorkspaceId>,
    pub expires_at: Millis,
}

/// Somebody signed in.
#[derive(Debug, Clone)]
pub struct Session {
    pub principal: Principal,
    pub expires_at: Millis,
    /// The workspaces that the person is a member of.
    pub workspaces: Vec<(Workspace, Role)>,
}

impl IdentityStore for SqliteRecords {
    fn create_workspace(&self, by: &Actor, workspace: &Workspace) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            transaction.execute(
                "INSERT INTO workspaces (id, name, created_at) VALUES (?1, ?2, ?3)",
                params![workspace.id, workspace.name, workspace.created_at],
            )?;
            let change = Change::new(by, "workspace.create", workspace.id.to_string())
                .after(&serde_json::json!({ "name": workspace.name }));
            append(transaction, Scope::live(workspace.id), workspace.created_at, change)
        })
    }

    fn workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError> {
        let sql = "SELECT id, name, created_at FROM workspaces WHERE id = ?1";
        self.database.row(sql, [id], workspace_row)
    }

    fn workspaces(&self) -> Result<Vec<Workspace>, StoreError> {
        let sql = "SELECT id, name, created_at FROM workspaces ORDER BY created_at, id";
        self.database.rows(sql, [], workspace_row)
    }

    fn create_key(&self, by: &Actor, scope: Scope, key: &NewKey) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            transaction.execute(
                "INSERT INTO keys (workspace, environment, id, name, role, digest, shown, terms, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                params![scope.workspace, scope.environment, key.id, key.name, key.role.word(), key.digest.0, key.shown, text(&key.terms)?, key.created_at],
            )?;
            let after = serde_json::json!({ "name": key.name, "role": key.role.word(), "environment": scope.environment, "terms": key.terms });
            append(transaction, scope, key.created_at, Change::new(by, "key.create", key.id.clone()).after(&after))
        })
    }

    fn keys(&self, scope: Scope) -> Result<Vec<Key>, StoreError> {
        self.database.rows(
            "SELECT id, name, role, shown, created_at, terms FROM keys
             WHERE workspace = ?1 AND environment = ?2 AND revoked_at IS NULL ORDER BY created_at, id",
            params![scope.workspace, scope.environment],
            key_row,
        )
    }

    fn change_key(
        &self,
        by: &Actor,
        scope: Scope,
        id: &str,
        terms: &KeyTerms,
        at: Millis,
    ) -> Result<bool, StoreError> {
        self.database.write(|transaction| {
            let found = transaction
                .prepare_cached(
                    "SELECT terms FROM keys WHERE workspace = ?1 AND environment = ?2 AND id = ?3 AND revoked_at IS NULL",
                )?
                .query_row(params![scope.workspace, scope.environment, id], |row| terms_column(row, 0))
                .optional()?;
            let Some(before) = found else { return Ok(false) };
            transaction.execute(
                "UPDATE keys SET terms = ?4 WHERE workspace = ?1 AND environment = ?2 AND id = ?3",
                params![scope.workspace, scope.environment, id, text(terms)?],
            )?;
            let json = |terms| serde_json::json!({ "terms": terms });
            let change = Change::new(by, "key.change", id.to_owned());
            append(transaction, scope, at, change.before(&json(&before)).after(&json(terms)))?;
            Ok(true)
        })
    }

    fn revoke_key(
        &self,
        by: &Actor,
        scope: Scope,
        id: &str,
        at: Millis,
    ) -> Result<bool, StoreError> {
        self.database.write(|transaction| {
            let revoked = transaction.execute(
                "UPDATE keys SET revoked_at = ?4 WHERE workspace = ?1 AND environment = ?2 AND id = ?3 AND revoked_at IS NULL",
                params![scope.workspace, scope.environment, id, at],
            )?;
            if revoked > 0 {
                let (before, after) = (serde_json::json!({ "inUse": true }), serde_json::json!({ "inUse": false }));
                append(transaction, scope, at, Change::new(by, "key.revoke", id.to_owned()).before(&before).after(&after))?;
            }
            Ok(revoked > 0)
        })
    }

    fn key_holder(&self, digest: Sha256Digest) -> Result<Option<Principal>, StoreError> {
        let sql = "SELECT workspace, environment, id, role, terms FROM keys WHERE digest = ?1 AND revoked_at IS NULL";
        self.database.row(sql, [digest.0], |row| {
            Ok(Principal {
                actor: Actor(format!("key {}", row.get::<_, String>(2)?)),
                role: role_column(row, 3)?,
                scope: Some(Scope::in_row(row, 0)?),
                terms: terms_column(row, 4)?,
            })
        })
    }

    fn create_owner_link(&self, by: &Actor, link: &OwnerLink) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            for (position, workspace) in (0_i64..).zip(&link.workspaces) {
                transaction.execute(
                    "INSERT INTO owner_links (digest, position, workspace, expires_at) VALUES (?1, ?2, ?3, ?4)",
                    params![link.digest.0, position, workspace, link.expires_at],
                )?;
                let after = serde_json::json!({ "expiresAt": link.expires_at });
                append(transaction, Scope::live(*workspace), crate::clock::now(), Change::new(by, "owner_link.create", workspace.to_string()).after(&after))?;
            }
            Ok(())
        })
    }

    fn redeem_owner_link(
        &self,
        link: Sha256Digest,
        session: Sha256Digest,
        at: Millis,
        until: Millis,
    ) -> Result<bool, StoreError> {
        self.database.write(|transaction| {
            let workspaces: Vec<WorkspaceId> = transaction
                .prepare_cached("DELETE FROM owner_links WHERE digest = ?1 AND expires_at > ?2 RETURNING workspace, position")?
                .query_map(params![link.0, at], |row| Ok((row.get::<_, i64>(1)?, row.get(0)?)))?
                .collect::<Result<std::collections::BTreeMap<_, _>, _>>()?
                .into_values()
                .collect();
            let Some(first) = workspaces.first() else { return Ok(false) };
            transaction.execute("INSERT INTO people (name, created_at) VALUES ('owner', ?1)", [at])?;
            let person = transaction.last_insert_rowid();
            for workspace in &workspaces {
                transaction.execute("INSERT INTO members (workspace, person, role) VALUES (?1, ?2, 'owner')", params![workspace, person])?;
                let change = Change::new(&person_actor(person), "member.join", format!("person {person}")).after(&serde_json::json!({ "role": "owner" }));
                append(transaction, Scope::live(*workspace), at, change)?;
            }
            transaction.execute(
                "INSERT INTO sessions (digest, person, workspace, environment, expires_at) VALUES (?1, ?2, ?3, 'live', ?4)",
                params![session.0, person, first, until],
            )?;
            transaction.execute("DELETE FROM sessions WHERE expires_at <= ?1", [at])?;
            Ok(true)
        })
    }

    fn session(&self, digest: Sha256Digest, at: Millis) -> Result<Option<Session>, StoreError> {
        self.database.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT s.workspace, s.environment, s.person, m.role, s.expires_at FROM sessions s
                 JOIN members m ON m.workspace = s.workspace AND m.person = s.person
                 WHERE s.digest = ?1 AND s.expires_at > ?2",
            )?;
            let found = statement.query_row(params![digest.0, at], |row| {
                let scope = Scope::in_row(row, 0)?;
                let person: i64 = row.get(2)?;
                let principal = Principal { actor: person_actor(person), role: role_column(row, 3)?, scope: Some(scope), terms: KeyTerms::default() };
                Ok((Session { principal, expires_at: row.get(4)?, workspaces: Vec::new() }, person))
            });
            let Some((mut session, person)) = found.optional()? else { return Ok(None) };
            let mut statement = connection.prepare_cached(
                "SELECT w.id, w.name, w.created_at, m.role FROM members m JOIN workspaces w ON w.id = m.workspace
                 WHERE m.person = ?1 ORDER BY w.created_at, w.id",
            )?;
            let rows = statement.query_map([person], |row| Ok((workspace_row(row)?, role_column(row, 3)?)))?;
            session.workspaces = rows.collect::<Result<_, _>>()?;
            Ok(Some(session))
        })
    }

    fn switch_session(&self, digest: Sha256Digest, to: Scope) -> Result<bool, StoreError> {
        self.database.write(|transaction: &Transaction<'_>| {
            let switched = transaction.execute(
                "UPDATE sessions SET workspace = ?2, environment = ?3
                 WHERE digest = ?1 AND EXISTS (SELECT 1 FROM members m WHERE m.workspace = ?2 AND m.person = sessions.person)",
                params![digest.0, to.workspace, to.environment],
            )?;
            Ok(switched > 0)
        })
    }
}

fn person_actor(person: i64) -> Actor {
    Actor(format!("person {person}"))
}

fn workspace_row(row: &Row<'_>) -> rusqlite::Result<Workspace> {
    Ok(Workspace { id: row.get(0)?, name: row.get(1)?, created_at: row.get(2)? })
}

fn key_row(row: &Row<'_>) -> rusqlite::Result<Key> {
    Ok(Key {
        id: row.get(0)?,
        name: row.get(1)?,
        role: role_column(row, 2)?,
        shown: row.get(3)?,
        created_at: row.get(4)?,
        terms: terms_column(row, 5)?,
    })
}

fn text(terms: &KeyTerms) -> Result<String, StoreError> {
    serde_json::to_string(terms).map_err(|error| StoreError::corrupt("key", error))
}

/// Limits that this release cannot read are not taken for none.
fn terms_column(row: &Row<'_>, index: usize) -> rusqlite::Result<KeyTerms> {
    let text: String = row.get(index)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, error.into())
    })
}

/// A role that this release does not know opens nothing.
fn role_column(row: &Row<'_>, index: usize) -> rusqlite::Result<Role> {
    let word: String = row.get(index)?;
    Ok(match word.as_str() {
        "page" => Role::Page,
        word => Role::named(word).unwrap_or(Role::Anyone),
    })
}
