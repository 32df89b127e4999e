//! The envelope, version 1: `docs/log-format.md`.

use super::block::InBlock;
use crate::clock::Millis;
use crate::identity::{Scope, SubjectId};

/// Open text columns hold at most this many bytes.
pub const MAX_OPEN_TEXT: usize = 256;

/// The place of an envelope in the log of its scope, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Offset(pub i64);

/// An event as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    pub offset: Offset,
    pub draft: Draft,
}

/// An envelope that has no place in the log yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub scope: Scope,
    /// Given by the sender; the log holds each once.
    pub message_id: String,
    pub subject: SubjectId,
    /// When it happened, by the server's clock.
    pub event_time: Millis,
    /// When the client sent it, by the client's clock.
    pub sent_at: Option<Millis>,
    /// When it arrived.
    pub received_at: Millis,
    pub consent: Consent,
    /// The version of the envelope and of what is sealed in it.
    pub schema_version: u16,
    pub open: Open,
    /// The rest, under the subject's key: see [`super::seal`].
    pub sealed: Sealed,
}

/// The half of an envelope that only its subject's key opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sealed {
    /// By itself, as it arrived: nonce, ciphertext, tag.
    Alone(Vec<u8>),
    /// With the subject's other envelopes of a sealed day.
    Block(InBlock),
    /// Its subject was erased before its day was sealed.
    Gone,
}

impl Default for Sealed {
    fn default() -> Self {
        Self::Alone(Vec::new())
    }
}

impl From<Vec<u8>> for Sealed {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Alone(bytes)
    }
}

/// The half that anybody with the log can read; survives the subject's erasure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Open {
    /// `track`, `page`, `identify`, `group` or `alias`.
    pub kind: String,
    /// The event's or page's name; may be empty.
    pub name: String,
    /// The page's path, without query.
    pub path: Option<String>,
    /// The host that the visit came from.
    pub referrer_host: Option<String>,
    pub source: Option<String>,
    pub medium: Option<String>,
    pub campaign: Option<String>,
    /// When it happened by the client's clock, as sent.
    pub client_time: Option<Millis>,
}

/// The purposes that the visitor had agreed to when the event happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consent {
    pub analytics: bool,
    pub profiling: bool,
    pub personalization: bool,
    /// Whether the visitor said so of profiling; otherwise it is what the workspace takes for granted,
    /// and an earlier word stands above it.
    pub said: bool,
}

impl From<Consent> for rapport_core::person::Consent {
    fn from(consent: Consent) -> Self {
        Self { granted: consent.profiling, said: consent.said }
    }
}

impl Consent {
    /// Agreed to everything: what a workspace without a consent banner sends.
    pub const ALL: Self =
        Self { analytics: true, profiling: true, personalization: true, said: false };

    /// Bit 0 analytics, bit 1 profiling, bit 2 personalization, bit 3 whether the visitor said so.
    pub const fn bits(self) -> u8 {
        self.analytics as u8
            | (self.profiling as u8) << 1
            | (self.personalization as u8) << 2
            | (self.said as u8) << 3
    }

    /// Reads [`Self::bits`]; unknown bits mean nothing.
    pub const fn from_bits(bits: u8) -> Self {
        Self {
            analytics: bits & 1 != 0,
            profiling: bits & 2 != 0,
            personalization: bits & 4 != 0,
            said: bits & 8 != 0,
        }
    }
}
