//! What every key store must do.

use rapport_backend::identity::{Environment, Scope, SubjectId, WorkspaceId};
use rapport_backend::keys::{KeyStore, SubjectKey};

/// Runs the contract against the store that `open` opens; each call of it must open the same store.
pub fn holds(open: &dyn Fn() -> Box<dyn KeyStore>) {
    let [one, other] = [0, 1].map(|_| Scope::live(WorkspaceId::generate().unwrap()));
    let [alice, bob] = [SubjectId([1; 16]), SubjectId([2; 16])];
    let store = open();

    assert_eq!(
        store.workspace_key(one.workspace).unwrap(),
        open().workspace_key(one.workspace).unwrap()
    );
    assert_ne!(
        store.workspace_key(one.workspace).unwrap(),
        store.workspace_key(other.workspace).unwrap()
    );

    assert_eq!(store.subject_key(one, alice).unwrap(), None, "reading makes no key");
    let keys = store.ensure_subject_keys(one, &[alice, bob, alice]).unwrap();
    assert_eq!(keys.first(), keys.get(2), "one key a subject");
    assert_ne!(keys.first(), keys.get(1));
    assert_eq!(
        open().ensure_subject_keys(one, &[alice, bob, alice]).unwrap(),
        keys,
        "keys outlive the process"
    );

    let test = Scope { environment: Environment::Test, ..one };
    for elsewhere in [other, test] {
        assert_eq!(
            store.subject_key(elsewhere, alice).unwrap(),
            None,
            "keys belong to one workspace and environment"
        );
        assert_ne!(store.ensure_subject_keys(elsewhere, &[alice]).unwrap().first(), keys.first());
    }

    let salt = store.daily_salt(20_000).unwrap();
    assert_eq!(store.daily_salt(20_000).unwrap(), salt, "one salt a day");
    assert_eq!(open().daily_salt(20_000).unwrap(), salt, "which outlives the process");
    assert_ne!(store.daily_salt(20_001).unwrap(), salt);
    assert_eq!(open().daily_salt(20_000).unwrap(), salt, "the day before is still there");
    store.daily_salt(20_002).unwrap();
    assert_ne!(open().daily_salt(20_000).unwrap(), salt, "the day before that is gone for good");
    let salt = store.daily_salt(20_003).unwrap();
    store.forget_salts(20_004).unwrap();
    assert_ne!(store.daily_salt(20_003).unwrap(), salt);

    store.shred(one, alice, 1).unwrap();
    store.shred(one, alice, 2).unwrap();
    assert_eq!(store.shredded().unwrap(), [(one, alice, 1)], "who was erased first, and once");
    for store in [store, open()] {
        assert_eq!(store.subject_key(one, alice).unwrap(), Some(SubjectKey::Shredded));
        assert_eq!(
            store.ensure_subject_keys(one, &[alice, bob]).unwrap().first(),
            Some(&SubjectKey::Shredded),
            "gone for good"
        );
        assert_eq!(store.subject_key(one, bob).unwrap().as_ref(), keys.get(1));
        assert!(
            store.subject_key(other, alice).unwrap().unwrap().kept().is_some(),
            "only where it was asked for"
        );
    }
}
