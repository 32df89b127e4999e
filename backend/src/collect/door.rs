//! The door: each event is checked by core before anything is written, and made what the log keeps.

use super::batch::Batch;
use super::bots::{Program, confessed, program};
use super::reading::Reading;
use super::writer::Item;
use crate::clock::Millis;
use crate::identity::proof::{NotProved, prove};
use crate::identity::{Scope, SubjectId};
use crate::keys::pseudonym;
use crate::log::{Arrived, Consent, Draft, MAX_OPEN_TEXT, Open, SCHEMA_VERSION, Sealed};
use crate::seal::SecretKey;
use rapport_core::event::{FieldValue, FlatEvent, Millis as CoreMillis, WireError};
use rapport_core::person::{self, VisitorRef};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// An id holds at most this many bytes.
pub const MAX_ID: usize = 256;

/// Where and when a batch arrived, and what holds for its events.
#[derive(Debug, Clone)]
pub struct Arrival {
    pub scope: Scope,
    pub workspace_key: SecretKey,
    pub received_at: Millis,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    /// Which program the user agent says that it is.
    pub program: Option<Program>,
    /// What holds for visitors who were not asked.
    pub consent: Consent,
    /// Whether automated browsers count.
    pub automated: bool,
    /// Whether the sender is a server of the customer's, whose word is proof.
    pub server: bool,
    /// Whether a cookie says that the browser is of somebody who works there.
    pub staff: bool,
    /// What proves users.
    pub identity_secrets: Vec<Vec<u8>>,
    /// Who the browser is linked to already, as its visitor cookie proves.
    pub linked: Vec<SubjectId>,
    /// The id of a visitor who comes without one, where the server may make one up.
    pub nameless: Option<String>,
}

/// An event that may be written.
#[derive(Debug)]
pub struct Admitted {
    pub item: Item,
    /// The id of the browser that it came from.
    pub anonymous_id: Option<String>,
    /// Why its identity token proved nothing; the event is a claim like any other.
    pub unproved: Option<NotProved>,
}

/// Why an event of a batch was refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("not an event: {0}")]
    Shape(serde_json::Error),
    #[error("an event is a JSON object")]
    NoObject,
    #[error(transparent)]
    Event(#[from] WireError),
    #[error("`anonymousId` or `userId` must say, in 1 to 256 bytes, whom it is about")]
    NoVisitor,
    #[error("it comes from a program, not from a person, and is not kept")]
    Bot,
    #[error("this visitor was erased; start with a new anonymousId")]
    Erased,
    #[error("the operating system gave no random bytes")]
    NoRandomness,
}

impl Refusal {
    /// A word that names the reason; stable.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Shape(_) | Self::NoObject => "malformed",
            Self::Event(error) => error.code(),
            Self::NoVisitor => "no-visitor",
            Self::Bot => "bot",
            Self::Erased => "erased",
            Self::NoRandomness => "no-randomness",
        }
    }
}

/// What stands beside an event and is not kept with it.
#[derive(Default, Deserialize)]
struct BesideWire {
    token: Option<String>,
}

impl Arrival {
    /// What arrives from a browser of which nothing else is known, and whose visitors agreed to all.
    pub fn new(scope: Scope, workspace_key: SecretKey, received_at: Millis) -> Self {
        Self {
            scope,
            workspace_key,
            received_at,
            ip: None,
            user_agent: None,
            program: None,
            consent: Consent::ALL,
            automated: false,
            server: false,
            staff: false,
            identity_secrets: Vec::new(),
            linked: Vec::new(),
            nameless: None,
        }
    }

    /// Checks one event of a batch and makes it what the log keeps. Nothing is sealed yet.
    ///
    /// # Errors
    /// Says what is wrong with the event.
    pub fn admit(&self, batch: &Batch<'_>, raw: &RawValue) -> Result<Admitted, Refusal> {
        if !raw.get().starts_with('{') {
            return Err(Refusal::NoObject);
        }
        let mut reading = Reading::of(raw.get(), batch.kind)?;
        self.refuse_bots(&reading.flat)?;
        reading.sent_at(batch.sent_at.as_ref());
        reading.anonymous_id(self.nameless.as_deref());
        let message_id = reading
            .message_id(|| crate::secret::token("srv_").map_err(|_| Refusal::NoRandomness))?;
        let flat = &reading.flat;
        let subject = pseudonym(&self.workspace_key, self.scope, visitor(flat)?);
        let event_time = flat.event_time(CoreMillis(self.received_at))?;
        let compact = flat.encode(event_time)?;
        let proof = self.proof(flat, raw)?;
        let draft = Draft {
            scope: self.scope,
            message_id,
            subject,
            event_time: event_time.0,
            sent_at: flat.sent_at.as_ref().and_then(client_time),
            received_at: self.received_at,
            consent: consent(flat, self.consent),
            schema_version: SCHEMA_VERSION,
            open: open(flat)?,
            sealed: Sealed::default(),
        };
        let arrived = Arrived {
            ip: self.ip.as_deref(),
            user_agent: self.user_agent.as_deref(),
            proven: proof == Some(Ok(())),
            staff: self.staff,
        };
        let item = Item::new(draft, reading.plain(arrived, &compact)?);
        let anonymous_id = reading.flat.anonymous_id.map(Cow::into_owned);
        Ok(Admitted { item, anonymous_id, unproved: proof.and_then(Result::err) })
    }

