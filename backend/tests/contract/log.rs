//! What every event log must do.

use rapport_backend::identity::{Environment, Scope, SubjectId, WorkspaceId};
use rapport_backend::log::{Appended, Consent, Draft, EventLog, Offset, Open, SCHEMA_VERSION};

/// A draft that differs from others in what it is given.
pub fn draft(scope: Scope, subject: u8, message: &str, event_time: i64) -> Draft {
    Draft {
        scope,
        message_id: message.to_owned(),
        subject: SubjectId([subject; 16]),
        event_time,
        sent_at: Some(event_time + 1),
        received_at: event_time + 2,
        consent: Consent { personalization: false, ..Consent::ALL },
        schema_version: SCHEMA_VERSION,
        open: Open {
            kind: "page".to_owned(),
            name: "Pricing".to_owned(),
            path: Some("/pricing".to_owned()),
            client_time: Some(-5),
            ..Open::default()
        },
        sealed: vec![0, 1, 255].into(),
    }
}

/// Runs the contract against the log that `open` opens; each call of it must open the same log,
/// which nobody else has open.
pub fn holds(open: &dyn Fn() -> Box<dyn EventLog>) {
    let one = Scope::live(WorkspaceId::generate().unwrap());
    let other = Scope::live(WorkspaceId::generate().unwrap());
    let test = Scope { environment: Environment::Test, ..one };
    let log = open();
    assert_eq!(log.ends().unwrap(), []);

    let drafts = [
        draft(one, 1, "a", 30),
        draft(one, 2, "b", 10),
        draft(one, 1, "c", 20),
        draft(one, 1, "a", 99),
    ];
    let at = |offset| Appended::At(Offset(offset));
    assert_eq!(log.append(&drafts).unwrap(), [at(1), at(2), at(3), Appended::Duplicate]);
    assert_eq!(log.append(&drafts[..1]).unwrap(), [Appended::Duplicate]);
    for elsewhere in [other, test] {
        let draft = draft(elsewhere, 1, "a", 30);
        assert_eq!(
            log.append(&[draft]).unwrap(),
            [at(1)],
            "offsets and message ids belong to one scope"
        );
    }

    drop(log);
    let log = open();
    let read = |after, limit| log.read(one, Offset(after), limit).unwrap();
    assert_eq!(
        read(0, 10).into_iter().map(|envelope| envelope.draft).collect::<Vec<_>>(),
        drafts[..3],
        "what went in comes out"
    );
    assert_eq!(read(1, 1).iter().map(|envelope| envelope.offset.0).collect::<Vec<_>>(), [2]);
    assert_eq!(read(3, 10), []);
    let of = |scope, until| {
        let found = log.subject(scope, SubjectId([1; 16]), Offset(until)).unwrap();
        found.into_iter().map(|envelope| envelope.offset.0).collect::<Vec<_>>()
    };
    assert_eq!(of(one, 3), [3, 1], "in the order in which it happened");
    assert_eq!(of(one, 2), [1], "and no further than asked");
    let knows = |scope, subject, before| {
        log.knows(scope, SubjectId([subject; 16]), Offset(before)).unwrap()
    };
    assert!(!knows(one, 1, 1) && knows(one, 1, 2) && knows(one, 2, 3), "since its first event");
    assert!(!knows(one, 2, 2) && !knows(one, 3, 9) && !knows(test, 2, 9));
    assert_eq!(of(other, 9), [1]);
    let mut ends = [(one, Offset(3)), (other, Offset(1)), (test, Offset(1))];
    ends.sort_unstable();
    assert_eq!(log.ends().unwrap(), ends);
    assert_eq!((log.end(one).unwrap(), log.end(test).unwrap()), (Offset(3), Offset(1)));
    let nobody = Scope::live(WorkspaceId::generate().unwrap());
    assert_eq!(log.end(nobody).unwrap(), Offset(0));
    assert_eq!(log.holds(one, &["c", "x", "a"]).unwrap(), [true, false, true]);
    assert_eq!(log.holds(other, &["c", "a"]).unwrap(), [false, true]);
    assert_eq!(
        log.append(&[draft(one, 1, "d", 5)]).unwrap(),
        [at(4)],
        "offsets go on after a restart"
    );
}
