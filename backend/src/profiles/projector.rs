//! The thread that folds the log into profiles. Live, late and rebuilt go the same way.

use super::service::{band_word, open, seal, visitor_view};
use super::store::{Change, StoredProfile, Trail};
use super::sweeper::sweep_all;
use crate::app::{App, Shared};
use crate::bundles::OpenBundle;
use crate::error::{Problem, StoreError, blocking};
use crate::identity::{Scope, SubjectId};
use crate::keys::SubjectKey;
use crate::live::Happening;
use crate::log::{Draft, Envelope, Offset, Word, compact};
use crate::seal::SecretKey;
use rapport_core::decide::{Engine, Want};
use rapport_core::event::{Event, Millis, WireError};
use rapport_core::profile::Profile;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The way to the projector's thread.
#[derive(Clone)]
pub struct Projector {
    inbox: mpsc::Sender<Message>,
}

enum Message {
    /// The log of a scope grew.
    Grew(Scope),
    /// The signals of a scope changed.
    Refold(Scope),
    /// The profiles of a scope are to be thrown away and folded again.
    Rebuild(Scope, oneshot::Sender<Result<usize, StoreError>>),
    Stop,
}

/// Subjects that are folded in one commit.
pub(super) const STEP: u32 = 500;
/// Envelopes that are read and folded in one commit, where so many wait.
const READ: u32 = 8192;
/// Fewer subjects are not worth a second thread.
const ALONE: usize = 32;
/// Who waits for the thread looks this often.
const LOOK: Duration = Duration::from_millis(4);
/// After a failure the thread waits before it tries again.
const PAUSE: Duration = Duration::from_secs(1);
/// Scores that time alone has changed are looked for this often.
const SWEEP: Duration = Duration::from_secs(1);

