//! What a workspace's environment has decided for all its visitors.

use super::{Action, Actor, Caller, Permit, Resource, Scope, authorize};
use crate::app::{App, Shared};
use crate::audit::{Change, append};
use crate::clock::{self, Millis};
use crate::error::{Problem, ProblemView, StoreError, blocking};
use crate::log::Consent;
use crate::privacy::forget_old_of;
use crate::records::SqliteRecords;
use crate::request::JsonBody;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use rapport_core::targeting::Network;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Settings of a workspace's environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// What holds for a visitor who was not asked or has not answered.
    pub consent: ConsentDefault,
    /// Whether events of automated browsers count, such as those of a website's own tests. In the test
    /// environment they always do; crawlers' never do.
    pub automated_browsers: bool,
    /// Events that arrived more than so many days ago are forgotten, by whole days (UTC), and what
    /// follows from them with them; at least two days are kept. All are kept where it is absent.
    #[schema(minimum = 1, example = 395)]
    pub retention_days: Option<u32>,
    /// Who works here, and is left out of experiments' results.
    pub staff: Staff,
}

/// What tells staff from visitors; any of it will do, once is enough.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Staff {
    /// Names of cookies that only their browsers have. They arrive where pages and server share a host.
    #[schema(example = json!(["staff"]))]
    pub cookies: Vec<String>,
    /// Where they come from.
    #[schema(example = json!(["192.0.2.0/24"]))]
    pub networks: Vec<String>,
    /// What stands behind the `@` of their e-mail addresses.
    #[schema(example = json!(["acme.example"]))]
    pub email_domains: Vec<String>,
}

impl Staff {
    const MOST: usize = 100;

    fn check(&self) -> Result<(), Problem> {
        let lists = [&self.cookies, &self.networks, &self.email_domains];
        if lists.iter().any(|list| list.len() > Self::MOST) {
            return Err(Problem::Malformed(format!(
                "lists of `staff` hold at most {}",
                Self::MOST
            )));
        }
        match self.networks.iter().find(|text| Network::parse(text).is_none()) {
            Some(text) => Err(Problem::Malformed(format!(
                "`{text}` is no network; write one such as 192.0.2.0/24"
            ))),
            None => Ok(()),
        }
    }
}

/// Purposes that visitors are taken to agree to until they say something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsentDefault {
    pub analytics: bool,
    pub profiling: bool,
    pub personalization: bool,
}

impl Default for ConsentDefault {
    fn default() -> Self {
        Self { analytics: true, profiling: true, personalization: true }
    }
}

impl From<ConsentDefault> for Consent {
    fn from(default: ConsentDefault) -> Self {
        let ConsentDefault { analytics, profiling, personalization } = default;
        Self { analytics, profiling, personalization, said: false }
    }
}

/// Keeps settings.
pub trait SettingsStore: Send + Sync {
    /// The settings of a scope; the defaults where nobody changed them.
    fn settings(&self, scope: Scope) -> Result<Settings, StoreError>;
    /// Replaces them.
    fn change_settings(
        &self,
        by: &Actor,
        scope: Scope,
        settings: &Settings,
        at: Millis,
    ) -> Result<(), StoreError>;
}

const FIND: &str = "SELECT settings FROM settings WHERE workspace = ?1 AND environment = ?2";

impl SettingsStore for SqliteRecords {
    fn settings(&self, scope: Scope) -> Result<Settings, StoreError> {
        let found =
            self.database
                .row(FIND, params![scope.workspace, scope.environment], |row| row.get(0))?;
        read(found)
    }

    fn change_settings(
        &self,
        by: &Actor,
        scope: Scope,
        settings: &Settings,
        at: Millis,
    ) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            let place = params![scope.workspace, scope.environment];
            let before = transaction.query_row(FIND, place, |row| row.get(0)).optional()?;
            let (before, after) = (serde_json::json!(read(before)?), serde_json::json!(settings));
            transaction.execute(
                "INSERT OR REPLACE INTO settings (workspace, environment, settings) VALUES (?1, ?2, ?3)",
                params![scope.workspace, scope.environment, after.to_string()],
            )?;
            let change = Change::new(by, "settings.change", "settings".to_owned());
            append(transaction, scope, at, change.before(&before).after(&after))
        })
    }
}

fn read(text: Option<String>) -> Result<Settings, StoreError> {
    let settings = text.map(|text| serde_json::from_str(&text)).transpose();
    settings.map(Option::unwrap_or_default).map_err(|error| StoreError::corrupt("settings", error))
}

/// Replaces the settings of a scope.
///
/// # Errors
/// Where they cannot be kept.
pub fn change(app: &App, permit: &Permit, settings: &Settings) -> Result<(), StoreError> {
    app.records.change_settings(permit.actor(), permit.scope(), settings, clock::now())?;
    forget_old_of(app, permit.scope())
}

/// Reads the settings of the workspace's environment.
#[utoipa::path(get, path = "/v1/settings", tag = "identity",
    responses((status = 200, body = Settings), (status = 401, body = ProblemView), (status = 403, body = ProblemView)))]
pub async fn read_settings(
    State(app): State<Shared>,
    caller: Caller,
) -> Result<Json<Settings>, Problem> {
    let scope = authorize(&caller.principal, Action::ReadSettings, Resource::Own)?.scope();
    blocking(move || app.records.settings(scope)).await.map(Json)
}

/// Replaces them; what is left out goes back to its default. Counts for events that come from now on.
#[utoipa::path(put, path = "/v1/settings", tag = "identity", request_body = Settings,
    responses((status = 204, description = "changed"), (status = 400, body = ProblemView), (status = 401, body = ProblemView), (status = 403, body = ProblemView)))]
pub async fn change_settings(
    State(app): State<Shared>,
    caller: Caller,
    JsonBody(settings): JsonBody<Settings>,
) -> Result<StatusCode, Problem> {
    let permit = authorize(&caller.principal, Action::ChangeSettings, Resource::Own)?;
    if settings.retention_days == Some(0) {
        return Err(Problem::Malformed("`retentionDays` must be 1 or more, or absent".to_owned()));
    }
    settings.staff.check()?;
    blocking(move || change(&app, &permit, &settings)).await?;
    Ok(StatusCode::NO_CONTENT)
}
