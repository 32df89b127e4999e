//! What the log says of who is who: proofs, merges and their undoing.

use super::people::moment;
use super::store::{Change, PlacedAct, ProfileStore};
use crate::app::App;
use crate::error::StoreError;
use crate::identity::{Scope, SubjectId};
use crate::keys::{SubjectKey, pseudonym};
use crate::log::{Contents, Envelope, Offset, Replayed, claims_proof, contents};
use rapport_core::person::{Act, MAX_BROWSERS, MAX_PEOPLE, People, acts};
use std::collections::{BTreeMap, BTreeSet};

/// The kinds of envelopes that administrators make; they are no events of a visitor's.
pub const MERGE: &str = "merge";
pub const UNMERGE: &str = "unmerge";

/// Acts that name one another, stored and new. A page proves the same with each view; of such a
/// run the first and the last proof are kept, and all of it only when something comes in between.
#[derive(Default)]
pub struct Acts {
    known: BTreeMap<Place, PlacedAct>,
    of: BTreeMap<SubjectId, BTreeSet<Place>>,
    /// The subjects of whom everything stored is known.
    loaded: BTreeSet<SubjectId>,
    /// What differs from what is stored.
    changed: BTreeSet<Place>,
    /// The browsers whose own proofs all differ.
    rewritten: BTreeSet<SubjectId>,
    /// Whom new acts name that may change who is who.
    touched: BTreeSet<SubjectId>,
}

/// What tells acts apart: where they stand in the log, and what else they are.
type Place = (i64, u8, SubjectId);

fn place(act: &PlacedAct) -> Place {
    (act.at.arrival, act.act.code(), act.act.names().0)
}

fn names(act: &PlacedAct) -> impl Iterator<Item = SubjectId> + use<> {
    let (one, other) = act.act.names();
    [Some(one), other].into_iter().flatten()
}

impl Acts {
    /// Takes in an act that is new to the store.
    pub fn add(&mut self, app: &App, scope: Scope, new: PlacedAct) -> Result<(), StoreError> {
        for subject in names(&new) {
            self.load(&*app.profiles, scope, subject)?;
        }
        if let Act::Proof { browser, person } = new.act {
            if self.is_beside_the_point(browser, person) {
                return Ok(());
            }
            if let Some(run) = self.run_that_goes_on(&new, browser, person) {
                self.changed.insert(run);
                if let Some(run) = self.known.get_mut(&run) {
                    run.again = Some(new.at);
                }
                return Ok(());
            }
        }
        let within: Vec<_> = names(&new)
            .flat_map(|subject| self.naming(subject))
            .filter(|run| run.at < new.at && run.again.is_some_and(|again| new.at < again))
            .copied()
            .collect();
        if within.iter().any(|run| run.act == new.act && run.source == new.source) {
            return Ok(());
        }
        for browser in within.iter().map(|run| run.source).collect::<BTreeSet<_>>() {
            self.unfold(app, scope, browser, Offset(new.at.arrival - 1))?;
        }
        self.touched.extend(names(&new));
        self.changed.insert(place(&new));
        self.insert(new);
        Ok(())
    }

    /// Who is who among all whom new acts concern; `None` where they change nothing.
    pub fn weigh(
        &mut self,
        store: &dyn ProfileStore,
        scope: Scope,
    ) -> Result<Option<People<SubjectId>>, StoreError> {
        if self.touched.is_empty() {
            return Ok(None);
        }
        let mut together = BTreeSet::new();
        let mut ahead: Vec<_> = self.touched.iter().copied().collect();
        while let Some(subject) = ahead.pop() {
            if together.insert(subject) {
                self.load(store, scope, subject)?;
                ahead.extend(self.naming(subject).flat_map(names));
            }
        }
        let acts = self.known.values().filter(|act| together.contains(&act.act.names().0));
        let acts = acts.flat_map(|act| {
            [Some(act.at), act.again].into_iter().flatten().map(|at| (at, act.act))
        });
        Ok(Some(People::of(&acts.collect::<Vec<_>>())))
    }

    /// What is to be stored.
    pub fn changes(&self) -> Vec<Change> {
        let own = |browser: &SubjectId| {
            let own = self.naming(*browser).filter(|act| is_own(act, *browser));
            Change::OwnProofs(*browser, own.copied().collect())
        };
        let others = self.changed.iter().filter_map(|place| self.known.get(place));
        self.rewritten.iter().map(own).chain(others.map(|act| Change::Act(*act))).collect()
    }