impl Projector {
    /// A projector whose thread is not running yet, and what to run it with.
    pub(crate) fn prepare() -> (Self, Inbox) {
        let (sender, receiver) = mpsc::channel();
        (Self { inbox: sender }, Inbox(receiver))
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
        let start = Instant::now();
        loop {
            let app = app.clone();
            let position = blocking(move || app.profiles.position(scope)).await?;
            if position >= offset || start.elapsed() >= patience {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
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
        for message in first.into_iter().chain(inbox.try_iter()) {
            match message {
                Message::Grew(scope) => _ = grew.insert(scope),
                Message::Refold(scope) => _ = refold.insert(scope),
                // Whoever no longer waits gets it rebuilt all the same.
                Message::Rebuild(scope, done) => _ = done.send(rebuild(app, scope)),
                Message::Stop => return,
            }
        }
        let refolded = refold
            .into_iter()
            .map(|scope| (scope, refold_scope(app, scope), Message::Refold(scope)));
        let caught_up =
            grew.into_iter().map(|scope| (scope, catch_up(app, scope), Message::Grew(scope)));
        for (scope, result, again) in refolded.chain(caught_up) {
            if let Err(error) = result {
                tracing::error!(%error, %scope, "projection failed; it is tried again");
                std::thread::sleep(PAUSE);
                let _ = app.projector.inbox.send(again);
            }
        }
    }
}

fn rebuild(app: &App, scope: Scope) -> Result<usize, StoreError> {
    app.profiles.clear(scope)?;
    catch_up(app, scope)?;
    Ok(app.profiles.subjects(scope)?.len())
}

fn catch_up(app: &App, scope: Scope) -> Result<(), StoreError> {
    // Without a bundle there is nothing to fold for; the log waits.
    let Some(bundle) = app.bundles.get(app, scope)? else { return Ok(()) };
    if app.profiles.position(scope)? > app.log.end(scope)? {
        tracing::warn!(%scope, "the log is older than its profiles; they are folded anew");
        app.profiles.clear(scope)?;
    }
    loop {
        let after = app.profiles.position(scope)?;
        if *app.stopping.borrow() {
            // The next start goes on from here.
            return Ok(());
        }
        let step = app.log.read(scope, after, READ)?;
        let Some(last) = step.last() else { return Ok(()) };
        let end = last.offset;
        let mut by_subject: BTreeMap<SubjectId, Vec<Envelope>> = BTreeMap::new();
        for envelope in step {
            by_subject.entry(envelope.draft.subject).or_default().push(envelope);
        }
        let fold = Fold { app, scope, bundle: &bundle, until: end, lane: 0 };
        let changes = in_lanes(&fold, by_subject.into_iter().collect(), |fold, of_subject| {
            let (subject, envelopes) = of_subject;
            fold.subject(subject, envelopes)
        })?;
        app.profiles.apply(scope, end, &changes)?;
        tell(app, scope, &bundle, &changes);
    }
}

fn refold_scope(app: &App, scope: Scope) -> Result<(), StoreError> {
    catch_up(app, scope)?;
    let Some(bundle) = app.bundles.get(app, scope)? else { return Ok(()) };
    let until = app.profiles.position(scope)?;
    let fold = Fold { app, scope, bundle: &bundle, until, lane: 0 };
    for subjects in app.profiles.subjects(scope)?.chunks(STEP as usize) {
        let changes = in_lanes(&fold, subjects.to_vec(), |fold, subject| fold.refold(subject))?;
        app.profiles.apply(scope, until, &changes)?;
        tell(app, scope, &bundle, &changes);
    }
    Ok(())
}

/// Folds subjects on as many threads as the bundle has engines; the changes come in the subjects' order.
fn in_lanes<T: Send>(
    fold: &Fold<'_>,
    mut subjects: Vec<T>,
    work: impl Fn(&Fold<'_>, T) -> Result<Change, StoreError> + Sync,
) -> Result<Vec<Change>, StoreError> {
    if subjects.len() < ALONE {
        return subjects.into_iter().map(|subject| work(fold, subject)).collect();
    }
    let share = subjects.len().div_ceil(OpenBundle::LANES);
    std::thread::scope(|threads| {
        let mut lanes = Vec::new();
        for lane in (1..OpenBundle::LANES).rev() {
            let (own, work) = (subjects.split_off(share * lane), &work);
            let fold = Fold { lane, ..*fold };
            let folded = move || own.into_iter().map(|subject| work(&fold, subject)).collect();
            lanes.push(threads.spawn(folded));
        }
        let mut changes: Vec<Change> =
            subjects.into_iter().map(|subject| work(fold, subject)).collect::<Result<_, _>>()?;
        for lane in lanes.into_iter().rev() {
            let folded: Result<Vec<Change>, StoreError> =
                lane.join().map_err(|_| StoreError::corrupt("profile", "folding it panicked"))?;
            changes.extend(folded?);
        }
        Ok(changes)
    })
}

pub(super) fn tell(app: &App, scope: Scope, bundle: &OpenBundle, changes: &[Change]) {
    if !app.feed.has_listeners(scope) {
        return;
    }
    for change in changes {
        match change {
            Change::Drop(subject) => app.feed.tell(scope, Happening::Gone(*subject)),
            Change::Keep(stored) => match visitor_view(app, scope, bundle, stored) {
                Ok(Some(visitor)) => app.feed.tell(scope, Happening::Visitor(Box::new(visitor))),
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "live view of a visitor"),
            },
        }
    }
}

/// One step of folding.
pub(super) struct Fold<'a> {
    pub(super) app: &'a App,
    pub(super) scope: Scope,
    pub(super) bundle: &'a OpenBundle,
    pub(super) until: Offset,
    /// Which of the bundle's engines folds.
    pub(super) lane: usize,
}

impl Fold<'_> {
    /// What new envelopes of a subject, in the order of the log, do to its profile.
    fn subject(&self, subject: SubjectId, envelopes: Vec<Envelope>) -> Result<Change, StoreError> {
        let stored = self.app.profiles.profile(self.scope, subject)?;
        let times = stored
            .iter()
            .map(|stored| stored.event_time)
            .chain(envelopes.iter().map(|envelope| envelope.draft.event_time));
        // Where the workspace takes no consent for granted, an earlier word decides.
        let unasked =
            |envelope: &Envelope| !envelope.draft.consent.said && !envelope.draft.consent.profiling;
        if !times.is_sorted() || envelopes.iter().any(unasked) {
            return self.refold(subject);
        }
        let Some(SubjectKey::Kept(key)) = self.app.keys.subject_key(self.scope, subject)? else {
            return Ok(Change::Drop(subject));
        };
        let Some(stored) = stored else {
            // Who has no profile is new, or took consent back and has a history.
            let first = envelopes.first().map(|envelope| envelope.offset).unwrap_or_default();
            if self.app.log.knows(self.scope, subject, first)? {
                return self.refold(subject);
            }
            return self.fold(&key, subject, None, envelopes);
        };
        if stored.signals != self.bundle.signals {
            return self.refold(subject);
        }
        let opened = open(&key, self.scope, &self.bundle.folding_engine(self.lane), &stored);
        match opened {
            Ok(profile) => self.fold(&key, subject, Some((stored, profile)), envelopes),
            // Whatever is wrong with a profile, the log still has what it was made of.
            Err(error) => {
                tracing::warn!(%error, scope = %self.scope, "a profile is folded anew");
                self.refold(subject)
            }
        }
    }

