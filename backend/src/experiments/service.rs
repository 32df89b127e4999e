//! Authoring: every change is checked with all that runs, kept as a revision, and published.

use super::check::check;
use super::definition::{Definition, Kind, Status, check_key};
use super::factors::make_variations;
use crate::app::App;
use crate::clock;
use crate::error::{Problem, StoreError};
use crate::identity::{Permit, Scope};
use serde_json::{Map, Value};

/// So many of a kind are more than anybody keeps an eye on.
const MOST: usize = 2000;

/// What a change expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Whatever is there.
    Anything,
    Revision(i64),
}

/// The newest revision of one.
///
/// # Errors
/// [`Problem::NotFound`] where the scope has none of that key.
pub fn one(app: &App, scope: Scope, kind: Kind, key: &str) -> Result<Definition, Problem> {
    revisions(app, scope, kind, key)?.into_iter().next().ok_or(Problem::NotFound(kind.word()))
}

/// All revisions of one, newest first.
///
/// # Errors
/// As [`one`].
pub fn revisions(
    app: &App,
    scope: Scope,
    kind: Kind,
    key: &str,
) -> Result<Vec<Definition>, Problem> {
    let found = app.records.revisions(scope, kind, key)?;
    if found.is_empty() { Err(Problem::NotFound(kind.word())) } else { Ok(found) }
}

/// Those of a kind, by their keys.
///
/// # Errors
/// Where they cannot be read.
pub fn all(app: &App, scope: Scope, kind: Kind) -> Result<Vec<Definition>, StoreError> {
    let mut all = app.records.definitions(scope)?;
    all.retain(|one| one.kind == kind);
    Ok(all)
}

/// Makes a new one.
///
/// # Errors
/// [`Problem::Exists`], [`Problem::Definition`] with what is wrong, or where it cannot be kept.
pub fn create(
    app: &App,
    permit: &Permit,
    kind: Kind,
    key: &str,
    mut content: Map<String, Value>,
    status: Option<Status>,
) -> Result<Definition, Problem> {
    check_key(key)?;
    make_variations(&mut content);
    let before = app.records.definitions(permit.scope())?;
    let of_kind = before.iter().filter(|one| one.kind == kind);
    if of_kind.clone().any(|one| one.key == key) {
        return Err(Problem::Exists(kind.word()));
    }
    if of_kind.count() >= MOST {
        return Err(Problem::Conflict(format!("there are {MOST} {} already", kind.plural())));
    }
    let first = Definition {
        kind,
        key: key.to_owned(),
        revision: 1,
        status: status.unwrap_or(kind.first_status()),
        content,
        at: clock::now(),
        by: permit.actor().0.clone(),
    };
    only(keep(app, permit, "create", &before, vec![first])?)
}

/// Replaces what one says.
///
/// # Errors
/// [`Problem::Stale`] where it is not the revision that was expected, [`Problem::Conflict`] where
/// visitors of a running experiment would change sides, otherwise as [`create`].
pub fn edit(
    app: &App,
    permit: &Permit,
    (kind, key): (Kind, &str),
    expected: Expected,
    mut content: Map<String, Value>,
) -> Result<Definition, Problem> {
    make_variations(&mut content);
    change(app, permit, "edit", (kind, key), expected, |before| {
        Ok(Definition { content, ..before.clone() })
    })
}

/// Starts, stops or archives one.
///
/// # Errors
/// [`Problem::Conflict`] where its life does not lead there, otherwise as [`edit`].
pub fn set_status(
    app: &App,
    permit: &Permit,
    (kind, key): (Kind, &str),
    expected: Expected,
    status: Status,
) -> Result<Definition, Problem> {
    let action = match status {
        Status::Draft => "restore",
        Status::Running => "start",
        Status::Stopped => "stop",
        Status::Archived => "archive",
    };
    change(app, permit, action, (kind, key), expected, |before| {
        if !before.status.leads_to(status) {
            let (word, from, to) = (kind.word(), before.status.word(), status.word());
            return Err(Problem::Conflict(format!("the {word} is {from} and cannot be {to} next")));
        }
        Ok(Definition { status, ..before.clone() })
    })
}

/// Makes one say again what it said in an earlier revision. Its status stays.
///
/// # Errors
/// [`Problem::NotFound`] where there was no such revision, otherwise as [`edit`].
pub fn roll_back(
    app: &App,
    permit: &Permit,
    (kind, key): (Kind, &str),
    expected: Expected,
    revision: i64,
) -> Result<Definition, Problem> {
    let revisions = revisions(app, permit.scope(), kind, key)?;
    let earlier = revisions.into_iter().find(|one| one.revision == revision);
    let content = earlier.ok_or(Problem::NotFound("revision"))?.content;
    change(app, permit, "roll_back", (kind, key), expected, |before| {
        Ok(Definition { content, ..before.clone() })
    })
}

