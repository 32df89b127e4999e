//! Owner links, the session, and keys.

use super::credential::SESSION_COOKIE;
use super::service::SESSION_LIFE;
use super::view::{
    IssuedKeyView, KeyView, KeysView, MembershipView, NewKeyWire, SessionView, SwitchWire,
};
use super::{
    Action, Caller, Environment, Principal, Resource, Role, WorkspaceId, authorize, service,
};
use crate::app::Shared;
use crate::error::{Problem, ProblemView, blocking};
use crate::request::{InPath, JsonBody};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::IntoResponse;

/// Signs in whoever opens the link first, and leads to the live page.
#[utoipa::path(get, path = "/owner/{token}", tag = "identity", params(("token" = String, Path)),
    responses((status = 303, description = "signed in"), (status = 410, body = ProblemView)))]
pub async fn owner_link(
    State(app): State<Shared>,
    InPath(token): InPath<String>,
) -> Result<impl IntoResponse, Problem> {
    authorize(&Principal::anyone(), Action::RedeemLink, Resource::Public)?;
    let secure = if app.public_url().starts_with("https:") { "; Secure" } else { "" };
    let session = blocking(move || service::redeem_owner_link(&app, &token)).await?;
    let cookie = format!(
        "{SESSION_COOKIE}={session}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{secure}",
        SESSION_LIFE / 1000
    );
    let headers: [(HeaderName, String); 4] = [
        (header::SET_COOKIE, cookie),
        (header::LOCATION, "/live".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    Ok((StatusCode::SEE_OTHER, headers))
}

/// Says who is signed in and where they can go.
#[utoipa::path(get, path = "/v1/session", tag = "identity",
    responses((status = 200, body = SessionView), (status = 401, body = ProblemView), (status = 403, body = ProblemView)))]
pub async fn session(caller: Caller) -> Result<Json<SessionView>, Problem> {
    let scope = authorize(&caller.principal, Action::ReadSession, Resource::Own)?.scope();
    let workspaces = caller.session.iter().flat_map(|(session, _)| &session.workspaces).map(
        |(workspace, role)| MembershipView {
            id: workspace.id.to_string(),
            name: workspace.name.clone(),
            role: role.word(),
        },
    );
    Ok(Json(SessionView {
        workspace: scope.workspace.to_string(),
        environment: scope.environment,
        role: caller.principal.role.word(),
        expires_at: caller.session.as_ref().map(|(session, _)| session.expires_at),
        workspaces: workspaces.collect(),
    }))
}

/// Moves the session to another workspace of the same person.
#[utoipa::path(put, path = "/v1/session", tag = "identity", request_body = SwitchWire,
    responses((status = 204, description = "switched"), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView)))]
pub async fn switch(
    State(app): State<Shared>,
    caller: Caller,
    JsonBody(to): JsonBody<SwitchWire>,
) -> Result<StatusCode, Problem> {
    authorize(&caller.principal, Action::SwitchWorkspace, Resource::Own)?;
    let (_, digest) =
        caller.session.ok_or(Problem::NotFound("session; keys belong to one workspace"))?;
    let workspace: WorkspaceId =
        to.workspace.parse().map_err(|_| Problem::NotFound("workspace"))?;
    let environment = to.environment.unwrap_or(Environment::Live);
    blocking(move || service::switch_session(&app, digest, workspace, environment)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists the keys in use.
#[utoipa::path(get, path = "/v1/keys", tag = "identity",
    responses((status = 200, body = KeysView), (status = 401, body = ProblemView), (status = 403, body = ProblemView)))]
pub async fn keys(State(app): State<Shared>, caller: Caller) -> Result<Json<KeysView>, Problem> {
    let permit = authorize(&caller.principal, Action::ReadKeys, Resource::Own)?;
    let keys = blocking(move || service::keys(&app, &permit)).await?;
    let keys = keys.into_iter().map(|key| KeyView {
        id: key.id,
        name: key.name,
        role: key.role.word(),
        shown: key.shown,
        created_at: key.created_at,
    });
    Ok(Json(KeysView { keys: keys.collect() }))
}

/// Makes a key for the workspace and environment of the credential.
#[utoipa::path(post, path = "/v1/keys", tag = "identity", request_body = NewKeyWire,
    responses((status = 201, body = IssuedKeyView), (status = 400, body = ProblemView), (status = 401, body = ProblemView), (status = 403, body = ProblemView)))]
pub async fn create_key(
    State(app): State<Shared>,
    caller: Caller,
    JsonBody(new): JsonBody<NewKeyWire>,
) -> Result<(StatusCode, Json<IssuedKeyView>), Problem> {
    let permit = authorize(&caller.principal, Action::ManageKeys, Resource::Own)?;
    let role =
        if new.role == Role::Page.word() { Some(Role::Page) } else { Role::named(&new.role) };
    let role = role.ok_or_else(|| {
        Problem::Malformed(format!(
            "`role` must be page or one of {}",
            Role::GRANTABLE.map(Role::word).join(", ")
        ))
    })?;
    // Nobody hands out more than they hold: only an owner makes an owner.
    if role == Role::Owner && caller.principal.role != Role::Owner {
        return Err(Problem::Forbidden {
            role: caller.principal.role.word(),
            action: "make an owner's key",
        });
    }
    let issued = blocking(move || service::create_key(&app, &permit, role, &new.name)).await?;
    Ok((
        StatusCode::CREATED,
        Json(IssuedKeyView { id: issued.id, key: issued.key, role: issued.role.word() }),
    ))
}

/// Takes a key out of use at once.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "identity", params(("id" = String, Path)),
    responses((status = 204, description = "revoked"), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView)))]
pub async fn revoke_key(
    State(app): State<Shared>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<StatusCode, Problem> {
    let permit = authorize(&caller.principal, Action::ManageKeys, Resource::Own)?;
    blocking(move || service::revoke_key(&app, &permit, &id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
