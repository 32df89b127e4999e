//! What events in JSON say of who somebody is.

use super::{Act, Arrival, Consent};
use crate::event::{EventWire, FieldValue, FlatEvent, Millis, WireError};
use serde::Deserialize;
use std::fmt;

/// How a sender names a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum VisitorRef<'a> {
    /// The id that a browser made up.
    Anonymous(&'a str),
    /// The id that the customer's own system gave.
    User(&'a str),
}

impl<'a> VisitorRef<'a> {
    /// Reads `a:` and a browser's id, or `u:` and a user's.
    pub fn parse(text: &'a str) -> Option<Self> {
        match text.split_at_checked(2)? {
            ("a:", id) => Some(Self::Anonymous(id)),
            ("u:", id) => Some(Self::User(id)),
            _ => None,
        }
    }
}

impl fmt::Display for VisitorRef<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous(id) => write!(formatter, "a:{id}"),
            Self::User(id) => write!(formatter, "u:{id}"),
        }
    }
}

/// Something that arrived, as the list of a history writes it: an event, or an administrator's word.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ArrivalWire {
    pub event: Option<EventWire>,
    /// Whether the customer's server vouches for the event's `userId`.
    pub proven: bool,
    /// Two visitors, as [`VisitorRef::parse`] reads them.
    pub merge: Option<[String; 2]>,
    /// A visitor, and perhaps another.
    pub unmerge: Option<Vec<String>>,
    /// Of an administrator's word.
    pub message_id: String,
    /// When that was, in milliseconds since 1970.
    pub timestamp: i64,
}

/// Why something did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArrivalError {
    #[error("it holds none of `event`, `merge` and `unmerge`")]
    Nothing,
    #[error("an event needs `anonymousId` or `userId`, and a merge `a:` or `u:` before an id")]
    NoVisitor,
    #[error("an event in a history needs its `timestamp`")]
    NoTime,
    #[error(transparent)]
    Event(#[from] WireError),
}

impl ArrivalWire {
    /// What arrived; `granted` is what holds of profiling where the visitor was not asked.
    ///
    /// # Errors
    /// Says what is missing or malformed.
    pub fn arrival(&self, granted: bool) -> Result<Arrival<'_, VisitorRef<'_>>, ArrivalError> {
        if let Some(event) = &self.event {
            let word = said(&event.flat()?, "profiling");
            return Ok(Arrival {
                message_id: event.message_id.as_deref().unwrap_or_default(),
                subject: visitor(event.anonymous_id.as_deref(), event.user_id.as_deref())
                    .ok_or(ArrivalError::NoVisitor)?,
                time: event.client_time()?.ok_or(ArrivalError::NoTime)?,
                consent: Some(Consent { granted: word.unwrap_or(granted), said: word.is_some() }),
                acts: if self.proven { acts(event) } else { Vec::new() },
            });
        }
        let named = |text| VisitorRef::parse(text).ok_or(ArrivalError::NoVisitor);
        let act = match (&self.merge, self.unmerge.as_deref()) {
            (Some([one, other]), _) => Act::Same { person: named(one)?, other: named(other)? },
            (None, Some([one])) => Act::Apart { one: named(one)?, from: None },
            (None, Some([one, from])) => Act::Apart { one: named(one)?, from: Some(named(from)?) },
            _ => return Err(ArrivalError::Nothing),
        };
        Ok(Arrival {
            message_id: &self.message_id,
            subject: act.names().0,
            time: Millis(self.timestamp),
            consent: None,
            acts: vec![act],
        })
    }
}

/// Whom an event is about: the browser where there is one, because what it says beyond is a claim.
pub fn subject<'a>(event: &'a FlatEvent<'_>) -> Option<VisitorRef<'a>> {
    visitor(event.anonymous_id.as_deref(), event.user_id.as_deref())
}

fn visitor<'a>(browser: Option<&'a str>, user: Option<&'a str>) -> Option<VisitorRef<'a>> {
    there(browser).map(VisitorRef::Anonymous).or_else(|| there(user).map(VisitorRef::User))
}

/// The acts of an event for whose `userId` the customer's server vouches. `identify` says whose the
/// browser is; `alias` also that a person, or a browser of theirs, went by `previousId`.
pub fn acts(wire: &EventWire) -> Vec<Act<VisitorRef<'_>>> {
    let (Some(user), "identify" | "alias") = (there(wire.user_id.as_deref()), wire.kind.as_str())
    else {
        return Vec::new();
    };
    let person = VisitorRef::User(user);
    let mut acts = Vec::new();
    let own = there(wire.anonymous_id.as_deref());
    acts.extend(own.map(|own| Act::Proof { browser: VisitorRef::Anonymous(own), person }));
    let previous = there(wire.previous_id.as_deref()).filter(|id| *id != user && own != Some(*id));
    if let Some(previous) = previous.filter(|_| wire.kind == "alias") {
        acts.push(Act::Proof { browser: VisitorRef::Anonymous(previous), person });
        acts.push(Act::Same { person, other: VisitorRef::User(previous) });
    }
    acts
}

/// What `context.consent.PURPOSE`, or Segment's `context.consent.categoryPreferences.PURPOSE`, says.
pub fn said(event: &FlatEvent<'_>, purpose: &str) -> Option<bool> {
    let below = |place: &str| {
        event.fields().find_map(|field| match field.value {
            FieldValue::Bool(flag) if field.path.strip_prefix(place) == Some(purpose) => Some(flag),
            _ => None,
        })
    };
    below("context.consent.").or_else(|| below("context.consent.categoryPreferences."))
}

fn there(id: Option<&str>) -> Option<&str> {
    id.filter(|id| !id.is_empty())
}
