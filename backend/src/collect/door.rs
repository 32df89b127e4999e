//! The door: each event is checked by core before anything is written, and made what the log keeps.

use super::batch::Batch;
use super::bots::{Program, confessed, program};
use super::writer::Item;
use crate::clock::Millis;
use crate::identity::proof::{NotProved, prove};
use crate::identity::{Scope, SubjectId};
use crate::keys::pseudonym;
use crate::log::{Consent, Draft, MAX_OPEN_TEXT, Open, SCHEMA_VERSION, SealedWire};
use crate::seal::SecretKey;
use rapport_core::event::{Event, EventWire, Millis as CoreMillis, WireError};
use rapport_core::person::{self, VisitorRef};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

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
    /// What holds for visitors who were not asked.
    pub consent: Consent,
    /// Whether automated browsers count.
    pub automated: bool,
    /// Whether the sender is a server of the customer's, whose word is proof.
    pub server: bool,
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
            Self::Event(WireError::Kind(_)) => "unknown-type",
            Self::Event(WireError::NoName) => "no-name",
            Self::Event(WireError::Time(_)) => "bad-time",
            Self::Event(WireError::TooDeep(_)) => "too-deep",
            Self::Event(WireError::TooManyFields(_)) => "too-many-fields",
            Self::Event(WireError::Event(_)) => "beyond-limit",
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
    /// Checks one event of a batch and makes it what the log keeps. Nothing is sealed yet.
    ///
    /// # Errors
    /// Says what is wrong with the event.
    pub fn admit(&self, batch: &Batch<'_>, raw: &RawValue) -> Result<Admitted, Refusal> {
        if !raw.get().starts_with('{') {
            return Err(Refusal::NoObject);
        }
        let mut wire: EventWire = serde_json::from_str(raw.get()).map_err(Refusal::Shape)?;
        if let Some(kind) = batch.kind {
            kind.clone_into(&mut wire.kind);
        }
        if wire.kind == "screen" {
            screen_as_track(&mut wire);
        }
        self.refuse_bots(&wire.context)?;
        wire.sent_at = wire.sent_at.or_else(|| batch.sent_at.clone());
        if wire.anonymous_id.as_deref().unwrap_or_default().is_empty() {
            wire.anonymous_id.clone_from(&self.nameless);
        }
        let message_id = match wire.message_id.take().filter(|id| !id.is_empty()) {
            Some(id) => id,
            None => crate::secret::token("srv_").map_err(|_| Refusal::NoRandomness)?,
        };
        wire.message_id = Some(message_id.clone());
        let subject = pseudonym(&self.workspace_key, self.scope, visitor(&wire)?);
        let event_time = wire.event_time(CoreMillis(self.received_at))?;
        let compact = wire.encode(event_time)?;
        let event = Event::decode(&compact).map_err(WireError::from)?;
        let proof = self.proof(&wire, raw)?;
        let draft = Draft {
            scope: self.scope,
            message_id,
            subject,
            event_time: event_time.0,
            sent_at: wire.sent_at.as_ref().and_then(client_time),
            received_at: self.received_at,
            consent: consent(&wire.context, self.consent),
            schema_version: SCHEMA_VERSION,
            open: open(&wire, event.kind.word(), event.name)?,
            sealed: Vec::new(),
        };
        let contents = SealedWire {
            ip: self.ip.clone(),
            user_agent: self.user_agent.clone(),
            proven: proof == Some(Ok(())),
            event: wire,
        };
        let item = Item::new(draft, &contents).map_err(Refusal::Shape)?;
        let anonymous_id = contents.event.anonymous_id;
        Ok(Admitted { item, anonymous_id, unproved: proof.and_then(Result::err) })
    }

    fn refuse_bots(&self, context: &Map<String, Value>) -> Result<(), Refusal> {
        // A server that sends for its visitors says what browser they have.
        let said = context.get("userAgent").and_then(Value::as_str);
        let shown = said.or(self.user_agent.as_deref()).and_then(program);
        match shown.or_else(|| confessed(context)) {
            Some(Program::Crawler) => Err(Refusal::Bot),
            Some(Program::Automated) if !self.automated => Err(Refusal::Bot),
            _ => Ok(()),
        }
    }

    /// Whether it is proved that the event is of its `userId`; `None` where nothing was to prove it.
    fn proof(
        &self,
        wire: &EventWire,
        raw: &RawValue,
    ) -> Result<Option<Result<(), NotProved>>, Refusal> {
        let user = wire.user_id.as_deref().filter(|id| !id.is_empty());
        let tells = matches!(wire.kind.as_str(), "identify" | "alias");
        let Some(user) = user.filter(|_| tells) else { return Ok(None) };
        if self.server {
            return Ok(Some(Ok(())));
        }
        let beside: BesideWire = serde_json::from_str(raw.get()).map_err(Refusal::Shape)?;
        // Who somebody else was is not for a page to say, whoever its visitor is.
        let own = wire.kind == "identify"
            || wire.previous_id.is_none()
            || wire.previous_id == wire.anonymous_id;
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

/// Apps show screens where websites show pages.
fn screen_as_track(wire: &mut EventWire) {
    "track".clone_into(&mut wire.kind);
    wire.event = Some("Screen Viewed".to_owned());
    if let Some(name) = wire.name.take() {
        wire.properties.entry("name").or_insert(Value::String(name));
    }
}

/// Whom an event is about: see [`person::subject`].
pub fn visitor(wire: &EventWire) -> Result<VisitorRef<'_>, Refusal> {
    let visitor = person::subject(wire).ok_or(Refusal::NoVisitor)?;
    let (VisitorRef::Anonymous(id) | VisitorRef::User(id)) = visitor;
    if id.len() <= MAX_ID { Ok(visitor) } else { Err(Refusal::NoVisitor) }
}

/// What everybody with the log may read of an event.
pub fn open(wire: &EventWire, kind: &str, name: &str) -> Result<Open, Refusal> {
    let text = |path: &[&str]| text_at(&wire.context, path).map(|text| cut(text).to_owned());
    Ok(Open {
        kind: kind.to_owned(),
        name: name.to_owned(),
        path: text(&["page", "path"])
            .map(|path| path.split(['?', '#']).next().unwrap_or_default().to_owned()),
        referrer_host: text_at(&wire.context, &["page", "referrer"])
            .and_then(host)
            .map(|host| cut(host).to_owned()),
        source: text(&["campaign", "source"]),
        medium: text(&["campaign", "medium"]),
        campaign: text(&["campaign", "name"]),
        client_time: wire.client_time()?.map(|time| time.0),
    })
}

/// `context.consent.PURPOSE`, or Segment's `context.consent.categoryPreferences.PURPOSE`.
pub fn consent(context: &Map<String, Value>, default: Consent) -> Consent {
    let of = |purpose| person::said(context, purpose);
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

fn text_at<'a>(members: &'a Map<String, Value>, path: &[&str]) -> Option<&'a str> {
    let (first, rest) = path.split_first()?;
    let value = rest.iter().try_fold(members.get(*first)?, |value, key| value.get(key))?;
    value.as_str().filter(|text| !text.is_empty())
}

fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    authority.rsplit('@').next().filter(|host| !host.is_empty())
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_OPEN_TEXT)).unwrap_or_default()
}
