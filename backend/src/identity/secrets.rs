//! Identity secrets: with one, a customer's server proves who its visitors are. Two are valid at a
//! time, so that one can take the other's place without a moment in which nobody is believed.

use super::{Action, Actor, Caller, Permit, Resource, Scope, authorize};
use crate::app::{App, Shared};
use crate::audit::{Change, append};
use crate::clock::{self, Millis};
use crate::error::{Problem, ProblemView, StoreError, blocking};
use crate::records::SqliteRecords;
use crate::request::InPath;
use crate::seal::SecretKey;
use crate::secret::{base32, random, token};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rusqlite::params;
use serde::Serialize;
use utoipa::ToSchema;

/// So many secrets are valid at a time; a new one ends the oldest.
pub const VALID: usize = 2;

/// Keeps secrets, sealed.
pub trait SecretStore: Send + Sync {
    /// Adds a secret and ends all but the newest [`VALID`].
    fn add_secret(&self, by: &Actor, scope: Scope, secret: &SealedSecret)
    -> Result<(), StoreError>;
    /// The valid secrets, newest first.
    fn secrets(&self, scope: Scope) -> Result<Vec<SealedSecret>, StoreError>;
    /// Ends a secret; `false` where the scope has no such.
    fn end_secret(
        &self,
        by: &Actor,
        scope: Scope,
        id: &str,
        at: Millis,
    ) -> Result<bool, StoreError>;
}

/// A secret under a key of its workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    pub id: String,
    pub sealed: Vec<u8>,
    pub created_at: Millis,
}

impl SecretStore for SqliteRecords {
    fn add_secret(
        &self,
        by: &Actor,
        scope: Scope,
        secret: &SealedSecret,
    ) -> Result<(), StoreError> {
        let SealedSecret { id, sealed, created_at } = secret;
        self.database.write(|transaction| {
            transaction.execute(
                "INSERT INTO identity_secrets (workspace, environment, id, sealed, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![scope.workspace, scope.environment, id, sealed, created_at],
            )?;
            append(transaction, scope, *created_at, Change::new(by, "identity_secret.create", id.clone()))?;
            let ended: Vec<String> = transaction
                .prepare_cached(
                    "DELETE FROM identity_secrets WHERE workspace = ?1 AND environment = ?2 AND id NOT IN (
                        SELECT id FROM identity_secrets WHERE workspace = ?1 AND environment = ?2 ORDER BY created_at DESC, id = ?4 DESC LIMIT ?3
                     ) RETURNING id",
                )?
                .query_map(params![scope.workspace, scope.environment, VALID as i64, id], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            for id in ended {
                append(transaction, scope, *created_at, Change::new(by, "identity_secret.end", id))?;
            }
            Ok(())
        })
    }

    fn secrets(&self, scope: Scope) -> Result<Vec<SealedSecret>, StoreError> {
        self.database.rows(
            "SELECT id, sealed, created_at FROM identity_secrets WHERE workspace = ?1 AND environment = ?2 ORDER BY created_at DESC",
            params![scope.workspace, scope.environment],
            |row| Ok(SealedSecret { id: row.get(0)?, sealed: row.get(1)?, created_at: row.get(2)? }),
        )
    }

    fn end_secret(
        &self,
        by: &Actor,
        scope: Scope,
        id: &str,
        at: Millis,
    ) -> Result<bool, StoreError> {
        self.database.write(|transaction| {
            let ended = transaction.execute(
                "DELETE FROM identity_secrets WHERE workspace = ?1 AND environment = ?2 AND id = ?3",
                params![scope.workspace, scope.environment, id],
            )?;
            if ended > 0 {
                append(transaction, scope, at, Change::new(by, "identity_secret.end", id.to_owned()))?;
            }
            Ok(ended > 0)
        })
    }
}

/// Makes a secret; it is shown here and never again.
///
/// # Errors
/// Where it cannot be kept.
pub fn create(app: &App, permit: &Permit) -> Result<IssuedSecretView, StoreError> {
    let scope = permit.scope();
    let secret = token(&format!("is_{}_", scope.environment.word()))?;
    let id = format!("secret_{}", base32(&random::<10>()?));
    let sealed = sealing_key(app, scope)?.seal(id.as_bytes(), secret.as_bytes())?;
    let kept = SealedSecret { id: id.clone(), sealed, created_at: clock::now() };
    app.records.add_secret(permit.actor(), scope, &kept)?;
    Ok(IssuedSecretView { id, secret })
}

/// The valid secrets of a scope, opened.
///
/// # Errors
/// Where they cannot be read.
pub fn valid(app: &App, scope: Scope) -> Result<Vec<Vec<u8>>, StoreError> {
    let secrets = app.records.secrets(scope)?;
    if secrets.is_empty() {
        return Ok(Vec::new());
    }
    let key = sealing_key(app, scope)?;
    let opened = secrets.iter().map(|secret| key.open(secret.id.as_bytes(), &secret.sealed));
    opened.collect::<Result<_, _>>().map_err(|error| StoreError::corrupt("identity secret", error))
}

fn sealing_key(app: &App, scope: Scope) -> Result<SecretKey, StoreError> {
    Ok(app.keys.workspace_key(scope.workspace)?.derive("identity secrets", &scope.to_bytes()))
}

/// A new secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct IssuedSecretView {
    id: String,
    /// What identity tokens are signed with. Shown here and never again; it belongs on a server, never in a page.
    secret: String,
}

/// A valid secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretView {
    id: String,
    /// Milliseconds since 1970-01-01 UTC.
    created_at: Millis,
}

/// The valid secrets, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecretsView {
    secrets: Vec<SecretView>,
}

/// Lists the valid identity secrets, without the secrets themselves.
#[utoipa::path(get, path = "/v1/identity-secrets", tag = "identity",
    responses((status = 200, body = SecretsView), (status = 401, body = ProblemView), (status = 403, body = ProblemView)))]
pub async fn list(State(app): State<Shared>, caller: Caller) -> Result<Json<SecretsView>, Problem> {
    let scope = authorize(&caller.principal, Action::ManageIdentitySecrets, Resource::Own)?.scope();
    let secrets = blocking(move || app.records.secrets(scope)).await?.into_iter();
    let secrets = secrets.map(|SealedSecret { id, created_at, .. }| SecretView { id, created_at });
    Ok(Json(SecretsView { secrets: secrets.collect() }))
}

/// Makes an identity secret. The newest two are valid: make one, put it into use, and the next one
/// ends the old.
#[utoipa::path(post, path = "/v1/identity-secrets", tag = "identity",
    responses((status = 201, body = IssuedSecretView), (status = 401, body = ProblemView), (status = 403, body = ProblemView)))]
pub async fn make(
    State(app): State<Shared>,
    caller: Caller,
) -> Result<(StatusCode, Json<IssuedSecretView>), Problem> {
    let permit = authorize(&caller.principal, Action::ManageIdentitySecrets, Resource::Own)?;
    let issued = blocking(move || create(&app, &permit)).await?;
    Ok((StatusCode::CREATED, Json(issued)))
}

/// Ends an identity secret at once.
#[utoipa::path(delete, path = "/v1/identity-secrets/{id}", tag = "identity", params(("id" = String, Path)),
    responses((status = 204, description = "ended"), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView)))]
pub async fn end(
    State(app): State<Shared>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<StatusCode, Problem> {
    let permit = authorize(&caller.principal, Action::ManageIdentitySecrets, Resource::Own)?;
    let ended = move || app.records.end_secret(permit.actor(), permit.scope(), &id, clock::now());
    if blocking(ended).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::NotFound("identity secret"))
    }
}
