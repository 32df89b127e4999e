//! Folding what the log holds of a person into their profile.

use super::given;
use super::people::{Who, moment};
use super::service::{band_word, open, seal};
use super::store::{Change, StoredProfile, Trail};
use crate::app::App;
use crate::bundles::{OpenBundle, Scoring};
use crate::error::StoreError;
use crate::identity::{Scope, SubjectId};
use crate::keys::SubjectKey;
use crate::log::{Draft, Envelope, Offset, compact, open_plain};
use crate::seal::{Opener, SecretKey};
use rapport_core::decide::Want;
use rapport_core::event::{Event, Millis, WireError};
use rapport_core::person::{Consent, Moment, Words};
use rapport_core::profile::Profile;

/// Fewer subjects are not worth a second thread.
const ALONE: usize = 32;

/// Folds subjects on as many threads as the bundle has engines; the changes come in the subjects' order.
pub(super) fn in_lanes<T: Send>(
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

/// What folding goes on from.
#[derive(Default)]
struct Start {
    profile: Option<(StoredProfile, Profile)>,
    /// Refusals that the envelopes do not say.
    refusals: Vec<(Moment, SubjectId)>,
}

pub(super) const REFUSED: Consent = Consent { granted: false, said: true };

/// One step of folding.
pub(super) struct Fold<'a> {
    pub(super) app: &'a App,
    pub(super) scope: Scope,
    pub(super) bundle: &'a OpenBundle,
    pub(super) until: Offset,
    /// Which of the bundle's engines folds.
    pub(super) lane: usize,
    pub(super) who: &'a Who<'a>,
}

