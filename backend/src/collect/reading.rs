//! An event's JSON, read: as fields, and as a tree where the fields do not say all.

use super::door::Refusal;
use crate::log::{Arrived, Plain};
use rapport_core::event::{EventError, EventWire, FlatEvent, MAX_NAME_BYTES, WireError};
use serde_json::Value;
use std::borrow::Cow;

/// An event as it was sent, and what was filled in.
#[derive(Debug)]
pub struct Reading<'a> {
    /// Without the message id.
    pub flat: FlatEvent<'a>,
    /// Kept in step with the other.
    tree: Option<EventWire>,
}

impl<'a> Reading<'a> {
    /// Reads an event; `kind` stands above what it says of itself.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn of(json: &'a str, kind: Option<&'static str>) -> Result<Self, Refusal> {
        if let Ok(mut flat) = serde_json::from_str::<FlatEvent<'a>>(json) {
            if let Some(kind) = kind {
                flat.kind = Cow::Borrowed(kind);
            }
            if flat.is_whole() && flat.kind != "screen" {
                return Ok(Self { flat, tree: None });
            }
        }
        let mut tree: EventWire = serde_json::from_str(json).map_err(Refusal::Shape)?;
        if let Some(kind) = kind {
            kind.clone_into(&mut tree.kind);
        }
        if tree.kind == "screen" {
            screen_as_track(&mut tree);
        }
        Ok(Self { flat: tree.flat()?.into_owned(), tree: Some(tree) })
    }

    /// Takes the message id out; `make` gives one where there is none.
    ///
    /// # Errors
    /// Where it is too long, or why `make` gave none.
    pub fn message_id(
        &mut self,
        make: impl FnOnce() -> Result<String, Refusal>,
    ) -> Result<String, Refusal> {
        let id = match self.flat.message_id.take().filter(|id| !id.is_empty()) {
            Some(id) => id.into_owned(),
            None => make()?,
        };
        if id.len() > MAX_NAME_BYTES {
            return Err(WireError::from(EventError::NameTooLong("the message id")).into());
        }
        if let Some(tree) = &mut self.tree {
            tree.message_id = Some(id.clone());
        }
        Ok(id)
    }

    /// When it was sent, where it does not say so.
    pub fn sent_at(&mut self, time: Option<&Value>) {
        if self.flat.sent_at.is_none() {
            self.flat.sent_at = time.cloned();
            if let Some(tree) = &mut self.tree {
                tree.sent_at = time.cloned();
            }
        }
    }

    /// Whom it is about, where it does not say so.
    pub fn anonymous_id(&mut self, id: Option<&str>) {
        if self.flat.anonymous_id.as_deref().unwrap_or_default().is_empty() {
            self.flat.anonymous_id = id.map(|id| Cow::Owned(id.to_owned()));
            if let Some(tree) = &mut self.tree {
                tree.anonymous_id = id.map(str::to_owned);
            }
        }
    }

    /// What is to be sealed of it: its compact form where that says all.
    ///
    /// # Errors
    /// Where it cannot be written as JSON.
    pub fn plain(&self, arrived: Arrived<'_>, compact: &[u8]) -> Result<Plain, Refusal> {
        match &self.tree {
            None => Ok(Plain::compact(arrived, &self.flat, compact)),
            Some(tree) => Plain::json(arrived, tree).map_err(Refusal::Shape),
        }
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
