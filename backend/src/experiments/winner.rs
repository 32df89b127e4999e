//! The end of an experiment: one of its variations is what everybody gets.

use super::definition::{Definition, Kind, Status};
use super::service::{Expected, keep, variation_keys};
use crate::app::App;
use crate::clock;
use crate::error::Problem;
use crate::identity::Permit;
use serde_json::{Map, Value};

/// The member of an experience that names the variation that everybody gets whom it is for.
pub const SHIPPED: &str = "shipped";

/// Characters of an experience's key at most, as `docs/experiences.md` has it.
const MAX_EXPERIENCE_KEY: usize = 64;

/// What says whom something is for, and where: that outlasts the experiment.
const WHOM: [&str; 10] = [
    "name",
    "slot",
    "audience",
    "condition",
    "parentConditions",
    "urlPatterns",
    "schedule",
    "cap",
    "priority",
    "persistQueryString",
];

/// Gives everybody the winning variation, named by its key or number: it becomes the default of the
/// experiment's feature, or, of changes to a page, an experience of their own that is called like it (with
/// `-` for the characters that experiences' keys have not), and the experiment stops.
/// An experience runs on and shows nothing else. Where the winner leaves things as they are, all stops.
///
/// # Errors
/// [`Problem::NotFound`] for a variation that it has not, otherwise as [`super::service::edit`].
pub fn ship(
    app: &App,
    permit: &Permit,
    (kind, key): (Kind, &str),
    expected: Expected,
    variation: &str,
) -> Result<Vec<Definition>, Problem> {
    let before = app.records.definitions(permit.scope())?;
    let find = |kind: Kind, key: &str| {
        before.iter().find(|one| (one.kind, one.key.as_str()) == (kind, key))
    };
    let tested = find(kind, key).ok_or(Problem::NotFound(kind.word()))?;
    expected.check(tested)?;
    if !matches!(tested.status, Status::Running | Status::Stopped) {
        let (word, status) = (kind.word(), tested.status.word());
        return Err(Problem::Conflict(format!("the {word} is {status}; it has no winner")));
    }
    let value = found(&tested.content, variation).ok_or(Problem::NotFound("variation"))?.clone();
    let stopped = Definition { status: Status::Stopped, ..tested.clone() };
    let feature = tested.content.get("feature").and_then(Value::as_str);
    let next = match (kind, feature) {
        (Kind::Experiment, Some(feature)) => {
            let feature = find(Kind::Feature, feature).ok_or(Problem::NotFound("feature"))?;
            let mut winner = feature.clone();
            winner.content.insert("defaultValue".to_owned(), value);
            vec![stopped, winner]
        }
        _ if shows_nothing(&value) => vec![stopped],
        (Kind::Experience, _) => {
            let mut settled = Definition { status: Status::Running, ..tested.clone() };
            settled.content.insert(SHIPPED.to_owned(), Value::from(variation));
            vec![settled]
        }
        _ => {
            let (kind, key) = (Kind::Experience, experience_key(key));
            let revision = find(kind, &key).map_or(0, |one| one.revision);
            let (status, content) = (Status::Running, settled(&tested.content, value));
            vec![stopped, Definition { kind, key, revision, status, content, ..tested.clone() }]
        }
    };
    let (at, by) = (clock::now(), permit.actor().0.clone());
    let next = next.into_iter().map(|one| Definition {
        revision: one.revision + 1,
        at,
        by: by.clone(),
        ..one
    });
    keep(app, permit, "ship", &before, next.collect())
}

/// The experiment's key, as far as an experience may be called so.
fn experience_key(key: &str) -> String {
    key.replace(['.', ':'], "-").chars().take(MAX_EXPERIENCE_KEY).collect()
}

/// What is shown in place of an experience's variations, once one of them is shipped.
pub fn shipped(content: &Map<String, Value>) -> Option<Map<String, Value>> {
    let winner = found(content, content.get(SHIPPED)?.as_str()?)?;
    Some(settled(content, winner.clone()))
}

/// What is wrong with what is shipped.
pub fn wrong_winner(content: &Map<String, Value>) -> Option<&'static str> {
    let key = content.get(SHIPPED)?.as_str()?;
    match found(content, key) {
        None => Some("none of its `variations` is called so"),
        Some(value) if shows_nothing(value) => {
            Some("that variation shows nothing; stop the experience instead")
        }
        Some(_) => None,
    }
}

fn found<'c>(content: &'c Map<String, Value>, variation: &str) -> Option<&'c Value> {
    let number = variation_keys(content).iter().position(|known| known == variation)?;
    content.get("variations")?.get(number)
}

/// Whether a variation leaves its slot or its page as it is.
fn shows_nothing(variation: &Value) -> bool {
    variation.is_null() || variation.as_object().is_some_and(Map::is_empty)
}

/// Of what is tested, an experience that shows the winner alone.
fn settled(content: &Map<String, Value>, winner: Value) -> Map<String, Value> {
    let whom = content.iter().filter(|(name, _)| WHOM.contains(&name.as_str()));
    let mut settled: Map<String, Value> =
        whom.map(|(name, value)| (name.clone(), value.clone())).collect();
    let shown = if settled.contains_key("slot") { "content" } else { "changes" };
    settled.insert(shown.to_owned(), winner);
    settled
}
