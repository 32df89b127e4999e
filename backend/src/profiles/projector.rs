//! The thread that folds the log into profiles. Live, late and rebuilt go the same way.

use super::days::fold_day;
use super::fold::{Fold, in_lanes};
use super::http::LATEST;
use super::people::{Who, is_event, moment, owner};
use super::service::visitor_view;
use super::store::Change;
use super::sweeper::sweep_all;
use super::view::Cause;
use crate::app::{App, Shared};
use crate::bundles::OpenBundle;
use crate::error::{Problem, StoreError, blocking};
use crate::identity::{Scope, SubjectId};
use crate::keys::SubjectKey;
use crate::live::Happening;
use crate::log::{DayNumber, Envelope, Offset};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{oneshot, watch};

/// The way to the projector's thread.
#[derive(Clone)]
pub struct Projector {
    inbox: mpsc::Sender<Message>,
    /// Up to where the thread has come, for those who wait for it.
    folded: Arc<watch::Sender<BTreeMap<Scope, Offset>>>,
}

enum Message {
    /// The log of a scope grew.
    Grew(Scope),
    /// The signals of a scope changed.
    Refold(Scope),
    /// Something was erased or set; these subjects' profiles may hold some of it, or lack it.
    Again(Scope, Vec<SubjectId>),
    /// The profiles of a scope are to be thrown away and folded again.
    Rebuild(Scope, oneshot::Sender<Result<usize, StoreError>>),
    /// The days of a scope before one are to be forgotten.
    Forget(Scope, DayNumber),
    Stop,
}

/// Subjects that are folded in one commit.
pub(super) const STEP: u32 = 500;
/// Envelopes that are read and folded in one commit, where so many wait.
const READ: u32 = 8192;
/// After a failure the thread waits before it tries again.
const PAUSE: Duration = Duration::from_secs(1);
/// Scores that time alone has changed are looked for this often.
const SWEEP: Duration = Duration::from_secs(1);

impl Projector {
    /// A projector whose thread is not running yet, and what to run it with.
    pub(crate) fn prepare() -> (Self, Inbox) {
        let (sender, receiver) = mpsc::channel();
        (Self { inbox: sender, folded: Arc::default() }, Inbox(receiver))
    }

    /// Says that the log of a scope grew.
    pub fn grew(&self, scope: Scope) {
        // Fails only after the thread was told to stop; the next start catches up.
        let _ = self.inbox.send(Message::Grew(scope));
    }

    /// Folds every profile of a scope again, later.
    pub fn refold(&self, scope: Scope) {
        let _ = self.inbox.send(Message::Refold(scope));
    }

    /// Folds the profiles of some subjects again, later.
    pub fn again(&self, scope: Scope, subjects: Vec<SubjectId>) {
        let _ = self.inbox.send(Message::Again(scope, subjects));
    }

    /// Forgets the sealed days of a scope before `day`, and what followed from them, later.
    pub fn forget(&self, scope: Scope, day: DayNumber) {
        let _ = self.inbox.send(Message::Forget(scope, day));
    }

    /// Throws the profiles of a scope away and folds its whole log again; answers how many there are then.
    ///
    /// # Errors
    /// Where a store cannot be read or written; what is missing then follows at the next event.
    pub async fn rebuild(&self, scope: Scope) -> Result<usize, StoreError> {
        let (done, result) = oneshot::channel();
        self.inbox.send(Message::Rebuild(scope, done)).map_err(|_| StoreError::Stopping)?;
        result.await.map_err(|_| StoreError::Stopping)?
    }

    /// Waits until the log of a scope has been folded up to `offset`, but no longer than `patience`.
    ///
    /// # Errors
    /// Where the position cannot be read.
    pub async fn reached(
        &self,
        app: &Shared,
        scope: Scope,
        offset: Offset,
        patience: Duration,
    ) -> Result<(), Problem> {
        let mut folded = self.folded.subscribe();
        let app = app.clone();
        if blocking(move || app.profiles.position(scope)).await? < offset {
            let there = |all: &BTreeMap<Scope, Offset>| all.get(&scope) >= Some(&offset);
            // Whoever waited in vain is answered with what there is.
            let _ = tokio::time::timeout(patience, folded.wait_for(there)).await;
        }
        Ok(())
    }

    /// Ends the thread after what it is doing.
    pub fn stop(&self) {
        let _ = self.inbox.send(Message::Stop);
    }
}

/// What the projector's thread reads.
pub(crate) struct Inbox(mpsc::Receiver<Message>);

impl Inbox {
    /// Starts the thread, which first catches up with the log.
    pub(crate) fn run(self, app: Shared) -> std::io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name("projector".to_owned()).spawn(move || run(&self.0, &app))
    }
}

