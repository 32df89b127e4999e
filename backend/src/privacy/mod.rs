//! Erasure: the key is shredded, the profile goes, the log keeps an anonymous tombstone.

pub mod http;
mod store;

pub use store::{Erasure, ErasureStore};

use crate::app::App;
use crate::clock;
use crate::error::StoreError;
use crate::identity::{Permit, SubjectId};
use crate::keys::SubjectKey;
use crate::live::Happening;

/// Erases a visitor, for good.
///
/// The list of erasures is written first, so that a stop in the middle is finished at the next start.
///
/// # Errors
/// Where a store cannot be written; asking again finishes what was begun.
pub fn erase(app: &App, permit: &Permit, subject: SubjectId) -> Result<(), StoreError> {
    let erasure = Erasure { scope: permit.scope(), subject, at: clock::now() };
    app.records.record_erasure(permit.actor(), &erasure)?;
    apply(app, &erasure)
}

/// Does again what the list of erasures says: for data that was restored from a backup.
///
/// # Errors
/// Where a store cannot be read or written.
pub fn apply_all(app: &App) -> Result<(), StoreError> {
    for erasure in app.records.erasures()? {
        let Erasure { scope, subject, .. } = erasure;
        let shredded = app.keys.subject_key(scope, subject)? == Some(SubjectKey::Shredded);
        if !shredded || app.profiles.profile(scope, subject)?.is_some() {
            apply(app, &erasure)?;
        }
    }
    Ok(())
}

fn apply(app: &App, erasure: &Erasure) -> Result<(), StoreError> {
    app.keys.shred(erasure.scope, erasure.subject, erasure.at)?;
    app.profiles.forget(erasure.scope, erasure.subject)?;
    app.feed.tell(erasure.scope, Happening::Gone(erasure.subject));
    Ok(())
}
