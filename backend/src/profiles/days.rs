//! Folding much at once, sorted by subject: each profile is read and written once.

use super::acts::acts_in;
use super::fold::{Fold, in_lanes};
use super::people::{Who, is_event};
use super::store::{Change, PlacedAct};
use crate::app::App;
use crate::bundles::OpenBundle;
use crate::error::StoreError;
use crate::identity::{Scope, SubjectId};
use crate::log::{Envelope, Offset, Stretch};
use std::collections::BTreeSet;
use std::sync::mpsc;

/// People who are folded anew in one step.
const STEP: usize = 500;

/// Folds what a day of the log holds behind `after`, up to `end`, in one commit. Says whether it did: a day
/// with more proofs and merges than memory should hold is left as it was.
///
/// # Errors
/// Where a store cannot be read or written; [`StoreError::Stopping`] where the server stops.
pub(super) fn fold_day(
    app: &App,
    scope: Scope,
    bundle: &OpenBundle,
    after: Offset,
    end: Offset,
) -> Result<bool, StoreError> {
    let mut crowded = false;
    let folded = app.profiles.apply_all(scope, end, &mut |apply| {
        let (mut acts, mut again) = (Vec::new(), BTreeSet::new());
        std::thread::scope(|threads| {
            let (chunks, read) = mpsc::sync_channel(1);
            let reading = threads.spawn(move || {
                app.log.by_subject(Stretch { scope, after, until: end }, &mut |chunk| {
                    chunks.send(chunk).map_err(|_| StoreError::Stopping)
                })
            });
            for chunk in read {
                if *app.stopping.borrow() {
                    return Err(StoreError::Stopping);
                }
                let who = Who::stored(app, scope);
                let fold = Fold { app, scope, bundle, until: end, lane: 0, who: &who };
                apply(&fold_chunk(&fold, chunk, &mut acts, &mut again)?)?;
                if acts.len() > app.acts_together {
                    crowded = true;
                    // Takes back what was applied.
                    return Err(StoreError::Stopping);
                }
            }
            reading.join().map_err(|_| StoreError::corrupt("log", "reading it panicked"))?
        })?;
        acts.sort_unstable_by_key(|act: &PlacedAct| act.at.arrival);
        let who = Who::after(app, scope, acts)?;
        again.extend(&who.affected);
        let fold = Fold { app, scope, bundle, until: end, lane: 0, who: &who };
        for people in again.into_iter().collect::<Vec<_>>().chunks(STEP) {
            apply(&in_lanes(&fold, people.to_vec(), |fold, person| fold.refold(person))?)?;
        }
        apply(&who.changes().collect::<Vec<_>>())
    });
    if crowded { Ok(false) } else { folded.map(|()| true) }
}

/// Folds the subjects of a chunk who are nobody but themselves, and notes whom the others' events
/// belong to and what the events say of who is who.
fn fold_chunk(
    fold: &Fold<'_>,
    chunk: Vec<Envelope>,
    acts: &mut Vec<PlacedAct>,
    again: &mut BTreeSet<SubjectId>,
) -> Result<Vec<Change>, StoreError> {
    let mut alone: Vec<(SubjectId, Vec<Envelope>)> = Vec::new();
    let mut linked = None;
    for envelope in chunk {
        acts.extend(acts_in(fold.app, fold.scope, &envelope)?);
        let subject = envelope.draft.subject;
        if linked == Some(subject) || !is_event(&envelope) {
            continue;
        }
        if let Some((last, events)) = alone.last_mut()
            && *last == subject
        {
            events.push(envelope);
            continue;
        }
        let pieces = fold.who.pieces(subject)?;
        if pieces.is_empty() && fold.who.members(subject)? == [subject] {
            alone.push((subject, vec![envelope]));
            continue;
        }
        linked = Some(subject);
        again.extend(pieces.iter().map(|piece| piece.person));
        if pieces.is_empty() {
            again.insert(subject);
        }
    }
    in_lanes(fold, alone, |fold, (person, envelopes)| fold.person(person, envelopes))
}