    fn naming(&self, subject: SubjectId) -> impl Iterator<Item = &PlacedAct> {
        let places = self.of.get(&subject).into_iter().flatten();
        places.filter_map(|place| self.known.get(place))
    }

    fn load(
        &mut self,
        store: &dyn ProfileStore,
        scope: Scope,
        subject: SubjectId,
    ) -> Result<(), StoreError> {
        if self.loaded.insert(subject) {
            for act in store.acts(scope, subject)? {
                // What is here may be newer than what is stored.
                let own = self.rewritten.iter().any(|browser| is_own(&act, *browser));
                if !own && !self.known.contains_key(&place(&act)) {
                    self.insert(act);
                }
            }
        }
        Ok(())
    }

    fn insert(&mut self, act: PlacedAct) {
        for subject in names(&act) {
            self.of.entry(subject).or_default().insert(place(&act));
        }
        self.known.insert(place(&act), act);
    }

    /// Whether a browser or a person is a machine already, and one more proof proves nothing.
    fn is_beside_the_point(&self, browser: SubjectId, person: SubjectId) -> bool {
        let proofs = |subject| {
            self.naming(subject).filter_map(|act| match act.act {
                Act::Proof { browser, person } => Some((browser, person)),
                _ => None,
            })
        };
        let people: BTreeSet<_> =
            proofs(browser).filter(|(one, _)| *one == browser).map(|(_, person)| person).collect();
        let browsers: BTreeSet<_> =
            proofs(person).filter(|(_, one)| *one == person).map(|(browser, _)| browser).collect();
        people.len() > MAX_PEOPLE || browsers.len() > MAX_BROWSERS
    }

    /// The browser's newest proof, where `new` says the same later and nothing came between.
    fn run_that_goes_on(
        &self,
        new: &PlacedAct,
        browser: SubjectId,
        person: SubjectId,
    ) -> Option<Place> {
        let newest = self.naming(browser).max_by_key(|act| act.at)?;
        let same = newest.act == new.act && is_own(newest, browser) && is_own(new, browser);
        let parted = |act: &PlacedAct| matches!(act.act, Act::Apart { .. }) && act.at > newest.at;
        let goes_on =
            same && new.at > newest.again.unwrap_or(newest.at) && !self.naming(person).any(parted);
        goes_on.then(|| place(newest))
    }

    /// Reads all proofs of a browser's own from the log again, up to and with `until`; those that the
    /// log has forgotten stay as they are.
    fn unfold(
        &mut self,
        app: &App,
        scope: Scope,
        browser: SubjectId,
        until: Offset,
    ) -> Result<(), StoreError> {
        self.load(&*app.profiles, scope, browser)?;
        let forgotten = app.log.forgotten(scope)?.0;
        let own: Vec<_> =
            self.naming(browser).filter(|act| is_own(act, browser)).copied().collect();
        for act in own {
            if act.at.arrival <= forgotten {
                let run = self.known.get_mut(&place(&act));
                let again = act.again.filter(|again| again.arrival <= forgotten);
                run.into_iter().for_each(|run| run.again = again);
                continue;
            }
            self.known.remove(&place(&act));
            self.changed.remove(&place(&act));
            for subject in names(&act) {
                self.of.entry(subject).or_default().remove(&place(&act));
            }
        }
        self.rewritten.insert(browser);
        self.touched.insert(browser);
        for envelope in app.log.subject(scope, browser, until)? {
            for act in acts_in(app, scope, &envelope)? {
                if is_own(&act, browser) {
                    self.insert(act);
                }
            }
        }
        Ok(())
    }
}

/// Whether a proof came from the browser that it is about.
fn is_own(act: &PlacedAct, browser: SubjectId) -> bool {
    act.source == browser && matches!(act.act, Act::Proof { browser: one, .. } if one == browser)
}

/// The acts in an envelope that say something of people who were not erased.
pub fn acts_in(app: &App, scope: Scope, envelope: &Envelope) -> Result<Vec<PlacedAct>, StoreError> {
    if !matches!(envelope.draft.open.kind.as_str(), "identify" | "alias" | MERGE | UNMERGE) {
        return Ok(Vec::new());
    }
    let contents = match claims_proof(&*app.keys, &envelope.draft) {
        Ok(false) => return Ok(Vec::new()),
        Ok(true) => contents(&*app.keys, envelope.clone()),
        Err(error) => Err(error),
    };
    let contents = match contents {
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
            found.push(PlacedAct {
                at: moment(envelope),
                again: None,
                source: envelope.draft.subject,
                act,
            });
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
