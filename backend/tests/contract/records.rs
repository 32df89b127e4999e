//! What every records adapter must do.

use rapport_backend::Sha256Digest;
use rapport_backend::bundles::Publication;
use rapport_backend::experiments::{Definition, Kind, LearntLeaf, Status, Weights};
use rapport_backend::identity::secrets::SealedSecret;
use rapport_backend::identity::settings::ConsentDefault;
use rapport_backend::identity::store::{NewKey, OwnerLink, Workspace};
use rapport_backend::identity::{
    Actor, Environment, KeyTerms, Permit, Role, Scope, Settings, SubjectId, WorkspaceId,
};
use rapport_backend::privacy::Erasure;
use rapport_backend::profiles::Merge;
use rapport_backend::profiles::given::Given;
use rapport_backend::records::Records;

/// Runs the contract against the records that `open` opens; each call of it must open the same ones.
pub fn holds(open: &dyn Fn() -> Box<dyn Records>) {
    let records = open();
    let by = Actor("tester".to_owned());
    let [one, other] = [("Acme", 1), ("Bolt", 2)].map(|(name, created_at)| {
        let workspace =
            Workspace { id: WorkspaceId::generate().unwrap(), name: name.to_owned(), created_at };
        records.create_workspace(&by, &workspace).unwrap();
        assert_eq!(open().workspace(workspace.id).unwrap(), Some(workspace.clone()));
        Scope::live(workspace.id)
    });
    assert_eq!(
        records
            .workspaces()
            .unwrap()
            .iter()
            .map(|workspace| workspace.name.as_str())
            .collect::<Vec<_>>(),
        ["Acme", "Bolt"]
    );
    assert!(
        records
            .create_workspace(
                &by,
                &Workspace { id: one.workspace, name: "again".to_owned(), created_at: 3 }
            )
            .is_err()
    );
    assert_eq!(
        records.audit(one, None, 9).unwrap().len(),
        1,
        "a change that fails leaves no audit row"
    );

    keys(&*records, &by, one, other);
    sessions(&*records, &by, one, other);
    bundles(&*records, &by, one, other);
    given(&*records, &by, one, other);
    erasures(&*records, &by, one);
    settings(&*records, &by, one, other);
    secrets(&*records, &by, one, other);
    definitions(&*records, &by, one, other);
    weights(&*records, one, other);

    let actions: Vec<_> =
        open().audit(one, None, 99).unwrap().into_iter().rev().map(|entry| entry.action).collect();
    let expected = [
        "workspace.create",
        "key.create",
        "key.change",
        "key.revoke",
        "owner_link.create",
        "member.join",
        "bundle.publish",
        "bundle.publish",
        "visitor.signals",
        "visitor.signals",
        "visitor.erase",
        "profile.unmerge",
        "settings.change",
        "identity_secret.create",
        "identity_secret.create",
        "identity_secret.create",
        "identity_secret.end",
        "identity_secret.end",
        "feature.edit",
        "feature.edit",
        "feature.edit",
        "experiment.learn",
        "experiment.learn",
        "experience.learn",
    ];
    assert_eq!(actions, expected, "each change has one row");
    assert_eq!(records.audit(one, Some(3), 1).unwrap()[0].number, 2);
    let theirs: Vec<_> = records
        .audit(other, None, 99)
        .unwrap()
        .into_iter()
        .rev()
        .map(|entry| entry.action)
        .collect();
    assert_eq!(
        theirs,
        ["workspace.create", "owner_link.create", "member.join"],
        "and nobody else's"
    );
}

fn keys(records: &dyn Records, by: &Actor, one: Scope, other: Scope) {
    let digest = Sha256Digest::of(b"secret");
    let key = NewKey {
        id: "key_1".to_owned(),
        name: "site".to_owned(),
        role: Role::Page,
        digest,
        shown: "wk".to_owned(),
        terms: KeyTerms::default(),
        created_at: 1,
    };
    records.create_key(by, one, &key).unwrap();
    let holder = records.key_holder(digest).unwrap().unwrap();
    assert_eq!((holder.role, holder.scope), (Role::Page, Some(one)));
    assert_eq!(records.key_holder(Sha256Digest::of(b"other")).unwrap(), None);
    for elsewhere in [other, Scope { environment: Environment::Test, ..one }] {
        assert!(records.keys(elsewhere).unwrap().is_empty(), "keys belong to one scope");
        assert!(!records.revoke_key(by, elsewhere, "key_1", 2).unwrap());
        assert!(!records.change_key(by, elsewhere, "key_1", &KeyTerms::default(), 2).unwrap());
    }
    assert_eq!(records.keys(one).unwrap().len(), 1);
    let terms = KeyTerms {
        origins: vec!["https://acme.example".to_owned().try_into().unwrap()],
        events_per_second: Some(5),
        encrypt_payload: true,
    };
    assert!(records.change_key(by, one, "key_1", &terms, 2).unwrap());
    assert_eq!(records.key_holder(digest).unwrap().unwrap().terms, terms);
    assert_eq!(records.keys(one).unwrap()[0].terms, terms);
    assert!(records.revoke_key(by, one, "key_1", 2).unwrap());
    assert!(!records.change_key(by, one, "key_1", &terms, 3).unwrap(), "it is out of use");
    assert!(!records.revoke_key(by, one, "key_1", 3).unwrap(), "once is enough");
    assert_eq!(records.key_holder(digest).unwrap(), None);
    assert!(records.keys(one).unwrap().is_empty());
}

