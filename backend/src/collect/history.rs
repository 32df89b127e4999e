//! Events from before this server was there: they keep their own dates, however old.

use super::door::{Refusal, consent, open, visitor};
use super::reading::Reading;
use super::writer::{Item, Submission, write};
use crate::clock::{self, Millis};
use crate::error::StoreError;
use crate::identity::Scope;
use crate::keys::{KeyStore, pseudonym};
use crate::log::{Arrived, Consent, Draft, EventLog, SCHEMA_VERSION, Sealed};
use crate::seal::SecretKey;
use crate::secret::Sha256Digest;
use rapport_core::event::EventWire;

/// A way into the log of a scope for events of the past.
pub struct History<'a> {
    log: &'a dyn EventLog,
    keys: &'a dyn KeyStore,
    scope: Scope,
    workspace_key: SecretKey,
    /// What holds for visitors who were not asked.
    consent: Consent,
    received_at: Millis,
}

/// Why an event of the past was refused.
#[derive(Debug, thiserror::Error)]
pub enum HistoryRefusal {
    #[error(transparent)]
    Event(#[from] Refusal),
    #[error("it needs `timestamp`, which says when it happened")]
    NoTime,
    #[error("its `timestamp` lies in the future")]
    Future,
}

/// Clocks differ by this much.
const AHEAD: Millis = 60_000;

impl<'a> History<'a> {
    /// Opens the way; `consent` holds where an event does not say.
    ///
    /// # Errors
    /// Where the key store cannot be read.
    pub fn open(
        log: &'a dyn EventLog,
        keys: &'a dyn KeyStore,
        scope: Scope,
        consent: Consent,
    ) -> Result<Self, StoreError> {
        let workspace_key = keys.workspace_key(scope.workspace)?;
        Ok(Self { log, keys, scope, workspace_key, consent, received_at: clock::now() })
    }

    /// Checks an event's JSON and makes it what the log keeps. An event without a message id gets
    /// one that its content decides, so that the same event again is the same message.
    ///
    /// # Errors
    /// Says what is wrong with the event.
    pub fn admit(&self, json: &str) -> Result<Item, HistoryRefusal> {
        let mut reading = Reading::of(json, None)?;
        let message_id = reading.message_id(|| {
            let content: EventWire = serde_json::from_str(json).map_err(Refusal::Shape)?;
            let content = EventWire { message_id: None, ..content };
            let content = serde_json::to_vec(&content).map_err(Refusal::Shape)?;
            Ok(format!("imp_{}", Sha256Digest::of(&content)))
        })?;
        let flat = &reading.flat;
        let happened = flat.client_time().map_err(Refusal::Event)?.ok_or(HistoryRefusal::NoTime)?;
        if happened.0 > self.received_at + AHEAD {
            return Err(HistoryRefusal::Future);
        }
        let subject = pseudonym(&self.workspace_key, self.scope, visitor(flat)?);
        let compact = flat.encode(happened).map_err(Refusal::Event)?;
        let draft = Draft {
            scope: self.scope,
            message_id,
            subject,
            event_time: happened.0,
            sent_at: None,
            received_at: self.received_at,
            consent: consent(flat, self.consent),
            schema_version: SCHEMA_VERSION,
            open: open(flat)?,
            sealed: Sealed::default(),
        };
        // Whoever may write to the data directory vouches for what they import.
        let arrived = Arrived { proven: true, ..Arrived::default() };
        Ok(Item::new(draft, reading.plain(arrived, &compact)?))
    }

    /// Writes events in one commit; they are on stable storage when this returns.
    ///
    /// # Errors
    /// Where they could not be written.
    pub fn write(&self, items: Vec<Item>) -> Result<Vec<Submission>, StoreError> {
        let (mut outcomes, _) = write(self.log, self.keys, vec![items]);
        outcomes.pop().unwrap_or_else(|| Ok(Vec::new())).map_err(StoreError::Shared)
    }
}
