//! Erasure: the keys are shredded, the profile goes, the log keeps anonymous tombstones.

pub mod http;
mod store;

pub use store::{Erasure, ErasureStore};

use crate::app::App;
use crate::clock;
use crate::error::StoreError;
use crate::identity::{Permit, Scope, SubjectId};
use crate::keys::SubjectKey;
use crate::live::Happening;
use crate::log::DayNumber;
use crate::profiles::Who;
use std::collections::{BTreeMap, BTreeSet};

/// Erases the person who a visitor is, for good: every id that was merged, and every browser of which
/// a piece is theirs. Answers whom.
///
/// The list of erasures is written first, so that a stop in the middle is finished at the next start.
///
/// # Errors
/// Where a store cannot be written; asking again finishes what was begun.
pub fn erase(app: &App, permit: &Permit, subject: SubjectId) -> Result<Vec<SubjectId>, StoreError> {
    let scope = permit.scope();
    let who = Who::now(app, scope)?;
    let mut erased = who.members(who.person(subject)?)?;
    if !erased.contains(&subject) {
        erased.push(subject);
    }
    let at = clock::now();
    let erasures: Vec<_> =
        erased.iter().map(|subject| Erasure { scope, subject: *subject, at }).collect();
    app.records.record_erasures(permit.actor(), &erasures)?;
    apply(app, scope, &erasures)?;
    Ok(erased)
}

/// Does again what was erased: for data, or a key store, that was restored from a backup. Either knows
/// of erasures that the other has forgotten: the list of the records, and the keys that are gone.
///
/// # Errors
/// Where a store cannot be read or written.
pub fn apply_all(app: &App) -> Result<(), StoreError> {
    let listed: BTreeSet<_> =
        app.records.erasures()?.iter().map(|erasure| (erasure.scope, erasure.subject)).collect();
    let workspaces: BTreeSet<_> =
        app.records.workspaces()?.iter().map(|workspace| workspace.id).collect();
    let mut forgotten: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (scope, subject, at) in app.keys.shredded()? {
        // Of a workspace that the data does not know, it knows no visitor either.
        if !listed.contains(&(scope, subject)) && workspaces.contains(&scope.workspace) {
            forgotten.entry(scope).or_default().push(Erasure { scope, subject, at });
        }
    }
    for (scope, erasures) in forgotten {
        app.records.record_erasures(Permit::operator(scope).actor(), &erasures)?;
    }
    for erasure in app.records.erasures()? {
        let Erasure { scope, subject, .. } = erasure;
        let shredded = app.keys.subject_key(scope, subject)? == Some(SubjectKey::Shredded);
        if !shredded
            || app.profiles.profile(scope, subject)?.is_some()
            || !app.profiles.acts(scope, subject)?.is_empty()
        {
            apply(app, scope, &[erasure])?;
        }
    }
    Ok(())
}

/// Forgets the days of each scope that are older than its settings keep them, later.
pub fn forget_old(app: &App) {
    let scopes = app.log.ends();
    let all = scopes
        .and_then(|scopes| scopes.into_iter().try_for_each(|(scope, _)| forget_old_of(app, scope)));
    if let Err(error) = all {
        tracing::error!(%error, "old days were not forgotten; it is tried again");
    }
}

/// Forgets the days of a scope that are older than its settings keep them, later.
///
/// # Errors
/// Where the settings cannot be read.
pub fn forget_old_of(app: &App, scope: Scope) -> Result<(), StoreError> {
    if let Some(days) = app.records.settings(scope)?.retention_days {
        let today = DayNumber::of(clock::now());
        app.projector.forget(scope, DayNumber(today.0 - i64::from(days)));
    }
    Ok(())
}

fn apply(app: &App, scope: Scope, erasures: &[Erasure]) -> Result<(), StoreError> {
    let erased: Vec<_> = erasures.iter().map(|erasure| erasure.subject).collect();
    // Some events of an erased browser may have been somebody else's.
    let mut touched: BTreeSet<_> = erased.iter().copied().collect();
    for Erasure { subject, at, .. } in erasures {
        touched.extend(app.profiles.pieces(scope, *subject)?.iter().map(|piece| piece.person));
        app.keys.shred(scope, *subject, *at)?;
    }
    app.profiles.forget(scope, &erased)?;
    app.results.forget(scope, &erased)?;
    app.exposures.forget(scope, erased.clone());
    for subject in erased {
        app.feed.tell(scope, Happening::Gone(subject));
    }
    app.projector.again(scope, touched.into_iter().collect());
    Ok(())
}
