//! Decisions of a page: core's own, with the model beside it.

use rapport_core::decide::{Brought, Decided, Want};
use rapport_core::event::Millis;
use rapport_core::scoring::ScorerFault;
use wasm_bindgen::prelude::*;

/// A workspace whose live model is an ONNX one.
#[wasm_bindgen]
pub struct Decider {
    brought: Brought,
}

/// A decision: `Verdict` in `sdk-js/src/types.ts`.
#[wasm_bindgen(getter_with_clone)]
pub struct Verdict {
    pub score: u8,
    pub probability: f64,
    /// 0 not, 1 undecided, 2 qualified.
    pub band: u8,
    pub base: u8,
    pub rest: i32,
    pub reasons: Vec<Reason>,
    /// Why there are no reasons.
    pub fault: Option<String>,
}

#[wasm_bindgen(getter_with_clone)]
#[derive(Clone)]
pub struct Reason {
    pub signal: u32,
    pub text: String,
    pub points: i32,
    /// The standard error of the points.
    pub error: f64,
}

/// What is thrown where the model gives no score.
#[wasm_bindgen(getter_with_clone)]
pub struct Fault {
    pub code: String,
    pub message: String,
}

#[wasm_bindgen]
impl Decider {
    /// Opens a brought model with the bundle's signals and words.
    #[wasm_bindgen(constructor)]
    pub fn new(signals: &[u8], model: &[u8], words: &[u8]) -> Result<Decider, Fault> {
        let brought = Brought::open(signals, model, words, &crate::opened);
        Ok(Self { brought: brought.map_err(ScorerFault::from)? })
    }

    /// Decides on a saved profile as it is at `time`, in milliseconds since 1970, with at most so many
    /// reasons; for 0 the model is asked once, for more a few hundred times.
    pub fn decide(&mut self, profile: &[u8], time: f64, reasons: usize) -> Result<Verdict, Fault> {
        let frame = self.brought.frame().engine();
        let unreadable = |error: rapport_core::profile::ProfileError| Fault {
            code: "shape".to_owned(),
            message: error.to_string(),
        };
        let profile = frame.open_profile(profile).map_err(unreadable)?;
        let want = Want { reasons, next_change: false };
        let Decided { decision, fault, errors, .. } =
            self.brought.decide(&profile, Millis(time as i64), want)?;
        let frame = self.brought.frame().engine();
        let said = decision.reasons.iter().zip(errors).map(|(reason, error)| {
            let mut text = String::new();
            frame.describe(&profile, &decision, reason, &mut text);
            Reason { signal: reason.id, text, points: reason.points, error }
        });
        Ok(Verdict {
            score: decision.score,
            probability: decision.probability,
            band: decision.band as u8,
            base: decision.base,
            rest: decision.rest,
            reasons: said.collect(),
            fault: fault.map(|fault| fault.code().to_owned()),
        })
    }
}

impl From<ScorerFault> for Fault {
    fn from(fault: ScorerFault) -> Self {
        Self { code: fault.code().to_owned(), message: fault.to_string() }
    }
}
