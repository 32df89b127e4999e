//! Who is who in a scope: acts from the log, and what they come to.

use super::acts::{Acts, MERGE, UNMERGE, acts_in};
use super::store::{Change, PlacedAct, ProfileStore};
use crate::app::App;
use crate::error::StoreError;
use crate::identity::{Scope, SubjectId};
use crate::log::{Envelope, EventLog, Offset};
use rapport_core::event::Millis;
use rapport_core::person::{Moment, Piece};
use std::collections::{BTreeMap, BTreeSet};

/// Envelopes that are looked through at a time.
const READ: u32 = 8192;

/// Whether an envelope is of somebody's own doing, and so folds.
pub fn is_event(envelope: &Envelope) -> bool {
    !matches!(envelope.draft.open.kind.as_str(), MERGE | UNMERGE)
}

/// The place of an envelope in the order of things.
pub fn moment(envelope: &Envelope) -> Moment {
    Moment { time: Millis(envelope.draft.event_time), arrival: envelope.offset.0 }
}

/// Who is who, as stored, with what new acts change on top.
pub struct Who<'a> {
    store: &'a dyn ProfileStore,
    scope: Scope,
    /// Of subjects whose pieces are other than the stored ones.
    changed: BTreeMap<SubjectId, Vec<Piece<SubjectId>>>,
    acts: Acts,
    /// Whose profiles consist of other events than before.
    pub affected: BTreeSet<SubjectId>,
}

impl<'a> Who<'a> {
    /// As stored.
    pub fn stored(app: &'a App, scope: Scope) -> Self {
        let (changed, acts, affected) = Default::default();
        Self { store: &*app.profiles, scope, changed, acts, affected }
    }

    /// With the acts in `envelopes`, which are new to the store.
    ///
    /// # Errors
    /// Where a store cannot be read.
    pub fn with(app: &'a App, scope: Scope, envelopes: &[Envelope]) -> Result<Self, StoreError> {
        let mut who = Self::stored(app, scope);
        who.learn(app, envelopes)?;
        who.weigh()?;
        Ok(who)
    }

    /// With acts that are new to the store, in the order of the log.
    ///
    /// # Errors
    /// Where a store cannot be read.
    pub fn after(
        app: &'a App,
        scope: Scope,
        acts: impl IntoIterator<Item = PlacedAct>,
    ) -> Result<Self, StoreError> {
        let mut who = Self::stored(app, scope);
        for act in acts {
            who.acts.add(app, scope, act)?;
        }
        who.weigh()?;
        Ok(who)
    }

    /// As the whole log has it, also where the projector is behind.
    ///
    /// # Errors
    /// Where a store cannot be read.
    pub fn now(app: &'a App, scope: Scope) -> Result<Self, StoreError> {
        let mut who = Self::stored(app, scope);
        let mut after = app.profiles.position(scope)?;
        loop {
            let step = app.log.read(scope, after, READ)?;
            let Some(last) = step.last() else { break };
            after = last.offset;
            who.learn(app, &step)?;
        }
        who.weigh()?;
        Ok(who)
    }

    /// Whose an event of a subject is.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn owner(&self, subject: SubjectId, at: Moment) -> Result<SubjectId, StoreError> {
        let pieces = self.pieces(subject)?;
        Ok(owner(&pieces, subject, at))
    }

    /// Who a subject is now.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn person(&self, subject: SubjectId) -> Result<SubjectId, StoreError> {
        Ok(self.pieces(subject)?.last().map_or(subject, |piece| piece.person))
    }

    /// Whose a subject's events are, piece by piece; empty where they are all its own.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn pieces(&self, subject: SubjectId) -> Result<Vec<Piece<SubjectId>>, StoreError> {
        match self.changed.get(&subject) {
            Some(pieces) => Ok(pieces.clone()),
            None => self.store.pieces(self.scope, subject),
        }
    }

    /// The subjects of whose events at least some are a person's, in order.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn members(&self, person: SubjectId) -> Result<Vec<SubjectId>, StoreError> {
        let mut members: BTreeSet<_> =
            self.store.members(self.scope, person)?.into_iter().collect();
        for (subject, pieces) in &self.changed {
            if pieces.iter().any(|piece| piece.person == person) {
                members.insert(*subject);
            } else {
                members.remove(subject);
            }
        }
        if self.pieces(person)?.is_empty() {
            members.insert(person);
        }
        Ok(members.into_iter().collect())
    }

    /// When subjects refused to be profiled as the person, in what the log has forgotten; in order.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn refusals(&self, person: SubjectId) -> Result<Vec<(Moment, SubjectId)>, StoreError> {
        let mut refusals = Vec::new();
        for member in self.members(person)? {
            if let Some(at) = self.store.refusal(self.scope, member)?
                && self.owner(member, at)? == person
            {
                refusals.push((at, member));
            }
        }
        refusals.sort_unstable();
        Ok(refusals)
    }

    /// The events of a person up to and with `until`, in the order in which they fold.
    ///
    /// # Errors
    /// Where a store cannot be read.
    pub fn events(
        &self,
        log: &dyn EventLog,
        person: SubjectId,
        until: Offset,
    ) -> Result<Vec<Envelope>, StoreError> {
        let members = self.members(person)?;
        let mut events = Vec::new();
        for member in &members {
            let of_member = log.subject(self.scope, *member, until)?;
            let pieces = self.pieces(*member)?;
            events.extend(of_member.into_iter().filter(|envelope| {
                is_event(envelope) && owner(&pieces, *member, moment(envelope)) == person
            }));
        }
        if members.len() > 1 {
            events.sort_by_key(moment);
        }
        Ok(events)
    }

    /// Whether anything new is to be stored, and what.
    pub fn changes(&self) -> impl Iterator<Item = Change> {
        let pieces = self.changed.iter();
        self.acts
            .changes()
            .into_iter()
            .chain(pieces.map(|(subject, pieces)| Change::Pieces(*subject, pieces.clone())))
    }

    /// Takes new acts in, and works out what they change.
    fn learn(&mut self, app: &App, envelopes: &[Envelope]) -> Result<(), StoreError> {
        for envelope in envelopes {
            for act in acts_in(app, self.scope, envelope)? {
                self.acts.add(app, self.scope, act)?;
            }
        }
        Ok(())
    }

    fn weigh(&mut self) -> Result<(), StoreError> {
        let Some(people) = self.acts.weigh(self.store, self.scope)? else { return Ok(()) };
        for subject in people.subjects() {
            let (old, mut new) = (self.store.pieces(self.scope, subject)?, people.pieces(subject));
            if matches!(new.as_slice(), [piece] if piece.person == subject) {
                new.clear();
            }
            if old != new {
                self.affected.extend(old.iter().chain(&new).map(|piece| piece.person));
                if old.is_empty() || new.is_empty() {
                    self.affected.insert(subject);
                }
                self.changed.insert(subject, new);
            }
        }
        Ok(())
    }
}

/// Whom an event belongs to, by the pieces of its subject.
pub fn owner(pieces: &[Piece<SubjectId>], subject: SubjectId, at: Moment) -> SubjectId {
    let before = pieces.partition_point(|piece| piece.from <= at);
    let piece = before.checked_sub(1).and_then(|last| pieces.get(last));
    piece.map_or(subject, |piece| piece.person)
}
