//! What events in JSON say of who somebody is.

use super::Act;
use crate::event::{EventWire, FieldValue, FlatEvent};

/// How a sender names a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum VisitorRef<'a> {
    /// The id that a browser made up.
    Anonymous(&'a str),
    /// The id that the customer's own system gave.
    User(&'a str),
}

/// Whom an event is about: the browser where there is one, because what it says beyond is a claim.
pub fn subject<'a>(event: &'a FlatEvent<'_>) -> Option<VisitorRef<'a>> {
    let browser = there(event.anonymous_id.as_deref()).map(VisitorRef::Anonymous);
    browser.or_else(|| there(event.user_id.as_deref()).map(VisitorRef::User))
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
