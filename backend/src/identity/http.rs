//! Owner links, the session, and keys.

use super::credential::SESSION_COOKIE;
use super::service::SESSION_LIFE;
use super::store::Key;
use super::view::{
    IssuedKeyView, KeyView, KeysView, MembershipView, NewKeyWire, SessionView, SwitchWire,
};
use super::{
    Action, Caller, Environment, KeyTerms, Principal, Resource, Role, Scope, WorkspaceId,
    authorize, service,
};
use crate::app::{App, Shared};
use crate::error::{Problem, ProblemView, StoreError, blocking};
use crate::flags::PayloadKey;
use crate::request::{InPath, JsonBody};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Signs in whoever opens the link first, and leads to the live page. Who is signed in already gets
/// there by a spent link too.
#[utoipa::path(get, path = "/owner/{token}", tag = "identity", params(("token" = String, Path)),
    responses((status = 303, description = "signed in"), (status = 410, body = ProblemView)))]
pub async fn owner_link(
    State(app): State<Shared>,
    method: Method,
    caller: Caller,
    InPath(token): InPath<String>,
) -> Result<Response, Problem> {
    authorize(&Principal::anyone(), Action::RedeemLink, Resource::Public)?;
    // Mail and chat programs look at addresses before people do; looking must not spend the link.
    if method == Method::HEAD {
        return Err(Problem::Method(method.to_string()));
    }
    let secure = if app.public_url().starts_with("https:") { "; Secure" } else { "" };
    let leave: [(HeaderName, &str); 3] = [
        (header::LOCATION, "/live"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let session = match blocking(move || service::redeem_owner_link(&app, &token)).await {
        Err(Problem::LinkSpent) if caller.session.is_some() => {
            return Ok((StatusCode::SEE_OTHER, leave).into_response());
        }
        redeemed => redeemed?,
    };
    let cookie = format!(
        "{SESSION_COOKIE}={session}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{secure}",
        SESSION_LIFE / 1000
    );
    Ok((StatusCode::SEE_OTHER, leave, [(header::SET_COOKIE, cookie)]).into_response())
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
    let view = move |key: Key, app: &App, scope: Scope| -> Result<KeyView, StoreError> {
        let encrypts = key.terms.encrypt_payload && key.role == Role::Page;
        let payload_key = encrypts.then(|| PayloadKey::of(&*app.keys, scope, &key.shown));
        Ok(KeyView {
            id: key.id,
            name: key.name,
            role: key.role.word(),
            payload_key: payload_key.transpose()?.map(|key| key.shown()),
            shown: key.shown,
            terms: key.terms,
            created_at: key.created_at,
        })
    };
    let keys = blocking(move || {
        let keys = service::keys(&app, &permit)?.into_iter();
        keys.map(|key| view(key, &app, permit.scope())).collect::<Result<_, StoreError>>()
    });
    Ok(Json(KeysView { keys: keys.await? }))
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
    let issued =
        blocking(move || service::create_limited_key(&app, &permit, role, &new.name, new.terms));
    let issued = issued.await?;
    Ok((
        StatusCode::CREATED,
        Json(IssuedKeyView { id: issued.id, key: issued.key, role: issued.role.word() }),
    ))
}

/// Limits a key in use anew, from the next request on.
#[utoipa::path(put, path = "/v1/keys/{id}/terms", tag = "identity", params(("id" = String, Path)), request_body = KeyTerms,
    responses((status = 204, description = "changed"), (status = 400, body = ProblemView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView)))]
pub async fn change_key(
    State(app): State<Shared>,
    caller: Caller,
    InPath(id): InPath<String>,
    JsonBody(terms): JsonBody<KeyTerms>,
) -> Result<StatusCode, Problem> {
    let permit = authorize(&caller.principal, Action::ManageKeys, Resource::Own)?;
    blocking(move || service::change_key(&app, &permit, &id, &terms)).await?;
    Ok(StatusCode::NO_CONTENT)
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
