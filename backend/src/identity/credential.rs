//! From a request to who sent it: the one extractor.

use super::WorkspaceId;
use super::authorize::{Principal, Role};
use super::store::Session;
use crate::app::{App, Shared};
use crate::clock;
use crate::error::{Problem, StoreError, blocking};
use crate::secret::Sha256Digest;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::time::Duration;

/// The name of the session's cookie.
pub const SESSION_COOKIE: &str = "rapport_session";
/// A revoked key or an ended session hears nothing after this long.
const DISTRUST: Duration = Duration::from_secs(2);
/// Longer credentials are no credentials.
const MAX_CREDENTIAL: usize = 128;

/// Who sent a request. A request without a credential comes from [`Principal::anyone`];
/// one with a bad credential is refused before any handler runs.
#[derive(Debug, Clone)]
pub struct Caller {
    pub principal: Principal,
    /// The session and its digest, where the credential was a cookie.
    pub session: Option<(Session, Sha256Digest)>,
    /// The digest of the key, where the credential was one.
    key: Option<Sha256Digest>,
}

/// A key, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Credential {
    /// Public or secret.
    InHeader(String),
    /// Addresses are logged: only a public write key counts there.
    InUrl(String),
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        if let Some(credential) = key(&parts.headers, &parts.uri)? {
            return Self::of_credential(app, credential).await;
        }
        let Some(token) = session_token(&parts.headers) else { return Ok(Self::anyone()) };
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            refuse_foreign_origin(&parts.headers, app)?;
        }
        Self::of_session(app, token).await
    }
}

/// Who sent a request that pages of any site send: only keys count. A browser adds the cookies of
/// somebody who is signed in here to what a website sends; they say nothing about the website.
#[derive(Debug, Clone)]
pub struct Sender(Caller);

impl FromRequestParts<Shared> for Sender {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        match key(&parts.headers, &parts.uri)? {
            Some(credential) => Caller::of_credential(app, credential).await.map(Self),
            None => Ok(Self(Caller::anyone())),
        }
    }
}

impl Sender {
    /// The sender, as far as header and address tell.
    pub const fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// The sender, by the key in the body where no header or address carries one.
    ///
    /// # Errors
    /// [`Problem::BadCredential`] where the key in the body is no write key.
    pub async fn or_key(self, app: &Shared, key: Option<&str>) -> Result<Principal, Problem> {
        match key {
            Some(key) if self.0.principal.role == Role::Anyone => {
                Caller::of_write_key(app, key).await.map(|caller| caller.principal)
            }
            _ => Ok(self.0.principal),
        }
    }
}

impl Caller {
    fn anyone() -> Self {
        Self { principal: Principal::anyone(), session: None, key: None }
    }

    /// Whether the credential still opens the workspace: answers that last outlive revoked keys.
    ///
    /// # Errors
    /// Where the records cannot be read.
    pub fn still_opens(&self, app: &App, workspace: WorkspaceId) -> Result<bool, StoreError> {
        if let Some(key) = self.key {
            return Ok(app.records.key_holder(key)?.is_some());
        }
        let Some((_, digest)) = self.session else { return Ok(false) };
        let session = app.records.session(digest, clock::now())?;
        let mut workspaces = session.iter().flat_map(|session| &session.workspaces);
        Ok(workspaces.any(|(known, _)| known.id == workspace))
    }

    /// Returns when the credential opens the workspace no longer, give or take two seconds.
    pub async fn revoked(&self, app: &Shared, workspace: WorkspaceId) {
        let mut look_again = tokio::time::interval(DISTRUST);
        loop {
            look_again.tick().await;
            let (app, caller) = (app.clone(), self.clone());
            let answer = blocking(move || caller.still_opens(&app, workspace)).await;
            if !answer.inspect_err(|error| tracing::error!(%error, "a stream")).unwrap_or(false) {
                return;
            }
        }
    }

    async fn of_credential(app: &Shared, credential: Credential) -> Result<Self, Problem> {
        match credential {
            Credential::InHeader(key) => Self::of_key(app, key, false).await,
            Credential::InUrl(key) => Self::of_key(app, key, true).await,
        }
    }

    /// The holder of a key that stands in a path or a body, where only public write keys count.
    ///
    /// # Errors
    /// [`Problem::BadCredential`] for any other key.
    pub async fn of_write_key(app: &Shared, key: &str) -> Result<Self, Problem> {
        Self::of_key(app, key.to_owned(), true).await
    }

