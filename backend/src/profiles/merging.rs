//! `POST /v1/profiles/{id}/merge` and `/unmerge`: administrators say who is who. What they say is kept
//! with its audit row, and goes into the log as an envelope of its own.

use super::acts::{MERGE, UNMERGE};
use super::people::Who;
use crate::app::{App, Shared};
use crate::audit::{Change, append};
use crate::clock::{self, Millis};
use crate::collect::{Item, write};
use crate::error::{Problem, ProblemView, StoreError, blocking};
use crate::identity::{Action, Actor, Caller, Permit, Resource, Scope, SubjectId, authorize};
use crate::log::{Arrived, Consent, Draft, Open, Plain, SCHEMA_VERSION, Sealed};
use crate::records::SqliteRecords;
use crate::request::{InPath, JsonBody};
use axum::Json;
use axum::extract::State;
use rapport_core::event::EventWire;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use utoipa::ToSchema;

/// Keeps what administrators said of who is who until it is in the log.
pub trait MergeStore: Send + Sync {
    /// Adds a saying.
    fn record_merge(&self, by: &Actor, merge: &Merge) -> Result<(), StoreError>;
    /// What is not in the log yet, oldest first.
    fn unlogged_merges(&self) -> Result<Vec<Merge>, StoreError>;
    /// A saying is in the log now.
    fn merge_logged(&self, scope: Scope, id: &str) -> Result<(), StoreError>;
}

/// What an administrator said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    pub scope: Scope,
    /// The message id in the log.
    pub id: String,
    /// Whether two became one, rather than one became several.
    pub together: bool,
    pub one: SubjectId,
    pub other: Option<SubjectId>,
    pub at: Millis,
}

impl MergeStore for SqliteRecords {
    fn record_merge(&self, by: &Actor, merge: &Merge) -> Result<(), StoreError> {
        let Merge { scope, id, together, one, other, at } = merge;
        self.database.write(|transaction| {
            transaction.execute(
                "INSERT INTO merges (workspace, environment, id, together, one, other, at, logged) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0)",
                params![scope.workspace, scope.environment, id, together, one, other, at],
            )?;
            let action = if *together { "profile.merge" } else { "profile.unmerge" };
            let other = other.map(|other| other.to_string());
            let after = json!({ (if *together { "with" } else { "from" }): other });
            append(transaction, *scope, *at, Change::new(by, action, one.to_string()).after(&after))
        })
    }

    fn unlogged_merges(&self) -> Result<Vec<Merge>, StoreError> {
        let sql = "SELECT workspace, environment, id, together, one, other, at FROM merges WHERE NOT logged ORDER BY at, id";
        self.database.rows(sql, [], |row| {
            Ok(Merge {
                scope: Scope::in_row(row, 0)?,
                id: row.get(2)?,
                together: row.get(3)?,
                one: row.get(4)?,
                other: row.get(5)?,
                at: row.get(6)?,
            })
        })
    }

    fn merge_logged(&self, scope: Scope, id: &str) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            transaction.execute(
                "UPDATE merges SET logged = 1 WHERE workspace = ?1 AND environment = ?2 AND id = ?3",
                params![scope.workspace, scope.environment, id],
            )?;
            Ok(())
        })
    }
}

/// Puts into the log what administrators said; what a stop left undone is done at the next start.
///
/// # Errors
/// Where a store cannot be read or written.
pub fn log_all(app: &App) -> Result<(), StoreError> {
    for merge in app.records.unlogged_merges()? {
        let item = item(&merge)?;
        let (outcomes, grew) = write(&*app.log, &*app.keys, vec![vec![item]]);
        for outcome in outcomes {
            outcome.map_err(StoreError::Shared)?;
        }
        app.records.merge_logged(merge.scope, &merge.id)?;
        grew.into_iter().for_each(|scope| app.projector.grew(scope));
    }
    Ok(())
}

fn item(merge: &Merge) -> Result<Item, StoreError> {
    let Merge { scope, id, together, one, other, at } = merge;
    let (kind, name) = if *together { (MERGE, "with") } else { (UNMERGE, "from") };
    let mut properties = Map::new();
    properties.extend(other.map(|other| (name.to_owned(), json!(other.to_string()))));
    let draft = Draft {
        scope: *scope,
        message_id: id.clone(),
        subject: *one,
        event_time: *at,
        sent_at: None,
        received_at: *at,
        consent: Consent::ALL,
        schema_version: SCHEMA_VERSION,
        open: Open { kind: kind.to_owned(), ..Open::default() },
        sealed: Sealed::default(),
    };
    let message_id = Some(id.clone());
    let event = EventWire { kind: kind.to_owned(), message_id, properties, ..EventWire::default() };
    let plain = Plain::json(Arrived::default(), &event);
    let plain = plain.map_err(|error| StoreError::corrupt("event", error))?;
    Ok(Item::new(draft, plain))
}