impl Fold<'_> {
    /// What new events of a person, in the order of the log, do to the profile.
    pub(super) fn person(
        &self,
        person: SubjectId,
        envelopes: Vec<Envelope>,
    ) -> Result<Change, StoreError> {
        let stored = self.app.profiles.profile(self.scope, person)?;
        let times = stored
            .iter()
            .map(|stored| stored.event_time)
            .chain(envelopes.iter().map(|envelope| envelope.draft.event_time));
        // Where the workspace takes no consent for granted, an earlier word decides.
        let unasked =
            |envelope: &Envelope| !envelope.draft.consent.said && !envelope.draft.consent.profiling;
        if !times.is_sorted() || envelopes.iter().any(unasked) {
            return self.refold(person);
        }
        let Some(stored) = stored else {
            // Who has no profile is new, or took consent back and has a history.
            let first = envelopes.first().map(|envelope| envelope.offset).unwrap_or_default();
            let alone = self.who.members(person)? == [person];
            if !alone
                || !self.who.refusals(person)?.is_empty()
                || self.app.log.knows(self.scope, person, first)?
            {
                return self.refold(person);
            }
            return self.fold(person, Start::default(), envelopes);
        };
        if stored.signals != self.bundle.signals {
            return self.refold(person);
        }
        let Some(SubjectKey::Kept(key)) = self.app.keys.subject_key(self.scope, person)? else {
            return Ok(Change::Drop(person));
        };
        let opened = open(&key, self.scope, &self.bundle.folding_engine(self.lane), &stored);
        match opened {
            Ok(profile) => {
                let start = Start { profile: Some((stored, profile)), ..Start::default() };
                self.fold(person, start, envelopes)
            }
            // Whatever is wrong with a profile, the log still has what it was made of.
            Err(error) => {
                tracing::warn!(%error, scope = %self.scope, "a profile is folded anew");
                self.refold(person)
            }
        }
    }

    /// Folds all that the log holds of a person, in the order in which it happened.
    pub(super) fn refold(&self, person: SubjectId) -> Result<Change, StoreError> {
        let start = Start { refusals: self.who.refusals(person)?, ..Start::default() };
        self.fold(person, start, self.who.events(&*self.app.log, person, self.until)?)
    }

    fn fold(
        &self,
        person: SubjectId,
        start: Start,
        envelopes: Vec<Envelope>,
    ) -> Result<Change, StoreError> {
        let mut engine = self.bundle.folding_engine(self.lane);
        let mut members: Vec<(SubjectId, Option<Opener>)> = Vec::new();
        let (mut words, mut wanted) = (Words::default(), true);
        let anew = start.profile.is_none();
        let mut state = start.profile;
        let mut refusals = start.refusals.into_iter().peekable();
        let mut last = None;
        for envelope in envelopes {
            let at = moment(&envelope);
            while let Some((_, member)) = refusals.next_if(|(said, _)| *said < at) {
                words.hear(member, REFUSED);
            }
            let draft = envelope.draft;
            let Some(opener) = self.opener(&mut members, draft.subject)? else { continue };
            // Who says no to profiling is folded nowhere, and has no score until they say yes.
            wanted = words.hear(draft.subject, draft.consent.into());
            if !wanted {
                continue;
            }
            let folded = open_plain(opener, &draft).and_then(|plain| {
                let bytes = compact(&plain, Millis(draft.event_time))?;
                let mut event = Event::decode(&bytes)
                    .map_err(|error| StoreError::corrupt("event", WireError::from(error)))?;
                event.message_id = &draft.message_id;
                let (stored, profile) = state.get_or_insert_with(|| {
                    (first(person, self.bundle, draft.event_time), engine.new_profile())
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
        for (_, member) in refusals {
            wanted = words.hear(member, REFUSED);
        }
        let Some((mut stored, mut profile)) = state.filter(|_| wanted) else {
            return Ok(Change::Drop(person));
        };
        if anew && self.bundle.given {
            given::put(self.app, self.scope, self.who, person, engine.signals(), &mut profile)?;
        }
        let mut key = None;
        // A person may be known by proofs alone, and have no key yet.
        if let [found] = self.app.keys.ensure_subject_keys(self.scope, &[person])?.as_slice() {
            key = found.clone().kept();
        }
        let Some(key) = key else { return Ok(Change::Drop(person)) };
        if let Some(draft) = last {
            note(&mut engine, &mut stored, &profile, draft);
        }
        stored.sealed = seal(&key, self.scope, person, &engine, &profile)?;
        drop(engine);
        // Whose key was shredded meanwhile is gone.
        for (member, opener) in members {
            if opener.is_some() && self.kept(member)?.is_none() {
                return self.refold(person);
            }
        }
        Ok(Change::Keep(Box::new(stored)))
    }

    /// What opens a member's events; `None` where the member was erased.
    fn opener<'m>(
        &self,
        members: &'m mut Vec<(SubjectId, Option<Opener>)>,
        member: SubjectId,
    ) -> Result<Option<&'m Opener>, StoreError> {
        let known = members.iter().position(|(known, _)| *known == member);
        let place = match known {
            Some(place) => place,
            None => {
                members.push((member, self.kept(member)?.map(|key| key.opener())));
                members.len() - 1
            }
        };
        Ok(members.get(place).and_then(|(_, opener)| opener.as_ref()))
    }

    fn kept(&self, subject: SubjectId) -> Result<Option<SecretKey>, StoreError> {
        let key = self.app.keys.subject_key(self.scope, subject)?;
        Ok(key.and_then(SubjectKey::kept))
    }
}

/// Folds one event in, and keeps how the score moved.
fn fold_event(
    engine: &mut Scoring,
    stored: &mut StoredProfile,
    profile: &mut Profile,
    event: &Event<'_>,
) {
    engine.fold(profile, event, event.time);
    let want = Want { reasons: 0, next_change: false };
    let decision = engine.decide(profile, event.time, want).decision;
    stored.trail.push(event.time.0, decision.score);
}

/// Keeps what the live page shows of the last event, and when its score ages.
fn note(engine: &mut Scoring, stored: &mut StoredProfile, profile: &Profile, draft: Draft) {
    let want = Want { reasons: 0, next_change: true };
    let decision = engine.decide(profile, Millis(draft.event_time), want).decision;
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
