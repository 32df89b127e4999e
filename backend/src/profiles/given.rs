//! What no event says of a visitor and the workspace knows all the same, from a CRM say: values of
//! the signals that only the server sets. Kept apart from the log, sealed under the visitor's key.

use super::people::Who;
use crate::app::{App, Shared};
use crate::audit::{Change, append};
use crate::clock::{self, Millis};
use crate::error::{Problem, ProblemView, StoreError, blocking};
use crate::identity::{Action, Actor, Caller, Permit, Resource, Scope, SubjectId, authorize};
use crate::keys::SubjectKey;
use crate::records::SqliteRecords;
use crate::request::{InPath, JsonBody};
use crate::seal::SecretKey;
use crate::sqlite::table_of_scopes;
use axum::extract::State;
use axum::http::StatusCode;
use rapport_core::binary::level_hash;
use rapport_core::event::Millis as CoreMillis;
use rapport_core::person::Moment;
use rapport_core::profile::{Kind, Profile, Signals};
use rusqlite::params;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Levels hold at most this many bytes, numbers are at most so large: as in events.
const MAX_LEVEL: usize = 4096;
const MAX_NUMBER: f64 = 1e20;

/// Keeps what was given.
pub trait GivenStore: Send + Sync {
    /// What was given of a subject, in the order of the signals.
    fn given(&self, scope: Scope, subject: SubjectId) -> Result<Vec<Given>, StoreError>;
    /// Replaces values of a subject.
    fn give(
        &self,
        by: &Actor,
        scope: Scope,
        subject: SubjectId,
        given: &[Given],
    ) -> Result<(), StoreError>;
}

/// The value of one signal, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub signal: u32,
    pub at: Millis,
    /// The number or the hash of the level, under the subject's key; NaN where it was taken back.
    pub sealed: Vec<u8>,
}

/// The table that holds them.
pub(crate) const TABLE: &str = table_of_scopes!(
    "given",
    "subject BLOB NOT NULL, signal INTEGER NOT NULL, at INTEGER NOT NULL, sealed BLOB NOT NULL",
    "subject, signal"
);

impl GivenStore for SqliteRecords {
    fn given(&self, scope: Scope, subject: SubjectId) -> Result<Vec<Given>, StoreError> {
        self.database.rows(
            "SELECT signal, at, sealed FROM given WHERE workspace = ?1 AND environment = ?2 AND subject = ?3 ORDER BY signal",
            params![scope.workspace, scope.environment, subject],
            |row| Ok(Given { signal: row.get(0)?, at: row.get(1)?, sealed: row.get(2)? }),
        )
    }

    fn give(
        &self,
        by: &Actor,
        scope: Scope,
        subject: SubjectId,
        given: &[Given],
    ) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            for Given { signal, at, sealed } in given {
                transaction.execute(
                    "INSERT OR REPLACE INTO given (workspace, environment, subject, signal, at, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![scope.workspace, scope.environment, subject, signal, at, sealed],
                )?;
            }
            let signals: Vec<u32> = given.iter().map(|given| given.signal).collect();
            let change = Change::new(by, "visitor.signals", subject.to_string());
            append(transaction, scope, clock::now(), change.after(&json!({ "signals": signals })))
        })
    }
}

/// Puts what was given of a person's subjects into the profile; of two values the later counts. It is
/// whose the subject was then, as an event is.
///
/// # Errors
/// Where a store cannot be read, or a value was changed.
pub(super) fn put(
    app: &App,
    scope: Scope,
    who: &Who<'_>,
    person: SubjectId,
    signals: &Signals,
    profile: &mut Profile,
) -> Result<(), StoreError> {
    let mut latest: BTreeMap<usize, (Millis, f64)> = BTreeMap::new();
    for subject in who.members(person)? {
        let Some(SubjectKey::Kept(key)) = app.keys.subject_key(scope, subject)? else { continue };
        for Given { signal, at, sealed } in app.records.given(scope, subject)? {
            let moment = Moment { time: CoreMillis(at), arrival: i64::MAX };
            let Some(index) = signals.index_of(signal) else { continue };
            if who.owner(subject, moment)? != person {
                continue;
            }
            let opened = key.open(&bound(scope, subject, signal), &sealed);
            let opened = opened.map_err(|error| StoreError::corrupt("given signal", error))?;
            let bytes = <[u8; 8]>::try_from(opened.as_slice())
                .map_err(|error| StoreError::corrupt("given signal", error))?;
            let value = (at, f64::from_le_bytes(bytes));
            let known = latest.entry(index).or_insert(value);
            if at > known.0 {
                *known = value;
            }
        }
    }
    for (index, (at, value)) in latest {
        profile.give(signals, index, value, CoreMillis(at));
    }
    Ok(())
}