fn sessions(records: &dyn Records, by: &Actor, one: Scope, other: Scope) {
    let [link, late, session] =
        ["link", "late", "session"].map(|text| Sha256Digest::of(text.as_bytes()));
    let workspaces = vec![one.workspace, other.workspace];
    records
        .create_owner_link(by, &OwnerLink { digest: link, workspaces, expires_at: 100 })
        .unwrap();
    assert!(!records.redeem_owner_link(link, session, 100, 200).unwrap(), "too late");
    assert!(!records.redeem_owner_link(late, session, 50, 200).unwrap(), "unknown");
    assert!(records.redeem_owner_link(link, session, 50, 200).unwrap());
    assert!(!records.redeem_owner_link(link, late, 50, 200).unwrap(), "used");

    let found = records.session(session, 150).unwrap().unwrap();
    assert_eq!(
        (found.principal.role, found.principal.scope, found.workspaces.len()),
        (Role::Owner, Some(one), 2)
    );
    assert!(records.session(session, 200).unwrap().is_none(), "expired");
    assert!(records.session(late, 150).unwrap().is_none());
    let foreign = Scope::live(WorkspaceId::generate().unwrap());
    assert!(!records.switch_session(session, foreign).unwrap());
    assert!(records.switch_session(session, other).unwrap());
    assert_eq!(records.session(session, 150).unwrap().unwrap().principal.scope, Some(other));
}

fn bundles(records: &dyn Records, by: &Actor, one: Scope, other: Scope) {
    let publication = |text: &str| Publication {
        manifest: format!("{{\"text\":\"{text}\"}}"),
        signature: [1; 64],
        published_at: 5,
    };
    assert_eq!(records.publication(one).unwrap(), None);
    assert_eq!(records.publish(by, one, &publication("first")).unwrap(), 1);
    assert_eq!(records.publish(by, one, &publication("second")).unwrap(), 2);
    assert_eq!(records.publication(one).unwrap(), Some(publication("second")));
    assert_eq!(records.publication(other).unwrap(), None);
    assert_eq!(records.publication(Scope { environment: Environment::Test, ..one }).unwrap(), None);
    let entry = &records.audit(one, None, 1).unwrap()[0];
    let texts = [&entry.before, &entry.after]
        .map(|value| value.as_ref().unwrap()["text"].as_str().unwrap().to_owned());
    assert_eq!(texts, ["first", "second"]);
}

fn given(records: &dyn Records, by: &Actor, one: Scope, other: Scope) {
    let (ann, bob) = (SubjectId([9; 16]), SubjectId([8; 16]));
    let value = |signal, at| Given { signal, at, sealed: vec![at as u8] };
    records.give(by, one, ann, &[value(7, 1), value(9, 1)]).unwrap();
    records.give(by, one, ann, &[value(7, 2)]).unwrap();
    assert_eq!(records.given(one, ann).unwrap(), [value(7, 2), value(9, 1)]);
    for (scope, subject) in
        [(other, ann), (one, bob), (Scope { environment: Environment::Test, ..one }, ann)]
    {
        assert_eq!(records.given(scope, subject).unwrap(), []);
    }
}

fn erasures(records: &dyn Records, by: &Actor, one: Scope) {
    let erasure = Erasure { scope: one, subject: SubjectId([9; 16]), at: 7 };
    assert_eq!(records.given(one, erasure.subject).unwrap().len(), 2);
    records.record_erasures(by, &[erasure]).unwrap();
    assert_eq!(records.given(one, erasure.subject).unwrap(), [], "what was given goes, too");
    records.record_erasures(by, &[Erasure { at: 8, ..erasure }]).unwrap();
    assert_eq!(records.erasures().unwrap(), [erasure]);
    merges(records, by, one);
}

fn merges(records: &dyn Records, by: &Actor, one: Scope) {
    let merge = Merge {
        scope: one,
        id: "adm_1".to_owned(),
        together: false,
        one: SubjectId([9; 16]),
        other: None,
        at: 9,
    };
    records.record_merge(by, &merge).unwrap();
    assert_eq!(records.unlogged_merges().unwrap(), [merge]);
    records.merge_logged(one, "adm_1").unwrap();
    assert_eq!(records.unlogged_merges().unwrap(), []);
}

