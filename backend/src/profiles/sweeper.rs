//! Scores age: what decays or ends is scored again when that changes the score, though nothing happens.

use super::fold::Fold;
use super::people::Who;
use super::projector::{STEP, tell};
use super::service::{band_word, open};
use super::store::{Change, StoredProfile};
use super::view::Cause;
use crate::app::App;
use crate::bundles::OpenBundle;
use crate::clock::{self, Millis};
use crate::error::StoreError;
use crate::identity::Scope;
use crate::keys::SubjectKey;
use rapport_core::decide::Want;
use rapport_core::event::Millis as CoreMillis;

/// A score is looked at again no sooner than this …
const REST: Millis = 30_000;
/// … nor before its visitor has been away so much longer, as a part of the time already: who left
/// long ago changes slowly, and costs next to nothing.
const AWAY: Millis = 50;

/// Scores again what is due in every scope; a failure is logged, and met again at the next sweep.
pub(super) fn sweep_all(app: &App) {
    let swept = app
        .log
        .ends()
        .and_then(|ends| ends.into_iter().try_for_each(|(scope, _)| sweep(app, scope)));
    if let Err(error) = swept {
        tracing::error!(%error, "scores were not brought up to date");
    }
}

fn sweep(app: &App, scope: Scope) -> Result<(), StoreError> {
    let Some(bundle) = app.bundles.get(app, scope)? else { return Ok(()) };
    let now = clock::now();
    let due = app.profiles.due(scope, now, STEP)?;
    if due.is_empty() {
        return Ok(());
    }
    let position = app.profiles.position(scope)?;
    let who = Who::stored(app, scope);
    let fold = Fold { app, scope, bundle: &bundle, until: position, lane: 0, who: &who };
    let mut changes = Vec::with_capacity(due.len());
    let mut news = Vec::new();
    for stored in due {
        let shown = (stored.score, stored.band.clone());
        let change = match again(app, scope, &bundle, &stored, now)? {
            Some(stored) => Change::Keep(Box::new(stored)),
            None => fold.refold(stored.subject)?,
        };
        match &change {
            Change::Keep(stored) if (stored.score, &stored.band) == (shown.0, &shown.1) => {}
            change => news.push(change.clone()),
        }
        changes.push(change);
    }
    app.profiles.apply(scope, position, &changes)?;
    tell(app, scope, &bundle, &news, |_| Cause::Decay);
    Ok(())
}

/// A profile scored as of now; `None` where it has to be folded again.
fn again(
    app: &App,
    scope: Scope,
    bundle: &OpenBundle,
    stored: &StoredProfile,
    now: Millis,
) -> Result<Option<StoredProfile>, StoreError> {
    let key = app.keys.subject_key(scope, stored.subject)?.and_then(SubjectKey::kept);
    let Some(key) = key.filter(|_| stored.signals == bundle.signals) else { return Ok(None) };
    let mut engine = bundle.folding_engine(0);
    let Ok(profile) = open(&key, scope, &engine, stored) else { return Ok(None) };
    let want = Want { reasons: 0, next_change: true };
    let decision = engine.decide(&profile, CoreMillis(now), want).decision;
    let rest = REST.max((now - stored.event_time) / AWAY);
    Ok(Some(StoredProfile {
        score: decision.score,
        band: band_word(decision.band).to_owned(),
        as_of: decision.as_of.0,
        next_change_at: decision.next_change_at.map(|at| at.0.max(now + rest)),
        ..stored.clone()
    }))
}
