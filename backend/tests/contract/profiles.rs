//! What every profile store must do.

use rapport_backend::Sha256Digest;
use rapport_backend::identity::{Environment, Scope, SubjectId, WorkspaceId};
use rapport_backend::log::Offset;
use rapport_backend::profiles::{Change, ProfileStore, StoredProfile, Trail};

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

/// Runs the contract against the store that `open` opens; each call of it must open the same store.
pub fn holds(open: &dyn Fn() -> Box<dyn ProfileStore>) {
    let one = Scope::live(WorkspaceId::generate().unwrap());
    let elsewhere = [
        Scope::live(WorkspaceId::generate().unwrap()),
        Scope { environment: Environment::Test, ..one },
    ];
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
    assert_eq!(due(21, 1), [ann.subject], "the longest due first");
    assert_eq!(store.due(elsewhere[0], 99, 9).unwrap(), []);
    for scope in elsewhere {
        store.forget(scope, &[ann.subject]).unwrap();
        store.clear(scope).unwrap();
    }
    let later = profile(1, 30);
    store
        .apply(one, Offset(6), &[Change::Keep(Box::new(later.clone())), Change::Drop(bob.subject)])
        .unwrap();
    assert_eq!(store.recent(one, 9).unwrap(), [later]);
    store.forget(one, &[ann.subject]).unwrap();
    assert_eq!((store.recent(one, 9).unwrap(), store.position(one).unwrap()), (vec![], Offset(6)));
    store.apply(one, Offset(7), &[Change::Keep(Box::new(bob))]).unwrap();
    store.clear(one).unwrap();
    assert_eq!((store.recent(one, 9).unwrap(), store.position(one).unwrap()), (vec![], Offset(0)));
}
