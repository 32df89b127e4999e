//! The browser that a batch comes from: by the cookie that this server gave it, or by nothing that it keeps.

use super::batch::Batch;
use super::hints::Browser;
use super::source::Source;
use crate::app::{App, Shared};
use crate::clock::Millis;
use crate::error::{Problem, StoreError, blocking};
use crate::identity::proof::VisitorCookies;
use crate::identity::{Scope, SubjectId};
use crate::keys::{KeyStore, VisitorRef, pseudonym};
use crate::profiles::Who;
use crate::secret::base32;
use axum::http::HeaderValue;

/// Takes the cookie back from who no longer wants an id to be kept.
const NONE: HeaderValue =
    HeaderValue::from_static("rapport_vid=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0");
const DAY: Millis = 86_400_000;

/// What the visitor cookie says, or is to say.
#[derive(Default)]
pub struct Cookie {
    /// The header that gives the browser its cookie.
    pub cookie: Option<HeaderValue>,
    /// The id in its cookie, where its pages use another.
    pub known: Option<String>,
}

impl Cookie {
    /// Reads the cookie of a first-party browser. One without gets a cookie for the id that its page
    /// made up, unless anything was ever heard of that id: who knows another visitor's id must not
    /// get it signed.
    ///
    /// # Errors
    /// Where a key cannot be read.
    pub async fn of(
        app: &Shared,
        scope: Scope,
        source: &Source,
        batch: &Batch<'_>,
        browser: Option<&Browser>,
    ) -> Result<Self, Problem> {
        let Some(browser) = browser.filter(|_| source.first_party && !batch.cookieless) else {
            return Ok(Self::default());
        };
        let (source, app) = (source.clone(), app.clone());
        let (subject, id) = (browser.subject, browser.anonymous_id.clone());
        let stores = browser.stores;
        let looked_up = blocking(move || -> Result<Self, StoreError> {
            let cookies = cookies(&app, scope)?;
            let now = source.received_at;
            if !stores {
                let held = source.cookie.is_some();
                return Ok(Self { cookie: held.then_some(NONE), known: None });
            }
            let known = source.cookie.as_deref().and_then(|cookie| cookies.read(cookie, now));
            if let Some(known) = known {
                let known = (known != id).then(|| known.to_owned());
                return Ok(Self { known, cookie: None });
            }
            let fresh = app.keys.subject_key(scope, subject)?.is_none();
            let secure = app.public_url().starts_with("https:");
            let cookie = fresh.then(|| cookies.header(&id, now, secure)).flatten();
            Ok(Self { cookie: cookie.and_then(|text| text.parse().ok()), known: None })
        });
        looked_up.await
    }
}

/// Who the browser with a visitor cookie proved to be; nobody where the cookie is no good.
///
/// # Errors
/// Where a store cannot be read.
pub fn linked(
    app: &App,
    scope: Scope,
    cookie: &str,
    now: Millis,
) -> Result<Vec<SubjectId>, StoreError> {
    let cookies = cookies(app, scope)?;
    let Some(id) = cookies.read(cookie, now) else { return Ok(Vec::new()) };
    let key = app.keys.workspace_key(scope.workspace)?;
    let who = Who::stored(app, scope);
    who.members(who.person(pseudonym(&key, scope, VisitorRef::Anonymous(id)))?)
}

fn cookies(app: &App, scope: Scope) -> Result<VisitorCookies, StoreError> {
    let key = app.keys.workspace_key(scope.workspace)?;
    Ok(VisitorCookies::new(key.derive("visitor cookie", &scope.to_bytes())))
}

/// The id of a visitor who keeps none: the same until midnight (UTC) for the same website, address
/// and browser, and nothing that anybody can trace back once the day's salt is gone.
///
/// # Errors
/// Where the salt cannot be read.
pub fn cookieless_id(
    keys: &dyn KeyStore,
    scope: Scope,
    now: Millis,
    traces: &[String; 3],
) -> Result<String, StoreError> {
    let salt = keys.daily_salt(now.div_euclid(DAY))?.derive("visitor", &scope.to_bytes());
    // A zero byte stands in no header.
    let hash = salt.authenticate(&[traces.join("\0").as_bytes()]);
    Ok(format!("day_{}", base32(hash.get(..16).unwrap_or_default())))
}