fn run(inbox: &mpsc::Receiver<Message>, app: &App) {
    match app.log.ends() {
        Ok(ends) => ends.into_iter().for_each(|(scope, _)| app.projector.grew(scope)),
        Err(error) => tracing::error!(%error, "projector cannot read the log"),
    }
    let mut swept = Instant::now();
    loop {
        let first = match inbox.recv_timeout(SWEEP.saturating_sub(swept.elapsed())) {
            Ok(message) => Some(message),
            Err(mpsc::RecvTimeoutError::Timeout) => None,
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        };
        if swept.elapsed() >= SWEEP {
            sweep_all(app);
            swept = Instant::now();
        }
        // A scope that grew a hundred times meanwhile is read once.
        let (mut grew, mut refold) = (BTreeSet::new(), BTreeSet::new());
        let mut again: BTreeMap<Scope, Vec<SubjectId>> = BTreeMap::new();
        for message in first.into_iter().chain(inbox.try_iter()) {
            match message {
                Message::Grew(scope) => _ = grew.insert(scope),
                Message::Refold(scope) => _ = refold.insert(scope),
                Message::Again(scope, subjects) => again.entry(scope).or_default().extend(subjects),
                // Whoever no longer waits gets it rebuilt all the same.
                Message::Rebuild(scope, done) => _ = done.send(rebuild(app, scope)),
                Message::Forget(scope, day) => {
                    if let Err(error) = forget(app, scope, day) {
                        tracing::error!(%error, %scope, "old days were not forgotten; it is tried again");
                    }
                }
                Message::Stop => return,
            }
        }
        let refolded = refold
            .into_iter()
            .map(|scope| (scope, refold_scope(app, scope), Message::Refold(scope)));
        let caught_up =
            grew.into_iter().map(|scope| (scope, catch_up(app, scope), Message::Grew(scope)));
        let mended = again.into_iter().map(|(scope, subjects)| {
            (scope, mend(app, scope, &subjects), Message::Again(scope, subjects))
        });
        for (scope, result, again) in refolded.chain(caught_up).chain(mended) {
            if let Err(error) = result {
                tracing::error!(%error, %scope, "projection failed; it is tried again");
                std::thread::sleep(PAUSE);
                let _ = app.projector.inbox.send(again);
            }
        }
    }
}

/// Forgets old days of the log, and folds again whom they were about: a profile says what the log
/// does. Who is who stays known. A stop in the middle begins again.
fn forget(app: &App, scope: Scope, day: DayNumber) -> Result<(), StoreError> {
    let mut whom: BTreeSet<_> = app.log.forget(scope, day)?.into_iter().collect();
    for subject in whom.clone() {
        whom.extend(app.profiles.pieces(scope, subject)?.iter().map(|piece| piece.person));
    }
    // What they once refused holds though nobody says it again.
    app.profiles.keep_words(scope, &app.log.last_words(scope)?)?;
    if !whom.is_empty() {
        mend(app, scope, &whom.into_iter().collect::<Vec<_>>())?;
    }
    app.log.discard(scope)?;
    app.exposures.grew(scope);
    Ok(())
}

fn rebuild(app: &App, scope: Scope) -> Result<usize, StoreError> {
    app.profiles.clear(scope, app.log.forgotten(scope)?)?;
    catch_up(app, scope)?;
    Ok(app.profiles.subjects(scope)?.len())
}