    /// Folds all that the log holds of a subject, in the order in which it happened.
    pub(super) fn refold(&self, subject: SubjectId) -> Result<Change, StoreError> {
        let Some(SubjectKey::Kept(key)) = self.app.keys.subject_key(self.scope, subject)? else {
            return Ok(Change::Drop(subject));
        };
        self.fold(&key, subject, None, self.app.log.subject(self.scope, subject, self.until)?)
    }

    fn fold(
        &self,
        key: &SecretKey,
        subject: SubjectId,
        start: Option<(StoredProfile, Profile)>,
        envelopes: Vec<Envelope>,
    ) -> Result<Change, StoreError> {
        let mut engine = self.bundle.folding_engine(self.lane);
        let opener = key.opener();
        let (mut word, mut wanted) = (Word::default(), true);
        let mut state = start;
        let mut last = None;
        for Envelope { draft, .. } in envelopes {
            // Who says no to profiling is folded nowhere, and has no score until they say yes.
            wanted = word.hear(draft.consent);
            if !wanted {
                continue;
            }
            let folded = compact(&opener, &draft).and_then(|bytes| {
                let event = Event::decode(&bytes)
                    .map_err(|error| StoreError::corrupt("event", WireError::from(error)))?;
                let (stored, profile) = state.get_or_insert_with(|| {
                    (first(subject, self.bundle, draft.event_time), engine.new_profile())
                });
                fold_event(&mut engine, stored, profile, &event);
                Ok(())
            });
            match folded {
                Ok(()) => last = Some(draft),
                // One damaged event must not hold up everybody's.
                Err(error @ StoreError::Corrupt { .. }) => {
                    tracing::error!(%error, scope = %self.scope, "an event is left out of its profile");
                }
                Err(error) => return Err(error),
            }
        }
        // Whose key was shredded meanwhile is gone.
        let kept = self.app.keys.subject_key(self.scope, subject)?;
        match state {
            Some((mut stored, profile)) if wanted && matches!(kept, Some(SubjectKey::Kept(_))) => {
                if let Some(draft) = last {
                    note(&mut engine, &mut stored, &profile, draft);
                }
                stored.sealed = seal(key, self.scope, subject, &engine, &profile)?;
                Ok(Change::Keep(Box::new(stored)))
            }
            _ => Ok(Change::Drop(subject)),
        }
    }
}

/// Folds one event in, and keeps how the score moved.
fn fold_event(
    engine: &mut Engine,
    stored: &mut StoredProfile,
    profile: &mut Profile,
    event: &Event<'_>,
) {
    engine.fold(profile, event, event.time);
    let decision = engine.decide(profile, event.time, Want { reasons: 0, next_change: false });
    stored.trail.push(event.time.0, decision.score);
}

/// Keeps what the live page shows of the last event, and when its score ages.
fn note(engine: &mut Engine, stored: &mut StoredProfile, profile: &Profile, draft: Draft) {
    let want = Want { reasons: 0, next_change: true };
    let decision = engine.decide(profile, Millis(draft.event_time), want);
    stored.event_time = draft.event_time;
    stored.last_event = (draft.open.kind, draft.open.name, draft.open.path);
    stored.events = profile.events();
    stored.score = decision.score;
    stored.band = band_word(decision.band).to_owned();
    stored.as_of = decision.as_of.0;
    stored.next_change_at = decision.next_change_at.map(|time| time.0);
}

fn first(subject: SubjectId, bundle: &OpenBundle, event_time: i64) -> StoredProfile {
    StoredProfile {
        subject,
        signals: bundle.signals,
        event_time,
        last_event: Default::default(),
        first_seen: event_time,
        events: 0,
        score: 0,
        band: String::new(),
        as_of: event_time,
        next_change_at: None,
        trail: Trail::default(),
        sealed: Vec::new(),
    }
}
