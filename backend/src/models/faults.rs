//! How often brought models were asked, and how often they failed.

use crate::identity::Scope;
use crate::sqlite::lock;
use rapport_core::scoring::ScorerFault;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use utoipa::ToSchema;

/// Counts of every scope, since the server started.
#[derive(Default)]
pub struct Faults(Mutex<HashMap<Scope, Arc<Counts>>>);

/// Counts of one scope.
#[derive(Default)]
pub struct Counts {
    asked: AtomicU64,
    failed: [AtomicU64; ScorerFault::CODES.len()],
}

/// How a brought model does, since the server started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CountsView {
    /// Scores that it was asked for.
    pub asked: u64,
    /// Of those, the ones that something else had to answer or that have no reasons, by why.
    pub faults: BTreeMap<&'static str, u64>,
}

impl Faults {
    /// The counts of a scope.
    pub fn of(&self, scope: Scope) -> Arc<Counts> {
        lock(&self.0).entry(scope).or_default().clone()
    }
}

impl Counts {
    /// Counts a score, and what went wrong with it.
    pub fn count(&self, fault: Option<&ScorerFault>) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let Some(code) = fault.map(ScorerFault::code) else { return };
        let place = ScorerFault::CODES.iter().position(|known| *known == code);
        if let Some(count) = place.and_then(|place| self.failed.get(place)) {
            // The first says in the log what the others say again.
            if count.fetch_add(1, Ordering::Relaxed) == 0
                && let Some(fault) = fault
            {
                tracing::warn!(%fault, "a brought model failed; the workspace's own answers");
            }
        }
    }

    /// As clients see them; `None` where no brought model was asked.
    pub fn view(&self) -> Option<CountsView> {
        let asked = self.asked.load(Ordering::Relaxed);
        let faults = ScorerFault::CODES.into_iter().zip(&self.failed);
        let faults = faults.map(|(code, count)| (code, count.load(Ordering::Relaxed)));
        let faults = faults.filter(|(_, count)| *count > 0).collect();
        (asked > 0).then_some(CountsView { asked, faults })
    }
}