/// The server's signals of a profile: numbers, levels by their hashes, `None` where missing.
pub fn shown(signals: &Signals, profile: &Profile) -> Vec<(u32, Option<f64>)> {
    let own = signals.iter().enumerate().filter(|(_, signal)| signal.kind.is_servers());
    let value = |index| {
        let number = profile.value(signals, index, CoreMillis(0));
        profile.level(index).map(f64::from).or((!number.is_nan()).then_some(number))
    };
    own.map(|(index, signal)| (signal.id, value(index))).collect()
}

/// What is given of a visitor.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SignalsWire {
    /// By the signals' names, or their ids where the bundle keeps a name to itself: numbers for `server`,
    /// texts for `server_level`, null to take a value back. What is left out stays.
    #[schema(value_type = BTreeMap<String, serde_json::Value>)]
    signals: BTreeMap<String, Value>,
}

/// Sets signals of a visitor that only the server sets. Decisions on every host include them.
#[utoipa::path(put, path = "/v1/profiles/{id}/signals", tag = "profiles", params(("id" = String, Path)), request_body = SignalsWire,
    responses((status = 204, description = "set"), (status = 400, body = ProblemView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView)))]
pub async fn set_signals(
    State(app): State<Shared>,
    caller: Caller,
    InPath(id): InPath<String>,
    JsonBody(wire): JsonBody<SignalsWire>,
) -> Result<StatusCode, Problem> {
    let permit = authorize(&caller.principal, Action::SetSignals, Resource::Own)?;
    let subject: SubjectId = id.parse().map_err(|_| Problem::NotFound("visitor"))?;
    blocking(move || set(&app, &permit, subject, &wire.signals)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Keeps values and has the visitor's profile folded anew.
///
/// # Errors
/// [`Problem::NotFound`] where the scope has no such visitor (or they refuse to be profiled),
/// [`Problem::Malformed`] where a signal is not the server's or a value is none for it.
pub fn set(
    app: &App,
    permit: &Permit,
    subject: SubjectId,
    values: &BTreeMap<String, Value>,
) -> Result<(), Problem> {
    let scope = permit.scope();
    let subject = Who::stored(app, scope).person(subject)?;
    let key = app.keys.subject_key(scope, subject)?.and_then(SubjectKey::kept);
    let (Some(key), Some(_)) = (key, app.profiles.profile(scope, subject)?) else {
        return Err(Problem::NotFound("visitor"));
    };
    let bundle = app.bundles.get(app, scope)?.ok_or(Problem::NoBundle)?;
    let at = clock::now();
    let given: Result<Vec<Given>, Problem> = {
        let engine = bundle.engine();
        let read = |(name, value): (&String, &Value)| {
            let (signal, value) = read(engine.signals(), name, value)?;
            Ok(Given { signal, at, sealed: sealed(&key, scope, subject, signal, value)? })
        };
        values.iter().map(read).collect()
    };
    app.records.give(permit.actor(), scope, subject, &given?)?;
    app.projector.again(scope, vec![subject]);
    Ok(())
}

/// A signal's id, and what is to be kept as its value.
fn read(signals: &Signals, name: &str, value: &Value) -> Result<(u32, f64), Problem> {
    let wrong = |what: &str| Problem::Malformed(format!("signal `{name}`: {what}"));
    let by_id = || name.parse().ok().and_then(|id| signals.index_of(id));
    let signal = signals.index_of_name(name).or_else(by_id).and_then(|index| signals.get(index));
    let signal = signal.filter(|signal| signal.kind.is_servers()).ok_or_else(|| {
        wrong("the published bundle declares no signal of this name that the server sets")
    })?;
    let value = match (signal.kind, value) {
        (_, Value::Null) => f64::NAN,
        (Kind::Server, value) => value
            .as_f64()
            .filter(|number| number.abs() <= MAX_NUMBER)
            .ok_or_else(|| wrong("its value is a number up to 1e20, or null"))?,
        (_, Value::String(level)) if !level.trim().is_empty() && level.len() <= MAX_LEVEL => {
            f64::from(level_hash(level))
        }
        _ => return Err(wrong("its value is a level, a text of at most 4 KB, or null")),
    };
    Ok((signal.id, value))
}

fn sealed(
    key: &SecretKey,
    scope: Scope,
    subject: SubjectId,
    signal: u32,
    value: f64,
) -> Result<Vec<u8>, StoreError> {
    Ok(key.seal(&bound(scope, subject, signal), &value.to_le_bytes())?)
}

fn bound(scope: Scope, subject: SubjectId, signal: u32) -> Vec<u8> {
    let start = b"rapport.signal.1".as_slice();
    [start, &scope.to_bytes(), &subject.0, &signal.to_le_bytes()].concat()
}