    async fn of_key(app: &Shared, key: String, public_only: bool) -> Result<Self, Problem> {
        if key.len() > MAX_CREDENTIAL {
            return Err(Problem::BadCredential);
        }
        let app = app.clone();
        let digest = Sha256Digest::of(key.as_bytes());
        let principal = blocking(move || app.records.key_holder(digest))
            .await?
            .ok_or(Problem::BadCredential)?;
        if public_only && principal.role != Role::Page {
            return Err(Problem::BadCredential);
        }
        Ok(Self { principal, session: None, key: Some(digest) })
    }

    /// Who is signed in with that token.
    async fn of_session(app: &Shared, token: &str) -> Result<Self, Problem> {
        let digest = Sha256Digest::of(token.as_bytes());
        let app = app.clone();
        let session = blocking(move || app.records.session(digest, clock::now())).await?;
        // A stale cookie must not lock its browser out of what is public.
        Ok(match session {
            Some(session) => Self {
                principal: session.principal.clone(),
                session: Some((session, digest)),
                key: None,
            },
            None => Self::anyone(),
        })
    }
}

fn key(headers: &HeaderMap, uri: &Uri) -> Result<Option<Credential>, Problem> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let value = value.to_str().map_err(|_| Problem::BadCredential)?;
        let (scheme, rest) = value.split_once(' ').ok_or(Problem::BadCredential)?;
        let key = match scheme.to_ascii_lowercase().as_str() {
            "bearer" => Some(rest.trim().to_owned()),
            // Segment's libraries send the write key as the user's name, without a password.
            "basic" => basic_user(rest.trim()),
            _ => None,
        };
        return key.map(|key| Some(Credential::InHeader(key))).ok_or(Problem::BadCredential);
    }
    if let Some(value) = headers.get("x-api-key") {
        let key = value.to_str().map_err(|_| Problem::BadCredential)?;
        return Ok(Some(Credential::InHeader(key.trim().to_owned())));
    }
    let mut pairs = uri.query().unwrap_or_default().split('&');
    let key = pairs.find_map(|pair| pair.strip_prefix("key="));
    Ok(key.map(|key| Credential::InUrl(key.to_owned())))
}

fn session_token(headers: &HeaderMap) -> Option<&str> {
    cookie(headers, SESSION_COOKIE).filter(|value| value.len() <= MAX_CREDENTIAL)
}

/// The first cookie of that name.
pub fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|value| value.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == wanted).then_some(value)
    })
}

/// The names of cookies, as many as any browser has for a host.
pub fn cookie_names(headers: &HeaderMap) -> Vec<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let names = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    names.map(|(name, _)| name.trim().to_owned()).take(180).collect()
}

fn basic_user(encoded: &str) -> Option<String> {
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    let (user, _) = decoded.split_once(':')?;
    Some(user.to_owned())
}

/// A browser adds cookies to requests that other sites make; those must not change anything.
fn refuse_foreign_origin(headers: &HeaderMap, app: &App) -> Result<(), Problem> {
    let text =
        |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    let Some(origin) = text(header::ORIGIN) else {
        return Err(Problem::ForeignOrigin("a session needs the header `Origin` to change things"));
    };
    let own_host = text(header::HOST)
        .is_some_and(|host| origin.split_once("://").is_some_and(|(_, rest)| rest == host));
    if own_host || origin == app.public_url() {
        Ok(())
    } else {
        Err(Problem::ForeignOrigin("its `Origin` is not this server"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_a_header_counts_before_one_in_the_address() {
        let read = |authorization: Option<&str>, uri: &str| {
            let mut headers = HeaderMap::new();
            authorization
                .map(|value| headers.insert(header::AUTHORIZATION, value.parse().unwrap()));
            key(&headers, &uri.parse().unwrap()).unwrap()
        };
        assert_eq!(read(Some("Bearer sk"), "/x?key=wk"), Some(Credential::InHeader("sk".into())));
        assert_eq!(read(Some("Basic d2tfMTo="), "/x"), Some(Credential::InHeader("wk_1".into())));
        assert_eq!(read(None, "/x?a=1&key=wk"), Some(Credential::InUrl("wk".into())));
        assert_eq!(read(None, "/x?monkey=wk"), None);
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "a=b; x_rapport_session=no".parse().unwrap());
        headers.append(header::COOKIE, "rapport_session=token; c=d".parse().unwrap());
        assert_eq!(session_token(&headers), Some("token"));
    }
}