fn catch_up(app: &App, scope: Scope) -> Result<(), StoreError> {
    // Without a bundle there is nothing to fold for; the log waits.
    let Some(bundle) = app.bundles.get(app, scope)? else { return Ok(()) };
    if app.profiles.position(scope)? > app.log.end(scope)? {
        tracing::warn!(%scope, "the log is older than its profiles; they are folded anew");
        app.profiles.clear(scope, app.log.forgotten(scope)?)?;
    }
    let mut ahead = None;
    // Up to here the log says too much of who is who to be folded by subject.
    let mut crowded = Offset(0);
    loop {
        let after = app.profiles.position(scope)?;
        if *app.stopping.borrow() {
            // The next start goes on from here.
            return Ok(());
        }
        if after >= crowded
            && let Some(end) = app.log.sorted_until(scope, after)?
        {
            ahead = None;
            match fold_day(app, scope, &bundle, after, end) {
                Ok(true) => {
                    app.projector.folded.send_modify(|all| _ = all.insert(scope, end));
                    tell_latest(app, scope, &bundle)?;
                    continue;
                }
                Ok(false) => crowded = end,
                Err(StoreError::Stopping) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        let step = match ahead.take() {
            Some(step) => step,
            None => app.log.read(scope, after, READ)?,
        };
        let Some(end) = step.last().map(|last| last.offset) else { return Ok(()) };
        let more = step.len() == READ as usize;
        ahead = std::thread::scope(|threads| {
            // Where more waits, it is read while this is folded.
            let next = more.then(|| threads.spawn(move || app.log.read(scope, end, READ)));
            fold_step(app, scope, &bundle, end, step)?;
            let read = next.map(|next| next.join());
            read.transpose().map_err(|_| StoreError::corrupt("log", "reading it panicked"))
        })?
        .transpose()?;
    }
}

fn fold_step(
    app: &App,
    scope: Scope,
    bundle: &OpenBundle,
    end: Offset,
    step: Vec<Envelope>,
) -> Result<(), StoreError> {
    let who = Who::with(app, scope, &step)?;
    let waiting = by_person(&who, step)?;
    let fold = Fold { app, scope, bundle, until: end, lane: 0, who: &who };
    let mut changes = in_lanes(&fold, waiting.into_iter().collect(), |fold, of_person| {
        let (person, envelopes) = of_person;
        if who.affected.contains(&person) {
            fold.refold(person)
        } else {
            fold.person(person, envelopes)
        }
    })?;
    let of_people = changes.len();
    changes.extend(who.changes());
    app.profiles.apply(scope, end, &changes)?;
    app.projector.folded.send_modify(|all| _ = all.insert(scope, end));
    changes.truncate(of_people);
    tell(app, scope, bundle, &changes, |person| {
        if who.affected.contains(&person) { Cause::Merge } else { Cause::Event }
    });
    Ok(())
}

/// The events of each person, in the order of the log; none of those who are folded anew anyway.
fn by_person(
    who: &Who<'_>,
    step: Vec<Envelope>,
) -> Result<BTreeMap<SubjectId, Vec<Envelope>>, StoreError> {
    let mut waiting: BTreeMap<SubjectId, Vec<Envelope>> = BTreeMap::new();
    let mut pieces = BTreeMap::new();
    for envelope in step.into_iter().filter(is_event) {
        let subject = envelope.draft.subject;
        let pieces = match pieces.entry(subject) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(who.pieces(subject)?),
        };
        let person = owner(pieces, subject, moment(&envelope));
        if !who.affected.contains(&person) {
            waiting.entry(person).or_default().push(envelope);
        }
    }
    waiting.extend(who.affected.iter().map(|person| (*person, Vec::new())));
    Ok(waiting)
}

fn refold_scope(app: &App, scope: Scope) -> Result<(), StoreError> {
    catch_up(app, scope)?;
    let subjects = app.profiles.subjects(scope)?;
    refold(app, scope, &subjects, Cause::Model)
}

/// Removes what is left of who was erased, and folds the others again.
fn mend(app: &App, scope: Scope, subjects: &[SubjectId]) -> Result<(), StoreError> {
    catch_up(app, scope)?;
    let (mut erased, mut others) = (Vec::new(), Vec::new());
    for subject in subjects {
        let gone = app.keys.subject_key(scope, *subject)? == Some(SubjectKey::Shredded);
        if gone { &mut erased } else { &mut others }.push(*subject);
    }
    app.profiles.forget(scope, &erased)?;
    refold(app, scope, &others, Cause::Correction)
}

fn refold(app: &App, scope: Scope, subjects: &[SubjectId], cause: Cause) -> Result<(), StoreError> {
    let Some(bundle) = app.bundles.get(app, scope)? else { return Ok(()) };
    let (until, who) = (app.profiles.position(scope)?, Who::stored(app, scope));
    let fold = Fold { app, scope, bundle: &bundle, until, lane: 0, who: &who };
    for subjects in subjects.chunks(STEP as usize) {
        let changes = in_lanes(&fold, subjects.to_vec(), |fold, subject| fold.refold(subject))?;
        app.profiles.apply(scope, until, &changes)?;
        tell(app, scope, &bundle, &changes, |_| cause);
    }
    Ok(())
}

/// Tells the live feed of those whom a page shows, where too many changed to tell of each.
fn tell_latest(app: &App, scope: Scope, bundle: &OpenBundle) -> Result<(), StoreError> {
    if app.feed.has_listeners(scope) {
        let latest = app.profiles.recent(scope, LATEST)?.into_iter();
        let changes: Vec<_> = latest.map(|stored| Change::Keep(Box::new(stored))).collect();
        tell(app, scope, bundle, &changes, |_| Cause::Event);
    }
    Ok(())
}

/// Tells the live feed what became of profiles, and why.
pub(super) fn tell(
    app: &App,
    scope: Scope,
    bundle: &OpenBundle,
    changes: &[Change],
    cause: impl Fn(SubjectId) -> Cause,
) {
    if !app.feed.has_listeners(scope) {
        return;
    }
    for change in changes {
        match change {
            Change::Keep(stored) => match visitor_view(app, scope, bundle, stored) {
                Ok(Some(mut visitor)) => {
                    visitor.cause = Some(cause(stored.subject));
                    app.feed.tell(scope, Happening::Visitor(Box::new(visitor)));
                }
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "live view of a visitor"),
            },
            Change::Drop(subject) => app.feed.tell(scope, Happening::Gone(*subject)),
            Change::Act(_) | Change::OwnProofs(..) | Change::Pieces(..) => {}
        }
    }
}
