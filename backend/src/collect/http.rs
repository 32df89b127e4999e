//! `POST /v1/events`, and what all of the collector's addresses do.

use super::batch::Batch;
use super::body;
use super::bots::program;
use super::cookie::{Cookie, cookieless_id, linked};
use super::door::{Admitted, Arrival, MAX_ID, Refusal};
use super::hints::Asking;
use super::rate::TooFast;
use super::source::Source;
use super::view::{CollectedView, Outcome};
use super::writer::Room;
use crate::app::{App, Shared};
use crate::error::{Problem, ProblemView, StoreError, blocking};
use crate::identity::{
    Action, Environment, Principal, Resource, Role, Scope, Sender, authorize, secrets,
};
use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Takes events in the Segment shape: `{"sentAt", "batch": […]}` or one event. Whatever it is declared
/// as, it is read as what it is: JSON, a form whose field `data` holds JSON, either packed with gzip.
/// So pages need not ask first, and their write key may stand in the body as `key`.
/// Answers when everything accepted is on disk.
#[utoipa::path(post, path = "/v1/events", tag = "collect",
    request_body(content = serde_json::Value, content_type = "application/json"),
    responses((status = 200, body = CollectedView), (status = 400, body = ProblemView), (status = 401, body = ProblemView),
        (status = 403, body = ProblemView), (status = 413, body = ProblemView), (status = 429, body = ProblemView), (status = 507, body = ProblemView)))]
pub async fn events(State(app): State<Shared>, parcel: Parcel) -> Result<Collected, Problem> {
    let Parcel { sender, source, body, key, room } = parcel;
    let mut batch = Batch::read(&body)?;
    batch.key = key.or(batch.key);
    let principal = sender.or_key(&app, batch.key.as_deref()).await?;
    collect(&app, &principal, &source, &batch, room).await
}

/// What came with a request, read to its end.
pub struct Parcel {
    pub sender: Sender,
    pub source: Source,
    /// JSON, if it is anything.
    pub body: Vec<u8>,
    /// The write key of a form.
    pub key: Option<String>,
    pub room: Room,
}

impl FromRequest<Shared> for Parcel {
    type Rejection = Problem;

    async fn from_request(request: Request<Body>, app: &Shared) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let sender = Sender::from_request_parts(&mut parts, app).await?;
        let source = Source::of(&parts, app.proxies);
        // Who sends too fast is told so before their body is read.
        app.rates.address(sender.principal(), source.address, 0).map_err(too_fast("address"))?;
        let (body, room) = body::read(body, app.writer.backlog()).await?;
        let (body, key) = body::json(body)?;
        Ok(Self { sender, source, body, key, room })
    }
}

/// What became of a batch, and a cookie for the browser.
pub struct Collected {
    pub view: CollectedView,
    pub cookie: Option<HeaderValue>,
}

impl IntoResponse for Collected {
    fn into_response(self) -> Response {
        let cookie = self.cookie.map(|cookie| [(header::SET_COOKIE, cookie)]);
        (cookie, Json(self.view)).into_response()
    }
}

/// Checks a batch event by event, writes what is good, and says what became of each.
///
/// # Errors
/// Where the sender may not send, sends too fast, or nothing can be written.
pub async fn collect(
    app: &Shared,
    principal: &Principal,
    source: &Source,
    batch: &Batch<'_>,
    room: Room,
) -> Result<Collected, Problem> {
    let scope = authorize(principal, Action::CollectEvents, Resource::Own)?.scope();
    may_send(app, principal, source, batch.events.len())?;
    let server = principal.role != Role::Page;
    let arrival = arrival(app, scope, server, source, batch).await?;

    let (mut items, mut asking) = (Vec::with_capacity(batch.events.len()), Asking::default());
    let admit = |raw: &&RawValue| {
        let Admitted { item, anonymous_id, unproved } = arrival.admit(batch, raw)?;
        asking.add(&item.draft, anonymous_id);
        let message_id = item.draft.message_id.clone();
        items.push(item);
        Ok((message_id, unproved))
    };
    let admitted: Vec<Result<_, Refusal>> = batch.events.iter().map(admit).collect();
    let browser = asking.one();
    let Cookie { cookie, known } = Cookie::of(app, scope, source, batch, browser.as_ref()).await?;
    let written =
        if items.is_empty() { Vec::new() } else { app.writer.submit(items, room).await? };
    let hints = match browser {
        Some(browser) if batch.hints && !batch.cookieless => {
            browser.answer(app, scope, &written).await?
        }
        _ => None,
    };
    let mut view = CollectedView { hints, visitor: known, ..CollectedView::default() };
    let mut written = written.into_iter();
    for (raw, admitted) in batch.events.iter().zip(admitted) {
        match admitted {
            Err(refusal) => view.add(message_id(raw), Outcome::Refused(refusal)),
            Ok((id, unproved)) => {
                let Some(submission) = written.next() else { break };
                view.add(Some(id), Outcome::Submitted(submission, unproved));
            }
        }
    }
    Ok(Collected { view, cookie })
}

