//! Profiles as conformance cases see them: event by event, value by value.

use rapport_core::event::{Event, EventWire, Millis};
use rapport_core::profile::{Profile, Signals};
use wasm_bindgen::prelude::*;

/// A profile with the signals that it is folded into.
#[wasm_bindgen]
pub struct Folding {
    signals: Signals,
    profile: Profile,
}

#[wasm_bindgen]
impl Folding {
    /// A profile over a `signals` part: a new one, or one that was stored.
    #[wasm_bindgen(constructor)]
    pub fn new(part: &[u8], stored: Option<Vec<u8>>) -> Result<Folding, JsError> {
        let signals = Signals::open(part)?;
        let profile = match stored {
            Some(stored) => Profile::open(&stored, &signals)?,
            None => Profile::new(&signals),
        };
        Ok(Self { signals, profile })
    }

    /// Folds an event in JSON's shape in; without `now` it arrives when it happens.
    pub fn fold(&mut self, event: JsValue, now: Option<f64>) -> Result<(), JsError> {
        let wire: EventWire = serde_wasm_bindgen::from_value(event)?;
        let time = wire.client_time()?.unwrap_or_default();
        let now = now.map_or(time, |now| Millis(now as i64));
        let bytes = wire.encode(time)?;
        self.profile.fold(&self.signals, &Event::decode(&bytes)?, now);
        Ok(())
    }

    /// Opens a stored profile over a `signals` part, such as a hint.
    pub fn resume(part: &[u8], stored: &[u8]) -> Result<Folding, JsError> {
        let signals = Signals::open(part)?;
        let profile = Profile::open(stored, &signals)?;
        Ok(Self { signals, profile })
    }

    /// A number; NaN where missing and for categories.
    pub fn value(&self, name: &str, now: f64) -> f64 {
        let index = self.signals.index_of_name(name).unwrap_or(usize::MAX);
        self.profile.value(&self.signals, index, Millis(now as i64))
    }

    /// The hash of a category's level.
    pub fn level(&self, name: &str) -> Option<u32> {
        self.profile.level(self.signals.index_of_name(name)?)
    }

    /// The profile as bytes.
    pub fn stored(&self) -> Vec<u8> {
        self.profile.encode(&self.signals)
    }

    /// Stores the profile and opens it with other signals.
    pub fn reopen(&mut self, part: &[u8]) -> Result<(), JsError> {
        let stored = self.stored();
        self.signals = Signals::open(part)?;
        self.profile = Profile::open(&stored, &self.signals)?;
        Ok(())
    }

    /// Puts another profile over the same signals in.
    pub fn merge(&mut self, other: &Folding) {
        self.profile.merge(&self.signals, &other.profile);
    }
}

/// An event in JSON's shape in its compact form.
#[wasm_bindgen(js_name = encodeEvent)]
pub fn encode_event(event: JsValue, time: f64) -> Result<Vec<u8>, JsError> {
    let wire: EventWire = serde_wasm_bindgen::from_value(event)?;
    Ok(wire.encode(Millis(time as i64))?)
}

/// When an event happened, by the clock of who received it.
#[wasm_bindgen(js_name = eventTime)]
pub fn event_time(event: JsValue, received: f64) -> Result<f64, JsError> {
    let wire: EventWire = serde_wasm_bindgen::from_value(event)?;
    Ok(wire.event_time(Millis(received as i64))?.0 as f64)
}
