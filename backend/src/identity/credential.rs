//! From a request to who sent it: the one extractor.

use super::authorize::{Principal, Role};
use super::store::Session;
use crate::app::{App, Shared};
use crate::clock;
use crate::error::{Problem, blocking};
use crate::secret::Sha256Digest;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri, header};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// The name of the session's cookie.
pub const SESSION_COOKIE: &str = "rapport_session";
/// Longer credentials are no credentials.
const MAX_CREDENTIAL: usize = 128;

/// Who sent a request. A request without a credential comes from [`Principal::anyone`];
/// one with a bad credential is refused before any handler runs.
#[derive(Debug, Clone)]
pub struct Caller {
    pub principal: Principal,
    /// The session and its digest, where the credential was a cookie.
    pub session: Option<(Session, Sha256Digest)>,
}

/// What a request carries to show who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Credential {
    /// Public or secret, in a header.
    Key(String),
    /// In the address, which proxies log: only a public write key counts there.
    KeyInUrl(String),
    Session(String),
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        match credential(&parts.headers, &parts.uri)? {
            None => Ok(Self { principal: Principal::anyone(), session: None }),
            Some(Credential::Key(key)) => Self::of_key(app, key, false).await,
            Some(Credential::KeyInUrl(key)) => Self::of_key(app, key, true).await,
            Some(Credential::Session(token)) => {
                if !matches!(parts.method, Method::GET | Method::HEAD) {
                    refuse_foreign_origin(&parts.headers, app)?;
                }
                Self::of_session(app, &token).await
            }
        }
    }
}

impl Caller {
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
        let principal = blocking(move || app.records.key_holder(Sha256Digest::of(key.as_bytes())))
            .await?
            .ok_or(Problem::BadCredential)?;
        if public_only && principal.role != Role::Page {
            return Err(Problem::BadCredential);
        }
        Ok(Self { principal, session: None })
    }

    /// Who is signed in with that token.
    async fn of_session(app: &Shared, token: &str) -> Result<Self, Problem> {
        let digest = Sha256Digest::of(token.as_bytes());
        let app = app.clone();
        let session = blocking(move || app.records.session(digest, clock::now())).await?;
        // A stale cookie must not lock its browser out of what is public.
        Ok(match session {
            Some(session) => {
                Self { principal: session.principal.clone(), session: Some((session, digest)) }
            }
            None => Self { principal: Principal::anyone(), session: None },
        })
    }
}

fn credential(headers: &HeaderMap, uri: &Uri) -> Result<Option<Credential>, Problem> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let value = value.to_str().map_err(|_| Problem::BadCredential)?;
        let (scheme, rest) = value.split_once(' ').ok_or(Problem::BadCredential)?;
        return match scheme.to_ascii_lowercase().as_str() {
            "bearer" => Ok(Some(Credential::Key(rest.trim().to_owned()))),
            // Segment's libraries send the write key as the user's name, without a password.
            "basic" => basic_user(rest.trim())
                .map(|key| Some(Credential::Key(key)))
                .ok_or(Problem::BadCredential),
            _ => Err(Problem::BadCredential),
        };
    }
    let query = uri.query().unwrap_or_default();
    if let Some(key) = query.split('&').find_map(|pair| pair.strip_prefix("key=")) {
        return Ok(Some(Credential::KeyInUrl(key.to_owned())));
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let token = cookies.flat_map(|value| value.split(';')).find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == SESSION_COOKIE && value.len() <= MAX_CREDENTIAL).then(|| value.to_owned())
    });
    Ok(token.map(Credential::Session))
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

    fn read(authorization: Option<&str>, cookie: Option<&str>, uri: &str) -> Option<Credential> {
        let mut headers = HeaderMap::new();
        authorization.map(|value| headers.insert(header::AUTHORIZATION, value.parse().unwrap()));
        cookie.map(|value| headers.insert(header::COOKIE, value.parse().unwrap()));
        credential(&headers, &uri.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_header_counts_before_the_address_and_the_address_before_a_cookie() {
        let cookie = Some("a=b; rapport_session=token");
        assert_eq!(
            read(Some("Bearer sk"), cookie, "/x?key=wk"),
            Some(Credential::Key("sk".into()))
        );
        assert_eq!(read(None, cookie, "/x?a=1&key=wk"), Some(Credential::KeyInUrl("wk".into())));
        assert_eq!(read(None, cookie, "/x"), Some(Credential::Session("token".into())));
        assert_eq!(
            read(Some("Basic d2tfbGl2ZV8xOg=="), None, "/x"),
            Some(Credential::Key("wk_live_1".into()))
        );
        assert_eq!(read(None, None, "/x"), None);
    }
}