/// What variations are called: by their keys, or else their numbers.
pub fn variation_keys(content: &Map<String, Value>) -> Vec<String> {
    let count = content.get("variations").and_then(Value::as_array).map_or(0, Vec::len);
    let key = |number: usize| content.get("meta")?.get(number)?.get("key")?.as_str();
    (0..count).map(|number| key(number).map_or(number.to_string(), str::to_owned)).collect()
}

impl Expected {
    pub(super) fn check(self, found: &Definition) -> Result<(), Problem> {
        match self {
            Self::Revision(revision) if revision != found.revision => {
                Err(Problem::Stale(found.revision))
            }
            _ => Ok(()),
        }
    }
}

fn change(
    app: &App,
    permit: &Permit,
    action: &'static str,
    (kind, key): (Kind, &str),
    expected: Expected,
    make: impl FnOnce(&Definition) -> Result<Definition, Problem>,
) -> Result<Definition, Problem> {
    let all = app.records.definitions(permit.scope())?;
    let before = all.iter().find(|one| one.kind == kind && one.key == key);
    let before = before.ok_or(Problem::NotFound(kind.word()))?;
    expected.check(before)?;
    let mut next = make(before)?;
    stays_on_its_side(before, &next)?;
    next.revision = before.revision + 1;
    next.at = clock::now();
    next.by = permit.actor().0.clone();
    only(keep(app, permit, action, &all, vec![next])?)
}

/// Whoever is in a running experiment keeps the variation: what decides it stays as it is.
fn stays_on_its_side(before: &Definition, next: &Definition) -> Result<(), Problem> {
    const DECIDES: [&str; 7] =
        ["feature", "hashAttribute", "hashVersion", "seed", "weights", "ranges", "slot"];
    let runs = |one: &Definition| one.status == Status::Running;
    if !runs(before) || !runs(next) {
        return Ok(());
    }
    let moved =
        DECIDES.into_iter().find(|name| before.content.get(*name) != next.content.get(*name));
    let sides = variation_keys(&before.content) != variation_keys(&next.content);
    match moved.or(sides.then_some("variations")) {
        None if before.content.contains_key("bandit") != next.content.contains_key("bandit") => {
            Err(Problem::Conflict(
                "whether an experiment learns changes whom it shows what; stop it first".to_owned(),
            ))
        }
        Some(name) if matches!(before.kind, Kind::Experiment | Kind::Experience) => {
            Err(Problem::Conflict(format!(
                "a new `{name}` would move visitors of a running {0} to other variations; stop it first, or make another one",
                before.kind.word()
            )))
        }
        _ => Ok(()),
    }
}

pub(super) fn keep(
    app: &App,
    permit: &Permit,
    action: &'static str,
    before: &[Definition],
    next: Vec<Definition>,
) -> Result<Vec<Definition>, Problem> {
    let wrong = check(before, &next);
    if !wrong.is_empty() {
        return Err(Problem::Definition(wrong));
    }
    let scope = permit.scope();
    if !app.records.define(permit, action_on(action, &next), &next)? {
        // Somebody was quicker.
        let newest = next.first().map(|one| app.records.revisions(scope, one.kind, &one.key));
        let newest = newest.transpose()?.and_then(|found| Some(found.first()?.revision));
        return Err(Problem::Stale(newest.unwrap_or_default()));
    }
    app.publisher.changed(scope, permit.actor().clone());
    Ok(next)
}

/// The audit log's word for a change.
fn action_on(action: &'static str, next: &[Definition]) -> &'static str {
    let kind = next.first().map_or(Kind::Feature, |one| one.kind);
    macro_rules! words {
        ($($action:literal),*) => {
            match (kind, action) {
                $(
                    (Kind::Audience, $action) => concat!("audience.", $action),
                    (Kind::Feature, $action) => concat!("feature.", $action),
                    (Kind::Experiment, $action) => concat!("experiment.", $action),
                    (Kind::Experience, $action) => concat!("experience.", $action),
                    (Kind::Goal, $action) => concat!("goal.", $action),
                )*
                _ => action,
            }
        };
    }
    words!("create", "edit", "restore", "start", "stop", "archive", "roll_back", "ship")
}

fn only(kept: Vec<Definition>) -> Result<Definition, Problem> {
    kept.into_iter().next().ok_or(Problem::NotFound("definition"))
}

/// Makes and starts those of `definitions` that are not there yet, in their order.
///
/// # Errors
/// As [`create`].
pub fn ensure(
    app: &App,
    permit: &Permit,
    definitions: &[(Kind, &str, Value)],
) -> Result<(), Problem> {
    for (kind, key, content) in definitions {
        let content = content.as_object().cloned().unwrap_or_default();
        match create(app, permit, *kind, key, content, Some(Status::Running)) {
            Ok(_) | Err(Problem::Exists(_)) => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn variations_are_called_by_their_keys_or_numbers() {
        let content = json!({ "variations": [1, 2, 3], "meta": [{ "key": "control" }, {}] });
        let keys = variation_keys(content.as_object().unwrap());
        assert_eq!(keys, ["control", "1", "2"]);
    }
}
