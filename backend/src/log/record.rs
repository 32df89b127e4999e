//! An envelope as bytes in a journal: `docs/log-format.md`.

use super::{Consent, Draft, Envelope, Offset, Open, Sealed};
use crate::identity::{Scope, SubjectId};

const SENT_AT: u8 = 1;
const CLIENT_TIME: u8 = 2;
const PATH: u8 = 4;
const REFERRER: u8 = 8;
const SOURCE: u8 = 16;
const MEDIUM: u8 = 32;
const CAMPAIGN: u8 = 64;

/// Appends an envelope, its length first.
pub fn write(offset: Offset, draft: &Draft, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&draft.scope.to_bytes());
    out.extend_from_slice(&offset.0.to_le_bytes());
    out.extend_from_slice(&draft.subject.0);
    out.extend_from_slice(&draft.event_time.to_le_bytes());
    out.extend_from_slice(&draft.received_at.to_le_bytes());
    out.push(draft.consent.bits());
    out.extend_from_slice(&draft.schema_version.to_le_bytes());
    let open = &draft.open;
    let texts = [
        (PATH, &open.path),
        (REFERRER, &open.referrer_host),
        (SOURCE, &open.source),
        (MEDIUM, &open.medium),
        (CAMPAIGN, &open.campaign),
    ];
    let times = [(SENT_AT, draft.sent_at), (CLIENT_TIME, open.client_time)];
    let mut present = 0;
    texts.iter().filter(|(_, text)| text.is_some()).for_each(|(bit, _)| present |= bit);
    times.iter().filter(|(_, time)| time.is_some()).for_each(|(bit, _)| present |= bit);
    out.push(present);
    times.iter().filter_map(|(_, time)| *time).for_each(|time| out.extend(time.to_le_bytes()));
    text(&draft.message_id, out);
    text(&open.kind, out);
    text(&open.name, out);
    texts.iter().filter_map(|(_, part)| part.as_deref()).for_each(|part| text(part, out));
    // Only what has just arrived is written, and that is sealed alone.
    if let Sealed::Alone(sealed) = &draft.sealed {
        out.extend_from_slice(sealed);
    }
    let length = (out.len() - start - 4) as u32;
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

/// The door lets no longer texts in; one that came another way is cut at a character.
fn text(text: &str, out: &mut Vec<u8>) {
    let kept = text.get(..text.floor_char_boundary(usize::from(u16::MAX))).unwrap_or_default();
    out.extend_from_slice(&(kept.len() as u16).to_le_bytes());
    out.extend_from_slice(kept.as_bytes());
}

/// Reads one envelope off the front of `bytes`; `None` where it is damaged.
pub fn read(bytes: &mut &[u8]) -> Option<Envelope> {
    let length = u32::from_le_bytes(take(bytes)?) as usize;
    let (own, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    let mut own = own;
    let (scope, offset) = place(&mut own)?;
    let subject = SubjectId(take(&mut own)?);
    let event_time = i64::from_le_bytes(take(&mut own)?);
    let received_at = i64::from_le_bytes(take(&mut own)?);
    let [consent] = take(&mut own)?;
    let schema_version = u16::from_le_bytes(take(&mut own)?);
    let [present] = take(&mut own)?;
    let own = &mut own;
    let sent_at = optional(present & SENT_AT, || Some(i64::from_le_bytes(take(own)?)))?;
    let client_time = optional(present & CLIENT_TIME, || Some(i64::from_le_bytes(take(own)?)))?;
    let message_id = taken_text(own)?;
    let (kind, name) = (taken_text(own)?, taken_text(own)?);
    let mut maybe = |bit| optional(present & bit, || taken_text(own));
    let open = Open {
        kind,
        name,
        path: maybe(PATH)?,
        referrer_host: maybe(REFERRER)?,
        source: maybe(SOURCE)?,
        medium: maybe(MEDIUM)?,
        campaign: maybe(CAMPAIGN)?,
        client_time,
    };
    let draft = Draft {
        scope,
        message_id,
        subject,
        event_time,
        sent_at,
        received_at,
        consent: Consent::from_bits(consent),
        schema_version,
        open,
        sealed: own.to_vec().into(),
    };
    Some(Envelope { offset, draft })
}

/// The first envelope of `bytes`, its length included; `None` where it is cut off.
pub fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let length = u32::from_le_bytes(*bytes.first_chunk()?) as usize;
    bytes.get(..4 + length)
}

/// Reads scope and offset of the next envelope, and steps over it.
pub fn skip(bytes: &mut &[u8]) -> Option<(Scope, Offset)> {
    let length = u32::from_le_bytes(take(bytes)?) as usize;
    let (mut own, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    place(&mut own)
}

fn place(bytes: &mut &[u8]) -> Option<(Scope, Offset)> {
    Some((Scope::from_bytes(take(bytes)?)?, Offset(i64::from_le_bytes(take(bytes)?))))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

fn optional<T>(bit: u8, read: impl FnOnce() -> Option<T>) -> Option<Option<T>> {
    if bit == 0 { Some(None) } else { read().map(Some) }
}

fn taken_text(bytes: &mut &[u8]) -> Option<String> {
    let length = usize::from(u16::from_le_bytes(take(bytes)?));
    let (text, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    String::from_utf8(text.to_vec()).ok()
}