fn settings(records: &dyn Records, by: &Actor, one: Scope, other: Scope) {
    assert_eq!(records.settings(one).unwrap(), Settings::default());
    let consent = ConsentDefault { profiling: false, ..ConsentDefault::default() };
    let settings = Settings {
        consent,
        automated_browsers: true,
        retention_days: Some(395),
        ..Settings::default()
    };
    records.change_settings(by, one, &settings, 5).unwrap();
    assert_eq!(records.settings(one).unwrap(), settings);
    for elsewhere in [other, Scope { environment: Environment::Test, ..one }] {
        assert_eq!(records.settings(elsewhere).unwrap(), Settings::default());
    }
}

fn secrets(records: &dyn Records, by: &Actor, one: Scope, other: Scope) {
    let secret = |number: u8| SealedSecret {
        id: format!("secret_{number}"),
        sealed: vec![number],
        // Made within one millisecond.
        created_at: 5,
    };
    let held = |scope| -> Vec<String> {
        let mut ids: Vec<_> =
            records.secrets(scope).unwrap().into_iter().map(|secret| secret.id).collect();
        ids.sort();
        ids
    };
    records.add_secret(by, one, &secret(1)).unwrap();
    records.add_secret(by, one, &SealedSecret { created_at: 6, ..secret(2) }).unwrap();
    records.add_secret(by, one, &SealedSecret { created_at: 6, ..secret(3) }).unwrap();
    assert_eq!(held(one), ["secret_2", "secret_3"], "the newest two are valid");
    assert!(held(other).is_empty());
    assert!(!records.end_secret(by, other, "secret_2", 7).unwrap());
    assert!(records.end_secret(by, one, "secret_2", 7).unwrap());
    assert!(!records.end_secret(by, one, "secret_2", 8).unwrap());
    assert_eq!(held(one), ["secret_3"]);
}

fn definitions(records: &dyn Records, by: &Actor, one: Scope, other: Scope) {
    let revision = |key: &str, revision: i64, value: i64| Definition {
        kind: Kind::Feature,
        key: key.to_owned(),
        revision,
        status: Status::Running,
        content: serde_json::from_value(serde_json::json!({ "defaultValue": value })).unwrap(),
        at: 5,
        by: by.0.clone(),
    };
    let define =
        |next: &[Definition]| records.define(&Permit::operator(one), "feature.edit", next).unwrap();
    assert!(define(&[revision("a", 1, 1), revision("b", 1, 1)]));
    assert!(define(&[revision("a", 2, 2)]));
    for late in [1, 2, 4] {
        assert!(!define(&[revision("b", 2, 9), revision("a", late, 9)]), "all or none");
    }
    assert_eq!(records.definitions(one).unwrap(), [revision("a", 2, 2), revision("b", 1, 1)]);
    let all = records.revisions(one, Kind::Feature, "a").unwrap();
    assert_eq!(all, [revision("a", 2, 2), revision("a", 1, 1)]);
    assert!(records.revisions(one, Kind::Goal, "a").unwrap().is_empty());
    for elsewhere in [other, Scope { environment: Environment::Test, ..one }] {
        assert!(records.definitions(elsewhere).unwrap().is_empty());
        assert!(records.revisions(elsewhere, Kind::Feature, "a").unwrap().is_empty());
    }
    assert_eq!(records.defined_scopes().unwrap(), [one]);
}

fn weights(records: &dyn Records, one: Scope, other: Scope) {
    let weights = |version: i64| Weights {
        version,
        at: version * 10,
        visitors: 7,
        leaves: vec![LearntLeaf { weights: vec![0.25, 0.75], ..LearntLeaf::default() }],
    };
    let learn = |kind: Kind, version: i64| {
        records.learn(&Permit::operator(one), (kind, "a"), &weights(version)).unwrap()
    };
    assert!(learn(Kind::Experiment, 1) && learn(Kind::Experiment, 2));
    assert!(!learn(Kind::Experiment, 2) && !learn(Kind::Experiment, 4), "one after the other");
    assert!(learn(Kind::Experience, 1));
    assert_eq!(records.weights(one, Kind::Experiment, "a").unwrap(), [weights(1), weights(2)]);
    let newest = records.newest_weights(one).unwrap();
    let expected = [(Kind::Experience, weights(1)), (Kind::Experiment, weights(2))];
    assert_eq!(newest, expected.map(|(kind, weights)| (kind, "a".to_owned(), weights)));
    for elsewhere in [other, Scope { environment: Environment::Test, ..one }] {
        assert!(records.newest_weights(elsewhere).unwrap().is_empty());
        assert!(records.weights(elsewhere, Kind::Experiment, "a").unwrap().is_empty());
    }
}
