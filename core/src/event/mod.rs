//! What happened: events in the Segment shape, and the two doors they come in by.
//!
//! A page writes the compact binary form ([`Event::decode`]); servers read Segment's JSON
//! (`EventWire`, feature `wire`) and turn it into the same bytes. Both are checked once, here.

mod binary;
mod channel;
#[cfg(feature = "wire")]
mod flat;
#[cfg(feature = "wire")]
mod reading;
mod time;
#[cfg(feature = "wire")]
mod wire;

pub use binary::{
    EventError, EventWriter, MAX_EVENT_BYTES, MAX_FIELDS, MAX_NAME_BYTES, MAX_PATH_BYTES,
    MAX_TEXT_BYTES,
};
pub use channel::{Channel, Visit};
#[cfg(feature = "wire")]
pub use flat::FlatEvent;
pub use time::{Millis, event_time};
#[cfg(feature = "wire")]
pub use wire::{EventWire, MAX_DEPTH, WireError};

/// Something that a visitor, a contact or an account did. Valid by construction:
/// made by [`Event::decode`], whose bytes it borrows.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    pub kind: EventKind,
    /// The event's name for `track`, the page's for `page`, otherwise empty.
    pub name: &'a str,
    /// Names this event once and for all; the empty string where the sender gave none.
    pub message_id: &'a str,
    /// When it happened, by the clock that the host trusts.
    pub time: Millis,
    fields: Fields<'a>,
}

impl<'a> Event<'a> {
    /// The event's properties, traits and context, flattened, in the order they were written.
    pub fn fields(&self) -> Fields<'a> {
        self.fields
    }

    /// The value at a dotted path, such as `properties.plan` or `context.page.path`.
    pub fn field(&self, path: &str) -> Option<FieldValue<'a>> {
        self.fields.into_iter().find(|field| field.path == path).map(|field| field.value)
    }
}

/// The five calls of the Segment specification that carry events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum EventKind {
    Track = 0,
    Page = 1,
    Identify = 2,
    Group = 3,
    Alias = 4,
}

impl EventKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Track, Self::Page, Self::Identify, Self::Group, Self::Alias];

    /// The word that Segment's `type` uses.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Track => "track",
            Self::Page => "page",
            Self::Identify => "identify",
            Self::Group => "group",
            Self::Alias => "alias",
        }
    }
}

/// One property, trait or piece of context.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field<'a> {
    /// Dotted, from the root of the event: `traits.industry`, `context.campaign.source`.
    pub path: &'a str,
    pub value: FieldValue<'a>,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FieldValue<'a> {
    /// Finite, at most 1e20 in magnitude.
    Number(f64),
    Text(&'a str),
    Bool(bool),
}

pub use binary::Fields;
