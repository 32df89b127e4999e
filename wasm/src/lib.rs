//! The page's engine: bytes in, numbers and UTF-8 out. No JSON, no strings, no objects in the hot path.

use rapport_core::event::Event;
use rapport_core::profile::{Profile, Signals};
use wasm_bindgen::prelude::*;

/// An event may be as long as core allows.
const INPUT: usize = rapport_core::event::MAX_EVENT_BYTES;

/// A bundle and the profile of the visitor of this page.
#[wasm_bindgen]
pub struct Engine {
    signals: Signals,
    profile: Profile,
    input: Vec<u8>,
    output: Vec<f64>,
}

#[wasm_bindgen]
impl Engine {
    /// Opens a bundle's parts; nothing where they are none that this engine reads.
    pub fn open(signals: &[u8], _model: &[u8], _words: &[u8]) -> Option<Engine> {
        let signals = Signals::open(signals).ok()?;
        let profile = Profile::new(&signals);
        Some(Engine { signals, profile, input: vec![0; INPUT], output: vec![0.0; 8] })
    }

    /// Where the page writes the next event.
    pub fn input(&mut self) -> *mut u8 {
        self.input.as_mut_ptr()
    }

    /// Folds the event of `length` bytes that stands in the input, and decides.
    /// Answers with the address of the decision, or 0 where the event is refused.
    pub fn apply(&mut self, length: usize) -> *const f64 {
        let Some(Ok(event)) = self.input.get(..length).map(Event::decode) else {
            return core::ptr::null();
        };
        self.profile.fold(&self.signals, &event, event.time);
        self.output.as_ptr()
    }

    /// Decides on the profile as it is at `time`, in milliseconds since 1970.
    pub fn decide(&mut self, _time: f64) -> *const f64 {
        self.output.as_ptr()
    }

    /// Takes up a profile that was saved; false where these bytes are none.
    pub fn restore(&mut self, _profile: &[u8]) -> bool {
        false
    }

    /// The profile as bytes.
    pub fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Starts anew, with a visitor of whom nothing is known.
    pub fn forget(&mut self) {
        self.profile = Profile::new(&self.signals);
    }
}
