//! The page's engine: bytes in, numbers and UTF-8 out. No JSON, no strings, no objects in the hot path.

#[cfg(feature = "full")]
mod full;

use rapport_core::decide::{Decision, Engine, Want};
use rapport_core::event::{Event, MAX_EVENT_BYTES, Millis};
use rapport_core::profile::Profile;
use wasm_bindgen::prelude::*;

const REASONS: usize = 5;
/// Numbers of a decision before its reasons, and of each reason.
const HEAD: usize = 7;
const PER_REASON: usize = 3;

/// A bundle, and the profile of the visitor of this page.
#[wasm_bindgen]
pub struct Page {
    engine: Engine,
    profile: Profile,
    input: Vec<u8>,
    /// Score, probability, band, base, rest, address of the texts, how many reasons;
    /// for each reason its signal's id, its points, the bytes of its text.
    output: [f64; HEAD + REASONS * PER_REASON],
    /// The reasons' texts, one behind the other.
    texts: String,
}

#[wasm_bindgen]
impl Page {
    /// Opens a bundle's parts; nothing where they are none that this engine reads.
    pub fn open(signals: &[u8], model: &[u8], words: &[u8]) -> Option<Page> {
        let engine = Engine::open(signals, model, words).ok()?;
        let profile = engine.new_profile();
        let output = [0.0; HEAD + REASONS * PER_REASON];
        let texts = String::with_capacity(1024);
        Some(Page { engine, profile, input: vec![0; MAX_EVENT_BYTES], output, texts })
    }

    /// Where the page writes the next event: 32 KiB.
    pub fn input(&mut self) -> *mut u8 {
        self.input.as_mut_ptr()
    }

    /// Folds the event of `length` bytes that stands in the input, and decides.
    /// Answers with the address of the decision, or 0 where the event is refused.
    pub fn apply(&mut self, length: usize) -> *const f64 {
        let Some(Ok(event)) = self.input.get(..length).map(Event::decode) else {
            return core::ptr::null();
        };
        let now = event.time;
        self.engine.fold(&mut self.profile, &event, now);
        self.decide_at(now)
    }

    /// Decides on the profile as it is at `time`, in milliseconds since 1970.
    pub fn decide(&mut self, time: f64) -> *const f64 {
        self.decide_at(Millis(time as i64))
    }

    /// Takes up a profile that was saved; false where these bytes are none.
    pub fn restore(&mut self, profile: &[u8]) -> bool {
        let opened = self.engine.open_profile(profile);
        opened.map(|profile| self.profile = profile).is_ok()
    }

    /// The profile as bytes.
    pub fn save(&self) -> Vec<u8> {
        self.profile.encode(self.engine.signals())
    }

    /// Starts anew, with a visitor of whom nothing is known.
    pub fn forget(&mut self) {
        self.profile = self.engine.new_profile();
    }

    fn decide_at(&mut self, now: Millis) -> *const f64 {
        let decision = self.engine.decide(&self.profile, now, Want { reasons: REASONS });
        self.write(&decision);
        self.output.as_ptr()
    }

    fn write(&mut self, decision: &Decision) {
        let (head, reasons) = self.output.split_at_mut(HEAD);
        self.texts.clear();
        for (slot, reason) in reasons.chunks_exact_mut(PER_REASON).zip(&decision.reasons) {
            let start = self.texts.len();
            self.engine.describe(&self.profile, decision, reason, &mut self.texts);
            let length = self.texts.len() - start;
            slot.copy_from_slice(&[f64::from(reason.id), f64::from(reason.points), length as f64]);
        }
        head.copy_from_slice(&[
            f64::from(decision.score),
            decision.probability,
            f64::from(decision.band as u8),
            f64::from(decision.base),
            f64::from(decision.rest),
            self.texts.as_ptr() as usize as f64,
            decision.reasons.len() as f64,
        ]);
    }
}
