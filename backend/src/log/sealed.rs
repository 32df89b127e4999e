//! The sealed half of an envelope, and what replaying an envelope gives.

use super::{Draft, Envelope, Offset, Open, Sealed, plain};
use crate::clock::Millis;
use crate::error::StoreError;
use crate::keys::{KeyStore, SubjectKey};
use crate::seal::{Opener, SealBroken, SecretKey};
use rapport_core::event::EventWire;
use serde::{Deserialize, Serialize};

/// What is sealed, as JSON: the event as sent, and how it arrived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SealedWire {
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    /// Whether the customer's own server vouches for the event's `userId`: without, it is a claim.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proven: bool,
    /// Whether a cookie says that somebody sent it who works there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub staff: bool,
    pub event: EventWire,
}

/// An envelope as it replays.
#[derive(Debug, Clone, PartialEq)]
pub enum Replayed {
    Event(Box<Contents>),
    /// The subject's key is shredded: something happened, and nobody knows to whom.
    Tombstone {
        offset: Offset,
        event_time: Millis,
        open: Open,
    },
}

/// An envelope with its sealed half open.
#[derive(Debug, Clone, PartialEq)]
pub struct Contents {
    pub envelope: Envelope,
    pub sealed: SealedWire,
}

/// Seals the personal half of a draft under its subject's key, bound to what the draft is.
///
/// # Errors
/// Where it cannot be written as JSON or the operating system has no random bytes to give.
pub fn seal(key: &SecretKey, draft: &Draft, wire: &SealedWire) -> Result<Sealed, StoreError> {
    let plain = serde_json::to_vec(wire).map_err(|error| StoreError::corrupt("event", error))?;
    seal_bytes(key, draft, &plain)
}

/// As [`seal`], where it is written as JSON already.
///
/// # Errors
/// Where the operating system has no random bytes to give.
pub fn seal_bytes(key: &SecretKey, draft: &Draft, plain: &[u8]) -> Result<Sealed, StoreError> {
    Ok(key.seal(&bound(draft), plain)?.into())
}

/// Opens an envelope, or says that it is a tombstone.
///
/// # Errors
/// Where the key store cannot be read, has never had the subject's key, or the sealed half was changed.
pub fn contents(keys: &dyn KeyStore, envelope: Envelope) -> Result<Replayed, StoreError> {
    let Envelope { offset, draft } = &envelope;
    let tombstone = || Replayed::Tombstone {
        offset: *offset,
        event_time: draft.event_time,
        open: draft.open.clone(),
    };
    if draft.sealed == Sealed::Gone {
        return Ok(tombstone());
    }
    match keys.subject_key(draft.scope, draft.subject)? {
        Some(SubjectKey::Kept(key)) => {
            let plain = open_plain(&key.opener(), draft)?;
            let sealed = plain::read(&plain, &draft.message_id)?;
            Ok(Replayed::Event(Box::new(Contents { envelope, sealed })))
        }
        Some(SubjectKey::Shredded) => Ok(tombstone()),
        None => Err(StoreError::corrupt(
            "event",
            format_args!("the key store has no key for subject {}", draft.subject),
        )),
    }
}

/// Whether an envelope may say something that is proved, for who reads on only then.
///
/// # Errors
/// As [`contents`].
pub fn claims_proof(keys: &dyn KeyStore, draft: &Draft) -> Result<bool, StoreError> {
    match keys.subject_key(draft.scope, draft.subject)? {
        Some(SubjectKey::Kept(key)) => Ok(plain::claims_proof(&open_plain(&key.opener(), draft)?)),
        _ => Ok(true),
    }
}

/// Opens a sealed event for the fold; [`event`](super::plain::event) finds the compact form in it.
///
/// # Errors
/// Where the sealed half was changed, belongs elsewhere or is gone.
pub fn open_plain(opener: &Opener, draft: &Draft) -> Result<Vec<u8>, StoreError> {
    let plain = match &draft.sealed {
        Sealed::Alone(sealed) => opener.open(&bound(draft), sealed),
        Sealed::Block(place) => place.open(opener, draft),
        Sealed::Gone => Err(SealBroken),
    };
    plain.map_err(|error| StoreError::corrupt("event", error))
}

/// What a sealed half is bound to: it opens only in its own workspace and environment, for its own
/// subject and under its own message id.
pub fn bound(draft: &Draft) -> Vec<u8> {
    [
        b"rapport.log.1".as_slice(),
        &draft.scope.to_bytes(),
        &draft.subject.0,
        draft.message_id.as_bytes(),
    ]
    .concat()
}
