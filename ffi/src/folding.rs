//! Events and stored profiles: bytes in, bytes out.

use crate::boundary::Refusal;
use rapport_core::event::{Event, EventWire, Millis};
use rapport_core::profile::{Profile, Signals};

/// See `rapport_encode_event`.
pub fn encode(json: &[u8], time: f64) -> Result<Vec<u8>, Refusal> {
    let wire: EventWire = serde_json::from_slice(json)?;
    let time = match time.is_nan() {
        true => wire.client_time()?.unwrap_or_default(),
        false => Millis(time as i64),
    };
    Ok(wire.encode(time)?)
}

/// See `rapport_event_time`.
pub fn event_time(json: &[u8], received: f64) -> Result<f64, Refusal> {
    let wire: EventWire = serde_json::from_slice(json)?;
    Ok(wire.event_time(Millis(received as i64))?.0 as f64)
}

/// See `rapport_fold`.
pub fn fold(signals: &Signals, profile: &[u8], events: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut profile = open(signals, profile)?;
    let mut rest = events;
    while !rest.is_empty() {
        let (now, behind) = rest.split_first_chunk::<8>().ok_or(Refusal::Cut)?;
        let (length, behind) = behind.split_first_chunk::<4>().ok_or(Refusal::Cut)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (event, behind) = behind.split_at_checked(length).ok_or(Refusal::Cut)?;
        let event = Event::decode(event)?;
        let now = f64::from_le_bytes(*now);
        let now = if now.is_nan() { event.time } else { Millis(now as i64) };
        profile.fold(signals, &event, now);
        rest = behind;
    }
    Ok(profile.encode(signals))
}

/// See `rapport_merge`.
pub fn merge(signals: &Signals, profile: &[u8], other: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut profile = open(signals, profile)?;
    profile.merge(signals, &open(signals, other)?);
    Ok(profile.encode(signals))
}

/// See `rapport_values`.
pub fn values(
    signals: &Signals,
    profile: &[u8],
    now: f64,
    out: &mut Vec<f64>,
) -> Result<(), Refusal> {
    let profile = open(signals, profile)?;
    out.clear();
    for index in 0..signals.len() {
        match profile.level(index) {
            Some(level) => out.extend([1.0, f64::from(level)]),
            None => out.extend([0.0, profile.value(signals, index, Millis(now as i64))]),
        }
    }
    Ok(())
}

fn open(signals: &Signals, profile: &[u8]) -> Result<Profile, Refusal> {
    Ok(match profile {
        [] => Profile::new(signals),
        stored => Profile::open(stored, signals)?,
    })
}
