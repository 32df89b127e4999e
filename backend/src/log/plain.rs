//! What is sealed, as bytes: an event whose compact form says all stands there in it, ready to be
//! folded; any other as JSON. `docs/log-format.md` has both.

use super::sealed::SealedWire;
use crate::error::StoreError;
use rapport_core::event::{Event, EventWire, FlatEvent, Millis};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::borrow::Cow;

/// How an event arrived.
#[derive(Debug, Clone, Copy, Default)]
pub struct Arrived<'a> {
    pub ip: Option<&'a str>,
    pub user_agent: Option<&'a str>,
    /// Whether the customer's own server vouches for the event's `userId`.
    pub proven: bool,
    /// Whether a cookie says that somebody sent it who works there.
    pub staff: bool,
}

/// What will be sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plain {
    pub bytes: Vec<u8>,
    /// The version of the envelope that it makes.
    pub schema_version: u16,
}

/// The version of envelopes whose sealed half is JSON.
pub const SCHEMA_VERSION: u16 = 1;
/// The version of those whose sealed half holds the compact form; its first byte too.
const COMPACT: u8 = 2;
const PROVEN: u16 = 1 << 8;
const STAFF: u16 = 1 << 9;
/// Ids and times, as `texts` lists them.
const TEXTS: usize = 8;

impl Plain {
    /// An event whose compact form says all, as [`FlatEvent::is_whole`] says. The compact form has
    /// no message id: the envelope has it.
    pub fn compact(arrived: Arrived<'_>, flat: &FlatEvent<'_>, compact: &[u8]) -> Self {
        let text = |time: &Value| Cow::Owned(time.to_string());
        let texts: [Option<Cow<'_, str>>; TEXTS] = [
            arrived.ip.map(Cow::Borrowed),
            arrived.user_agent.map(Cow::Borrowed),
            flat.anonymous_id.as_deref().map(Cow::Borrowed),
            flat.user_id.as_deref().map(Cow::Borrowed),
            flat.previous_id.as_deref().map(Cow::Borrowed),
            flat.group_id.as_deref().map(Cow::Borrowed),
            flat.timestamp.as_ref().map(text),
            flat.sent_at.as_ref().map(text),
        ];
        let present = (0..).zip(&texts).filter(|(_, text)| text.is_some());
        let present: u16 = present.map(|(bit, _)| 1 << bit).sum();
        let mut bytes = Vec::with_capacity(compact.len() + 256);
        bytes.push(COMPACT);
        let said = [(arrived.proven, PROVEN), (arrived.staff, STAFF)];
        let said: u16 = said.iter().filter(|(said, _)| *said).map(|(_, bit)| bit).sum();
        bytes.extend((present | said).to_le_bytes());
        for text in texts.iter().flatten() {
            bytes.extend((text.len() as u16).to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes.extend(compact);
        Self { bytes, schema_version: u16::from(COMPACT) }
    }

    /// An event as JSON.
    ///
    /// # Errors
    /// Where it cannot be written as such.
    pub fn json(arrived: Arrived<'_>, event: &EventWire) -> Result<Self, serde_json::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Borrowed<'a> {
            ip: Option<&'a str>,
            user_agent: Option<&'a str>,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            proven: bool,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            staff: bool,
            event: &'a EventWire,
        }
        let Arrived { ip, user_agent, proven, staff } = arrived;
        let bytes = serde_json::to_vec(&Borrowed { ip, user_agent, proven, staff, event })?;
        Ok(Self { bytes, schema_version: SCHEMA_VERSION })
    }
}

/// Reads what was sealed under a message id.
///
/// # Errors
/// Where it is neither of the two.
pub fn read(plain: &[u8], message_id: &str) -> Result<SealedWire, StoreError> {
    let Some(rest) = plain.strip_prefix(&[COMPACT]) else {
        return serde_json::from_slice(plain).map_err(corrupt);
    };
    let (said, texts, compact) = split(rest).ok_or_else(|| corrupt("it breaks off"))?;
    let [ip, user_agent, anonymous_id, user_id, previous_id, group_id, timestamp, sent_at] =
        texts.map(|text| text.map(str::to_owned));
    let time = |text: Option<String>| text.map(|text| serde_json::from_str(&text)).transpose();
    let event = EventWire {
        message_id: Some(message_id.to_owned()),
        anonymous_id,
        user_id,
        previous_id,
        group_id,
        timestamp: time(timestamp).map_err(corrupt)?,
        sent_at: time(sent_at).map_err(corrupt)?,
        ..EventWire::of(&Event::decode(compact).map_err(corrupt)?)
    };
    let (proven, staff) = (said & PROVEN != 0, said & STAFF != 0);
    Ok(SealedWire { ip, user_agent, proven, staff, event })
}

/// The compact form of what was sealed, which core folds.
///
/// # Errors
/// Where it holds no event.
pub fn event(plain: &[u8], time: Millis) -> Result<Cow<'_, [u8]>, StoreError> {
    #[derive(Deserialize)]
    struct EventOnly<'a> {
        #[serde(borrow)]
        event: FlatEvent<'a>,
    }
    if let Some(rest) = plain.strip_prefix(&[COMPACT]) {
        let (.., compact) = split(rest).ok_or_else(|| corrupt("it breaks off"))?;
        return Ok(Cow::Borrowed(compact));
    }
    let text = std::str::from_utf8(plain).map_err(corrupt)?;
    let encoded = match serde_json::from_str::<EventOnly<'_>>(text) {
        Ok(wire) => wire.event.encode(time),
        Err(_) => serde_json::from_str::<SealedWire>(text).map_err(corrupt)?.event.encode(time),
    };
    encoded.map(Cow::Owned).map_err(corrupt)
}

