//! A bundle and the profile of the visitor of this page.

use rapport_core::decide::{Decision, Engine, Want};
use rapport_core::event::{Event, Millis};
use rapport_core::profile::Profile;

const REASONS: usize = 5;
/// Numbers of a decision before its reasons, and of each reason.
const HEAD: usize = SCORED + 4;
/// Those that say the score.
const SCORED: usize = 3;
const PER_REASON: usize = 3;

pub struct Page {
    engine: Engine,
    profile: Profile,
    /// Score, probability, band; of an explanation also base, rest, address of the texts, how many reasons,
    /// and for each reason its signal's id, its points, the bytes of its text.
    output: [f64; HEAD + REASONS * PER_REASON],
    /// The reasons' texts, one behind the other.
    texts: String,
}

impl Page {
    pub fn open(signals: &[u8], model: &[u8]) -> Option<Page> {
        let engine = Engine::open_scores(signals, model).ok()?;
        let profile = engine.new_profile();
        let output = [0.0; HEAD + REASONS * PER_REASON];
        Some(Page { engine, profile, output, texts: String::new() })
    }

    pub fn teach(&mut self, signals: &[u8], model: &[u8], words: &[u8]) -> bool {
        Engine::open(signals, model, words).map(|engine| self.engine = engine).is_ok()
    }

    pub fn explain(&mut self, profile: &[u8], time: f64) -> *const f64 {
        let Ok(profile) = self.engine.open_profile(profile) else { return core::ptr::null() };
        let want = Want { reasons: REASONS, next_change: false };
        let decision = self.engine.decide(&profile, Millis(time as i64), want);
        self.write(&profile, &decision);
        self.output.as_ptr()
    }

    pub fn apply(&mut self, event: &[u8]) -> *const f64 {
        let Ok(event) = Event::decode(event) else { return core::ptr::null() };
        self.engine.fold(&mut self.profile, &event, event.time);
        self.decide_at(event.time)
    }

    pub fn decide(&mut self, time: f64) -> *const f64 {
        self.decide_at(Millis(time as i64))
    }

    pub fn restore(&mut self, profile: &[u8]) -> bool {
        let opened = self.engine.open_profile(profile);
        opened.map(|profile| self.profile = profile).is_ok()
    }

    pub fn give(&mut self, signal: u32, value: f64, at: f64) {
        let signals = self.engine.signals();
        let Some(index) = signals.index_of(signal) else { return };
        self.profile.give(signals, index, value, Millis(at as i64));
    }

    pub fn save(&self) -> Vec<u8> {
        self.profile.encode(self.engine.signals())
    }

    pub fn forget(&mut self) {
        self.profile = self.engine.new_profile();
    }

    fn decide_at(&mut self, now: Millis) -> *const f64 {
        let want = Want { reasons: 0, next_change: false };
        let decision = self.engine.decide(&self.profile, now, want);
        self.write_score(&decision);
        self.output.as_ptr()
    }

    fn write_score(&mut self, decision: &Decision) {
        let [score, probability, band, ..] = &mut self.output;
        *score = f64::from(decision.score);
        *probability = decision.probability;
        *band = f64::from(decision.band as u8);
    }

    fn write(&mut self, profile: &Profile, decision: &Decision) {
        self.write_score(decision);
        let (head, reasons) = self.output.split_at_mut(HEAD);
        self.texts.clear();
        for (slot, reason) in reasons.chunks_exact_mut(PER_REASON).zip(&decision.reasons) {
            let start = self.texts.len();
            self.engine.describe(profile, decision, reason, &mut self.texts);
            let length = self.texts.len() - start;
            slot.copy_from_slice(&[f64::from(reason.id), f64::from(reason.points), length as f64]);
        }
        head[SCORED..].copy_from_slice(&[
            f64::from(decision.base),
            f64::from(decision.rest),
            self.texts.as_ptr() as usize as f64,
            decision.reasons.len() as f64,
        ]);
    }
}