/// With whom to merge.
#[derive(Debug, Deserialize, ToSchema)]
pub struct MergeWire {
    /// Another visitor's id.
    #[schema(example = "v_0123456789abcdef0123456789abcdef")]
    with: String,
}

/// From whom to part.
#[derive(Debug, Deserialize, ToSchema)]
pub struct UnmergeWire {
    /// The id that it was linked to by mistake; without, every link so far ends.
    from: Option<String>,
}

/// What was said, now in the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct MergedView {
    /// The visitor's id from now on.
    pub id: String,
    /// The ids that are merged into it.
    pub members: Vec<String>,
}

/// Says that two visitors are one person, who keeps the first one's id unless a proof names another.
/// `unmerge` of the one from the other undoes it.
#[utoipa::path(post, path = "/v1/profiles/{id}/merge", tag = "profiles", params(("id" = String, Path)), request_body = MergeWire,
    responses((status = 200, body = MergedView), (status = 400, body = ProblemView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView)))]
pub async fn merge(
    State(app): State<Shared>,
    caller: Caller,
    InPath(id): InPath<String>,
    JsonBody(wire): JsonBody<MergeWire>,
) -> Result<Json<MergedView>, Problem> {
    let permit = authorize(&caller.principal, Action::MergeProfiles, Resource::Own)?;
    blocking(move || {
        let scope = permit.scope();
        let (one, other) = (known(&app, scope, &id)?, known(&app, scope, &wire.with)?);
        // Whoever they are now: what a browser was before is another matter.
        let who = Who::now(&app, scope)?;
        let (one, other) = (who.person(one)?, who.person(other)?);
        if one == other {
            return Err(Problem::Malformed("these two are one visitor already".to_owned()));
        }
        say(&app, &permit, true, one, Some(other))
    })
    .await
    .map(Json)
}

/// Takes an id out of what it was merged with. Proofs that come later link it again.
#[utoipa::path(post, path = "/v1/profiles/{id}/unmerge", tag = "profiles", params(("id" = String, Path)), request_body = UnmergeWire,
    responses((status = 200, body = MergedView), (status = 400, body = ProblemView), (status = 401, body = ProblemView), (status = 403, body = ProblemView), (status = 404, body = ProblemView)))]
pub async fn unmerge(
    State(app): State<Shared>,
    caller: Caller,
    InPath(id): InPath<String>,
    JsonBody(wire): JsonBody<UnmergeWire>,
) -> Result<Json<MergedView>, Problem> {
    let permit = authorize(&caller.principal, Action::MergeProfiles, Resource::Own)?;
    blocking(move || {
        let one = known(&app, permit.scope(), &id)?;
        let from = wire.from.map(|from| known(&app, permit.scope(), &from)).transpose()?;
        say(&app, &permit, false, one, from)
    })
    .await
    .map(Json)
}

fn known(app: &App, scope: Scope, id: &str) -> Result<SubjectId, Problem> {
    let subject: SubjectId = id.parse().map_err(|_| Problem::NotFound("visitor"))?;
    let key = app.keys.subject_key(scope, subject)?.and_then(|key| key.kept());
    key.map(|_| subject).ok_or(Problem::NotFound("visitor"))
}

fn say(
    app: &App,
    permit: &Permit,
    together: bool,
    one: SubjectId,
    other: Option<SubjectId>,
) -> Result<MergedView, Problem> {
    let scope = permit.scope();
    let id = crate::secret::token("adm_").map_err(StoreError::from)?;
    let merge = Merge { scope, id, together, one, other, at: clock::now() };
    app.records.record_merge(permit.actor(), &merge)?;
    log_all(app)?;
    let who = Who::now(app, scope)?;
    let person = who.person(one)?;
    let members = who.members(person)?.into_iter().filter(|member| *member != person);
    Ok(MergedView {
        id: person.to_string(),
        members: members.map(|member| member.to_string()).collect(),
    })
}
