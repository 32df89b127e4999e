//! Who is who in a scope: acts from the log, and what they come to.

use super::store::{Change, PlacedAct, ProfileStore};
use crate::app::App;
use crate::error::StoreError;
use crate::identity::{Scope, SubjectId};
use crate::keys::{SubjectKey, pseudonym};
use crate::log::{Contents, Envelope, EventLog, Offset, Replayed, contents};
use rapport_core::event::Millis;
use rapport_core::person::{Act, MAX_PEOPLE, Moment, People, Piece, acts};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// The kinds of envelopes that administrators make; they are no events of a visitor's.
pub const MERGE: &str = "merge";
pub const UNMERGE: &str = "unmerge";
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
    /// What was not stored yet.
    acts: Vec<PlacedAct>,
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
        for envelope in envelopes {
            who.acts.extend(acts_in(app, scope, envelope)?);
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
            for envelope in &step {
                who.acts.extend(acts_in(app, scope, envelope)?);
            }
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
        let acts = self.acts.iter().map(|act| Change::Act(*act));
        let pieces = self.changed.iter();
        acts.chain(pieces.map(|(subject, pieces)| Change::Pieces(*subject, pieces.clone())))
    }

    /// Works out what the new acts change.
    fn weigh(&mut self) -> Result<(), StoreError> {
        if self.acts.is_empty() {
            return Ok(());
        }
        let mut known: BTreeMap<SubjectId, Vec<PlacedAct>> = BTreeMap::new();
        let names = |act: &PlacedAct| {
            let (one, other) = act.act.names();
            [Some(one), other].into_iter().flatten()
        };
        let mut ahead: Vec<_> = self.acts.iter().flat_map(names).collect();
        while let Some(subject) = ahead.pop() {
            if let Entry::Vacant(unknown) = known.entry(subject) {
                let stored = self.store.acts(self.scope, subject)?;
                ahead.extend(stored.iter().flat_map(names));
                unknown.insert(stored);
            }
        }
        self.acts.retain(|act| !is_beside_the_point(&known, act));
        let stored = known.values().flatten();
        let mut all: Vec<_> =
            stored.chain(&self.acts).map(|placed| (placed.at, placed.act)).collect();
        all.sort_unstable_by_key(|(at, act)| (*at, act.names()));
        all.dedup();
        let people = People::of(&all);
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

/// Whether a proof is of a browser that proved to be too many people's already.
fn is_beside_the_point(known: &BTreeMap<SubjectId, Vec<PlacedAct>>, new: &PlacedAct) -> bool {
    let Act::Proof { browser, .. } = new.act else { return false };
    let stored = known.get(&browser).map(Vec::as_slice).unwrap_or_default();
    let people: BTreeSet<_> = stored
        .iter()
        .filter_map(|placed| match placed.act {
            Act::Proof { browser: other, person } if other == browser => Some(person),
            _ => None,
        })
        .collect();
    people.len() > MAX_PEOPLE
}

/// The acts in an envelope that say something of people who were not erased.
fn acts_in(app: &App, scope: Scope, envelope: &Envelope) -> Result<Vec<PlacedAct>, StoreError> {
    if !matches!(envelope.draft.open.kind.as_str(), "identify" | "alias" | MERGE | UNMERGE) {
        return Ok(Vec::new());
    }
    let contents = match contents(&*app.keys, envelope.clone()) {
        Ok(Replayed::Event(contents)) => contents,
        Ok(Replayed::Tombstone { .. }) => return Ok(Vec::new()),
        Err(error @ StoreError::Corrupt { .. }) => {
            tracing::error!(%error, %scope, "an envelope links nobody");
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for act in acts_of(app, scope, &contents)? {
        let (one, other) = act.names();
        let mut erased = false;
        for subject in [Some(one), other].into_iter().flatten() {
            erased |= app.keys.subject_key(scope, subject)? == Some(SubjectKey::Shredded);
        }
        if !erased {
            found.push(PlacedAct { at: moment(envelope), source: envelope.draft.subject, act });
        }
    }
    Ok(found)
}

fn acts_of(
    app: &App,
    scope: Scope,
    contents: &Contents,
) -> Result<Vec<Act<SubjectId>>, StoreError> {
    let (draft, event) = (&contents.envelope.draft, &contents.sealed.event);
    let named = |name| event.properties.get(name).and_then(|id| id.as_str()?.parse().ok());
    let one: SubjectId = draft.subject;
    Ok(match draft.open.kind.as_str() {
        MERGE => {
            let other: Option<SubjectId> = named("with");
            other.map(|other| Act::Same { person: one, other }).into_iter().collect()
        }
        UNMERGE => vec![Act::Apart { one, from: named("from") }],
        _ if contents.sealed.proven => {
            let key = app.keys.workspace_key(scope.workspace)?;
            acts(event).iter().map(|act| act.map(|id| pseudonym(&key, scope, id))).collect()
        }
        _ => Vec::new(),
    })
}