/// Whether a key's pages may send from where they are, so many events now.
///
/// # Errors
/// [`Problem::ForeignOrigin`] for another website's page, [`Problem::TooFast`].
pub fn may_send(
    app: &App,
    principal: &Principal,
    source: &Source,
    events: usize,
) -> Result<(), Problem> {
    if !principal.terms.admit(source.origin.as_deref()) {
        return Err(Problem::ForeignOrigin("this key is for pages of other websites"));
    }
    app.rates.key(principal, events).map_err(too_fast("key"))?;
    app.rates.address(principal, source.address, events).map_err(too_fast("address"))
}

/// The id of an event that was refused, as far as it has one.
fn message_id(raw: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct IdWire {
        message_id: Option<String>,
    }
    serde_json::from_str::<IdWire>(raw.get()).ok()?.message_id.filter(|id| id.len() <= MAX_ID)
}

/// What holds for all events of a batch.
async fn arrival(
    app: &Shared,
    scope: Scope,
    server: bool,
    source: &Source,
    batch: &Batch<'_>,
) -> Result<Arrival, Problem> {
    let Source { received_at, .. } = *source;
    let claims = batch.events.iter().any(|event| event.get().contains("\"userId\""));
    let cookie = source.cookie.clone().filter(|_| claims && source.first_party && !server);
    let tokens = batch.events.iter().any(|event| event.get().contains("\"token\""));
    // Without a name of their own, visitors are told apart by what is forgotten within two days.
    let nameless = batch.cookieless.then(|| source.traces());
    let looked_up = {
        let app = app.clone();
        blocking(move || -> Result<_, StoreError> {
            let workspace_key = app.keys.workspace_key(scope.workspace)?;
            let settings = app.records.settings(scope)?;
            let identity_secrets = if tokens { secrets::valid(&app, scope)? } else { Vec::new() };
            let nameless = nameless
                .map(|traces| cookieless_id(&*app.keys, scope, received_at, &traces))
                .transpose()?;
            let linked = cookie
                .map(|cookie| linked(&app, scope, &cookie, received_at))
                .transpose()?
                .unwrap_or_default();
            Ok((workspace_key, settings, identity_secrets, linked, nameless))
        })
    };
    let (workspace_key, settings, identity_secrets, linked, nameless) = looked_up.await?;
    // Who wants no id is not to be known again by an address either.
    let kept = !batch.cookieless;
    Ok(Arrival {
        scope,
        workspace_key,
        received_at,
        ip: kept.then(|| source.address.to_string()),
        program: source.user_agent.as_deref().and_then(program),
        user_agent: source.user_agent.clone(),
        consent: settings.consent.into(),
        automated: settings.automated_browsers || scope.environment == Environment::Test,
        server,
        staff: settings.staff.cookies.iter().any(|name| source.cookies.contains(name)),
        identity_secrets,
        linked,
        nameless,
    })
}

fn too_fast(whose: &'static str) -> impl Fn(TooFast) -> Problem {
    move |TooFast(wait)| Problem::TooFast {
        whose,
        retry_after: u32::try_from(wait.as_secs() + 1).unwrap_or(u32::MAX),
    }
}
