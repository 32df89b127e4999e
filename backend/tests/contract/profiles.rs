//! What every profile store must do.

use rapport_backend::Sha256Digest;
use rapport_backend::identity::{Environment, Scope, SubjectId, WorkspaceId};
use rapport_backend::log::{Offset, Word};
use rapport_backend::profiles::{Change, PlacedAct, ProfileStore, StoredProfile, Trail};
use rapport_core::event::Millis;
use rapport_core::person::{Act, Moment, Piece};

fn profile(subject: u8, event_time: i64) -> StoredProfile {
    let mut trail = Trail::default();
    trail.push(1, 10);
    trail.push(event_time, 72);
    StoredProfile {
        subject: SubjectId([subject; 16]),
        signals: Sha256Digest([7; 32]),
        event_time,
        last_event: ("page".to_owned(), "Pricing".to_owned(), Some("/pricing".to_owned())),
        first_seen: 1,
        events: 2,
        score: 72,
        band: "qualified".to_owned(),
        as_of: event_time,
        next_change_at: Some(event_time + 1),
        trail,
        sealed: vec![0, 255],
    }
}

fn refusals(store: &dyn ProfileStore, scope: Scope, elsewhere: Scope) {
    let subject = SubjectId([8; 16]);
    let said = |event_time: i64, granted| {
        store
            .keep_words(scope, &[Word { subject, event_time, offset: Offset(event_time), granted }])
            .unwrap();
        store.refusal(scope, subject).unwrap().map(|at| at.time.0)
    };
    assert_eq!(said(1, true), None);
    assert_eq!(said(5, false), Some(5));
    assert_eq!(said(3, true), Some(5), "what was said before does not count");
    assert_eq!(said(7, false), Some(7));
    assert_eq!(said(6, false), Some(7));
    store.clear(scope, Offset(0)).unwrap();
    assert_eq!(store.refusal(scope, subject).unwrap().map(|at| at.arrival), Some(7));
    assert_eq!(store.refusal(elsewhere, subject).unwrap(), None);
    assert_eq!(said(8, true), None);
    said(9, false);
    store.forget(scope, &[subject]).unwrap();
    assert_eq!(store.refusal(scope, subject).unwrap(), None);
}

/// Runs the contract against the store that `open` opens; each call of it must open the same store.
pub fn holds(open: &dyn Fn() -> Box<dyn ProfileStore>) {
    let one = Scope::live(WorkspaceId::generate().unwrap());
    let elsewhere = [
        Scope::live(WorkspaceId::generate().unwrap()),
        Scope { environment: Environment::Test, ..one },
    ];
    refusals(&*open(), one, elsewhere[0]);
    let store = open();
    assert_eq!(store.position(one).unwrap(), Offset(0));
    let (ann, bob) = (profile(1, 10), profile(2, 20));
    store
        .apply(
            one,
            Offset(5),
            &[Change::Keep(Box::new(ann.clone())), Change::Keep(Box::new(bob.clone()))],
        )
        .unwrap();
    for store in [&store, &open()] {
        assert_eq!(store.position(one).unwrap(), Offset(5));
        assert_eq!(
            store.profile(one, ann.subject).unwrap().as_ref(),
            Some(&ann),
            "what went in comes out"
        );
        assert_eq!(store.recent(one, 1).unwrap(), std::slice::from_ref(&bob), "the latest first");
        assert_eq!(store.subjects(one).unwrap(), [ann.subject, bob.subject]);
        for scope in elsewhere {
            assert_eq!(store.position(scope).unwrap(), Offset(0), "profiles belong to one scope");
            assert_eq!(store.profile(scope, ann.subject).unwrap(), None);
            assert_eq!(store.recent(scope, 9).unwrap(), []);
        }
    }
    let due = |now, limit| {
        let due = store.due(one, now, limit).unwrap();
        due.into_iter().map(|profile| profile.subject).collect::<Vec<_>>()
    };
    assert_eq!(
        (due(10, 9), due(11, 9), due(21, 9)),
        (vec![], vec![ann.subject], vec![ann.subject, bob.subject])
    );
    assert_eq!([10, 11, 21].map(|now| store.count_due(one, now).unwrap()), [0, 1, 2]);
    assert_eq!(due(21, 1), [ann.subject], "the longest due first");
    assert_eq!(store.due(elsewhere[0], 99, 9).unwrap(), []);
    for scope in elsewhere {
        store.forget(scope, &[ann.subject]).unwrap();
        store.clear(scope, Offset(0)).unwrap();
    }
    let later = profile(1, 30);
    store
        .apply(one, Offset(6), &[Change::Keep(Box::new(later.clone())), Change::Drop(bob.subject)])
        .unwrap();
    assert_eq!(store.recent(one, 9).unwrap(), [later]);
    store.forget(one, &[ann.subject]).unwrap();
    assert_eq!((store.recent(one, 9).unwrap(), store.position(one).unwrap()), (vec![], Offset(6)));
    who_is_who(open, one, elsewhere[0]);
    store.apply(one, Offset(7), &[Change::Keep(Box::new(bob))]).unwrap();
    store.clear(one, Offset(0)).unwrap();
    assert_eq!((store.recent(one, 9).unwrap(), store.position(one).unwrap()), (vec![], Offset(0)));
}

