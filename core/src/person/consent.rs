//! Whether a person's events may be folded, who may have said so on several browsers.

use std::collections::BTreeMap;

/// What an event says of profiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consent {
    /// Whether it is allowed …
    pub granted: bool,
    /// … because the visitor said so; otherwise it is what the workspace takes for granted.
    pub said: bool,
}

/// What a person's browsers said of profiling last, event by event in the order in which they happened.
///
/// A no on one browser holds for the whole person until that browser takes it back; a yes on one
/// speaks for those that were never asked.
#[derive(Debug, Clone)]
pub struct Words<S>(BTreeMap<S, bool>);

impl<S> Default for Words<S> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<S: Ord> Words<S> {
    /// Whether an event of `subject` may be folded.
    pub fn hear(&mut self, subject: S, consent: Consent) -> bool {
        if consent.said {
            self.0.insert(subject, consent.granted);
        }
        self.said().unwrap_or(consent.granted)
    }

    /// What the person said in the end; `None` where they said nothing.
    pub fn said(&self) -> Option<bool> {
        (!self.0.is_empty()).then(|| self.0.values().all(|word| *word))
    }
}
