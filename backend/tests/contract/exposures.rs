//! What every store of exposures must do.

use rapport_backend::Sha256Digest;
use rapport_backend::identity::{Environment, Scope, SubjectId, WorkspaceId};
use rapport_backend::log::Offset;
use rapport_backend::results::{Conversion, Exposure, ExposureStore, Found, LeafSeen};

const ANN: SubjectId = SubjectId([1; 16]);
const BOB: SubjectId = SubjectId([2; 16]);

fn exposure(subject: SubjectId, variation: &str, at: i64) -> Exposure {
    let (experiment, variation) = ("headline".to_owned(), variation.to_owned());
    // What comes of the first one is told by its time.
    let leaf = (at < 40).then(|| LeafSeen { version: at, leaf: 0, propensity: 1.0 / at as f64 });
    let context = [("at".to_owned(), at.into())].into_iter().collect();
    Exposure { experiment, variation, subject, at, bot: false, leaf, context }
}

fn conversion(subject: SubjectId, offset: i64, value: f64) -> Conversion {
    Conversion { goal: "paid".to_owned(), subject, at: offset * 10, offset: Offset(offset), value }
}

/// Runs the contract against the store that `open` opens; each call of it must open the same store.
pub fn holds(open: &dyn Fn() -> Box<dyn ExposureStore>) {
    let one = Scope::live(WorkspaceId::generate().unwrap());
    let elsewhere = [
        Scope::live(WorkspaceId::generate().unwrap()),
        Scope { environment: Environment::Test, ..one },
    ];
    let (store, reads) = (open(), Sha256Digest([7; 32]));
    assert_eq!(store.reading(one).unwrap(), None);
    store.begin(one, reads).unwrap();
    assert_eq!(store.reading(one).unwrap(), Some((Offset(0), reads)));
    let found = Found {
        exposures: vec![exposure(BOB, "w", 30), exposure(ANN, "c", 20), exposure(ANN, "c", 10)],
        conversions: vec![conversion(ANN, 3, 1.5), conversion(BOB, 2, 0.0)],
        staff: vec![BOB, BOB],
    };
    store.add(one, Offset(4), &found).unwrap();
    let later = Found { exposures: vec![exposure(ANN, "c", 40)], ..Found::default() };
    store.add(one, Offset(9), &later).unwrap();
    let store = open();
    assert_eq!(store.reading(one).unwrap(), Some((Offset(9), reads)), "with its effect");
    let seen = store.exposures(one, "headline").unwrap();
    assert_eq!(seen, [exposure(ANN, "c", 10), exposure(BOB, "w", 30)], "the first time counts");
    let done = store.conversions(one, "paid").unwrap();
    assert_eq!(done, [conversion(BOB, 2, 0.0), conversion(ANN, 3, 1.5)]);
    assert_eq!(store.staff(one).unwrap(), [BOB]);
    for scope in elsewhere {
        assert_eq!(store.reading(scope).unwrap(), None);
        store.begin(scope, reads).unwrap();
        assert!(store.exposures(scope, "headline").unwrap().is_empty());
        assert!(store.conversions(scope, "paid").unwrap().is_empty());
        assert!(store.staff(scope).unwrap().is_empty());
        store.forget(scope, &[ANN, BOB]).unwrap();
    }
    store.forget(one, &[BOB]).unwrap();
    assert_eq!(store.exposures(one, "headline").unwrap(), [exposure(ANN, "c", 10)]);
    assert_eq!(store.conversions(one, "paid").unwrap(), [conversion(ANN, 3, 1.5)]);
    assert!(store.staff(one).unwrap().is_empty());
    store.begin(one, Sha256Digest([8; 32])).unwrap();
    assert!(store.exposures(one, "headline").unwrap().is_empty(), "read for something else, anew");
}