    fn refuse_bots(&self, flat: &FlatEvent<'_>) -> Result<(), Refusal> {
        // A server that sends for its visitors says what browser they have.
        let shown = match flat.field("context.userAgent") {
            Some(FieldValue::Text(said)) => program(said),
            _ => self.program,
        };
        match shown.or_else(|| confessed(flat)) {
            Some(Program::Crawler) => Err(Refusal::Bot),
            Some(Program::Automated) if !self.automated => Err(Refusal::Bot),
            _ => Ok(()),
        }
    }

    /// Whether it is proved that the event is of its `userId`; `None` where nothing was to prove it.
    fn proof(
        &self,
        flat: &FlatEvent<'_>,
        raw: &RawValue,
    ) -> Result<Option<Result<(), NotProved>>, Refusal> {
        let user = flat.user_id.as_deref().filter(|id| !id.is_empty());
        let tells = matches!(&*flat.kind, "identify" | "alias");
        let Some(user) = user.filter(|_| tells) else { return Ok(None) };
        if self.server {
            return Ok(Some(Ok(())));
        }
        let beside: BesideWire = serde_json::from_str(raw.get()).map_err(Refusal::Shape)?;
        // Who somebody else was is not for a page to say, whoever its visitor is.
        let own = flat.kind == "identify"
            || flat.previous_id.is_none()
            || flat.previous_id == flat.anonymous_id;
        let Some(token) = beside.token else {
            let name = VisitorRef::User(user);
            let known = self.linked.contains(&pseudonym(&self.workspace_key, self.scope, name));
            return Ok((own && known).then_some(Ok(())));
        };
        let secrets = &self.identity_secrets;
        let proved = prove(&token, secrets, user, self.scope.workspace, self.received_at);
        Ok(Some(proved.and(if own { Ok(()) } else { Err(NotProved::OtherBrowser) })))
    }
}

/// Whom an event is about: see [`person::subject`].
pub fn visitor<'a>(flat: &'a FlatEvent<'_>) -> Result<VisitorRef<'a>, Refusal> {
    let visitor = person::subject(flat).ok_or(Refusal::NoVisitor)?;
    let (VisitorRef::Anonymous(id) | VisitorRef::User(id)) = visitor;
    if id.len() <= MAX_ID { Ok(visitor) } else { Err(Refusal::NoVisitor) }
}

/// What everybody with the log may read of an event.
pub fn open(flat: &FlatEvent<'_>) -> Result<Open, Refusal> {
    let kind = flat.event_kind()?;
    let text = |path: &str| flat.text(path).map(|text| cut(text).to_owned());
    Ok(Open {
        kind: kind.word().to_owned(),
        name: flat.name_of(kind).to_owned(),
        path: text("context.page.path")
            .map(|path| path.split(['?', '#']).next().unwrap_or_default().to_owned()),
        referrer_host: flat
            .text("context.page.referrer")
            .and_then(host)
            .map(|host| cut(host).to_owned()),
        source: text("context.campaign.source"),
        medium: text("context.campaign.medium"),
        campaign: text("context.campaign.name"),
        client_time: flat.client_time()?.map(|time| time.0),
    })
}

/// What an event says of consent, or else its workspace.
pub fn consent(flat: &FlatEvent<'_>, default: Consent) -> Consent {
    let of = |purpose| person::said(flat, purpose);
    Consent {
        analytics: of("analytics").unwrap_or(default.analytics),
        profiling: of("profiling").unwrap_or(default.profiling),
        personalization: of("personalization").unwrap_or(default.personalization),
        said: of("profiling").is_some(),
    }
}

fn client_time(value: &Value) -> Option<Millis> {
    match value {
        Value::String(text) => CoreMillis::parse(text).map(|time| time.0),
        value => value.as_i64(),
    }
}

fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.rsplit('@').next().filter(|host| !host.is_empty())
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_OPEN_TEXT)).unwrap_or_default()
}