/// Whether what was sealed may say that it is proved.
pub fn claims_proof(plain: &[u8]) -> bool {
    match plain {
        [COMPACT, low, high, ..] => u16::from_le_bytes([*low, *high]) & PROVEN != 0,
        _ => true,
    }
}

/// What is said by bits, the texts, and the compact form.
type Parts<'a> = (u16, [Option<&'a str>; TEXTS], &'a [u8]);

fn split(bytes: &[u8]) -> Option<Parts<'_>> {
    let (present, mut rest) = bytes.split_first_chunk::<2>()?;
    let present = u16::from_le_bytes(*present);
    let mut texts = [None; TEXTS];
    for (bit, text) in texts.iter_mut().enumerate() {
        if present >> bit & 1 == 1 {
            let (length, behind) = rest.split_first_chunk::<2>()?;
            let (bytes, behind) = behind.split_at_checked(u16::from_le_bytes(*length).into())?;
            (*text, rest) = (Some(std::str::from_utf8(bytes).ok()?), behind);
        }
    }
    Some((present, texts, rest))
}

/// Where the compact form holds eight bytes of a number; nowhere in JSON, nor where it breaks off.
pub fn numbers(plain: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let parts = plain.strip_prefix(&[COMPACT]).and_then(split);
    let Some((.., compact)) = parts else { return found };
    let start = plain.len() - compact.len();
    let mut at = COMPACT_HEAD;
    let text = |at: usize| {
        let length = compact.get(at..at + 2)?;
        Some(at + 2 + usize::from(u16::from_le_bytes(length.try_into().ok()?)))
    };
    // The name and the message id come first, then each field's path and value.
    let mut walk = || {
        at = text(text(at)?)?;
        while at < compact.len() {
            let kind = text(at)?;
            at = match compact.get(kind)? {
                0 => {
                    found.push(start + kind + 1);
                    kind + 9
                }
                1 => text(kind + 1)?,
                _ => kind + 1,
            };
        }
        Some(())
    };
    walk();
    found
}

/// Version, kind, how many fields, time.
const COMPACT_HEAD: usize = 1 + 1 + 2 + 8;

fn corrupt(why: impl ToString) -> StoreError {
    StoreError::corrupt("event", why)
}
