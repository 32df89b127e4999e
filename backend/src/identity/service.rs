//! Making workspaces, keys and owner links.

use super::authorize::{Actor, Permit, Role};
use super::ids::{Environment, Scope, WorkspaceId};
use super::store::{Key, NewKey, OwnerLink, Workspace};
use super::terms::KeyTerms;
use crate::app::App;
use crate::clock::{self, Millis};
use crate::error::{Problem, StoreError};
use crate::secret::{Sha256Digest, base32, random, token};

/// How long an owner link waits for its one use.
pub const OWNER_LINK_LIFE: Millis = 24 * 3_600_000;
/// How long a session lasts.
pub const SESSION_LIFE: Millis = 12 * 3_600_000;
const MAX_NAME: usize = 80;

/// A key as its maker gets it, once.
#[derive(Debug, Clone)]
pub struct IssuedKey {
    pub id: String,
    /// The key itself. A secret key is kept only as a digest: this is its only appearance.
    pub key: String,
    pub role: Role,
}

/// Adds a workspace. Only who holds the data directory may.
///
/// # Errors
/// Where it cannot be kept.
pub fn create_workspace(app: &App, name: &str) -> Result<WorkspaceId, StoreError> {
    let workspace =
        Workspace { id: WorkspaceId::generate()?, name: name.to_owned(), created_at: clock::now() };
    app.records.create_workspace(&Actor("operator".to_owned()), &workspace)?;
    Ok(workspace.id)
}

/// Every workspace, oldest first. Only who holds the data directory may ask.
///
/// # Errors
/// Where they cannot be read.
pub fn workspaces(app: &App) -> Result<Vec<WorkspaceId>, StoreError> {
    Ok(app.records.workspaces()?.into_iter().map(|workspace| workspace.id).collect())
}

/// Makes a key: public for [`Role::Page`], secret for every other role.
///
/// # Errors
/// [`Problem::Malformed`] for a name that is empty, long or would not show, or where it cannot be kept.
pub fn create_key(
    app: &App,
    permit: &Permit,
    role: Role,
    name: &str,
) -> Result<IssuedKey, Problem> {
    create_limited_key(app, permit, role, name, KeyTerms::default())
}

/// As [`create_key`], with limits.
///
/// # Errors
/// As [`create_key`], and [`Problem::Malformed`] for limits that make no sense.
pub fn create_limited_key(
    app: &App,
    permit: &Permit,
    role: Role,
    name: &str,
    terms: KeyTerms,
) -> Result<IssuedKey, Problem> {
    terms.check().map_err(|error| Problem::Malformed(error.to_string()))?;
    let name = name.trim();
    let length = name.chars().count();
    if !(1..=MAX_NAME).contains(&length) || name.contains(char::is_control) {
        return Err(Problem::Malformed(format!(
            "`name` must have 1 to {MAX_NAME} characters, none of them a control character"
        )));
    }
    let scope = permit.scope();
    let public = role == Role::Page;
    let environment = scope.environment.word();
    let key =
        token(&if public { format!("wk_{environment}_") } else { format!("sk_{environment}_") })
            .map_err(StoreError::from)?;
    let id = format!("key_{}", base32(&random::<10>().map_err(StoreError::from)?));
    let shown =
        if public { key.clone() } else { format!("{}…", key.get(..12).unwrap_or_default()) };
    let kept = NewKey {
        id: id.clone(),
        name: name.to_owned(),
        role,
        digest: Sha256Digest::of(key.as_bytes()),
        shown,
        terms,
        created_at: clock::now(),
    };
    app.records.create_key(permit.actor(), scope, &kept)?;
    Ok(IssuedKey { id, key, role })
}

/// The keys in use.
///
/// # Errors
/// Where they cannot be read.
pub fn keys(app: &App, permit: &Permit) -> Result<Vec<Key>, StoreError> {
    app.records.keys(permit.scope())
}

/// Limits a key in use anew.
///
/// # Errors
/// [`Problem::NotFound`] where the scope has no such key in use, [`Problem::Malformed`] for limits
/// that make no sense.
pub fn change_key(app: &App, permit: &Permit, id: &str, terms: &KeyTerms) -> Result<(), Problem> {
    terms.check().map_err(|error| Problem::Malformed(error.to_string()))?;
    let (actor, scope) = (permit.actor(), permit.scope());
    let changed = app.records.change_key(actor, scope, id, terms, clock::now())?;
    if changed { Ok(()) } else { Err(Problem::NotFound("key")) }
}

/// Takes a key out of use.
///
/// # Errors
/// [`Problem::NotFound`] where the scope has no such key in use.
pub fn revoke_key(app: &App, permit: &Permit, id: &str) -> Result<(), Problem> {
    let revoked = app.records.revoke_key(permit.actor(), permit.scope(), id, clock::now())?;
    if revoked { Ok(()) } else { Err(Problem::NotFound("key")) }
}

/// Makes a link that signs its first user in as owner of the workspaces.
///
/// # Errors
/// Where it cannot be kept.
pub fn create_owner_link(app: &App, workspaces: &[WorkspaceId]) -> Result<String, StoreError> {
    let token = token("ol_")?;
    let link = OwnerLink {
        digest: Sha256Digest::of(token.as_bytes()),
        workspaces: workspaces.to_vec(),
        expires_at: clock::now() + OWNER_LINK_LIFE,
    };
    app.records.create_owner_link(&Actor("operator".to_owned()), &link)?;
    Ok(format!("{}/owner/{token}", app.public_url()))
}

/// Spends an owner link; answers the session's token.
///
/// # Errors
/// [`Problem::LinkSpent`] where the link is unknown, used or expired.
pub fn redeem_owner_link(app: &App, link: &str) -> Result<String, Problem> {
    let session = token("se_").map_err(StoreError::from)?;
    let now = clock::now();
    let (link, digest) = (Sha256Digest::of(link.as_bytes()), Sha256Digest::of(session.as_bytes()));
    let redeemed = app.records.redeem_owner_link(link, digest, now, now + SESSION_LIFE)?;
    if redeemed { Ok(session) } else { Err(Problem::LinkSpent) }
}

/// Moves a session to another workspace of its person.
///
/// # Errors
/// [`Problem::NotFound`] where the person is no member of it.
pub fn switch_session(
    app: &App,
    session: Sha256Digest,
    workspace: WorkspaceId,
    environment: Environment,
) -> Result<(), Problem> {
    let switched = app.records.switch_session(session, Scope { workspace, environment })?;
    if switched { Ok(()) } else { Err(Problem::NotFound("workspace")) }
}