fn who_is_who(open: &dyn Fn() -> Box<dyn ProfileStore>, one: Scope, elsewhere: Scope) {
    let store = open();
    let [phone, laptop, ann, bob] = [1, 2, 3, 4].map(|byte| SubjectId([byte; 16]));
    let at = |time| Moment { time: Millis(time), arrival: 100 - time };
    let act = |time, act| PlacedAct { at: at(time), again: None, source: phone, act };
    let proof = act(1, Act::Proof { browser: phone, person: ann });
    let merge = act(2, Act::Same { person: ann, other: bob });
    let apart = act(3, Act::Apart { one: laptop, from: None });
    let apart_from = act(4, Act::Apart { one: laptop, from: Some(ann) });
    let acts = [proof, merge, apart, apart_from].map(Change::Act);
    let pieces = [Piece { from: Moment::START, person: ann }, Piece { from: at(9), person: bob }];
    let mut changes = acts.to_vec();
    changes.push(Change::Pieces(phone, pieces.to_vec()));
    store.apply(one, Offset(6), &changes).unwrap();
    let acts_of = |store: &dyn ProfileStore, subject| {
        let mut acts = store.acts(one, subject).unwrap();
        acts.sort_by_key(|act| act.at);
        acts
    };
    for store in [&store, &open()] {
        assert_eq!(acts_of(&**store, ann), [proof, merge, apart_from], "whoever is named");
        assert_eq!(acts_of(&**store, laptop), [apart, apart_from]);
        assert_eq!(store.pieces(one, phone).unwrap(), pieces);
        assert_eq!(store.pieces(one, ann).unwrap(), []);
        assert_eq!(store.members(one, bob).unwrap(), [phone]);
        assert_eq!(store.acts(elsewhere, ann).unwrap(), []);
        assert_eq!(store.pieces(elsewhere, phone).unwrap(), []);
        assert_eq!(store.members(elsewhere, bob).unwrap(), []);
    }
    let again = PlacedAct { again: Some(at(7)), ..proof };
    store.apply(one, Offset(6), &[Change::Act(again)]).unwrap();
    assert_eq!(acts_of(&*store, phone), [again], "an act stands in the log once");
    let own = vec![proof, act(5, Act::Proof { browser: phone, person: bob })];
    let own = [Change::OwnProofs(phone, own), Change::Pieces(phone, Vec::new())];
    store.apply(one, Offset(6), &own).unwrap();
    assert_eq!((acts_of(&*store, phone).len(), acts_of(&*store, ann).len()), (2, 3));
    assert_eq!(
        (store.pieces(one, phone).unwrap(), store.members(one, bob).unwrap()),
        (vec![], vec![])
    );
    store.forget(one, &[ann]).unwrap();
    assert_eq!((acts_of(&*store, ann).len(), acts_of(&*store, phone).len()), (0, 1));
    store.forget(one, &[phone]).unwrap();
    assert_eq!(acts_of(&*store, laptop), [], "nor what came in an envelope of somebody forgotten");
}
