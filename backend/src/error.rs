//! Every way that a request can fail, and the problem document (RFC 9457) that says so.

use crate::experiments::{Wrong, WrongView};
use crate::secret::NoRandomness;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::path::PathBuf;
use utoipa::ToSchema;

/// Why a request was refused or could not be served.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error(
        "this needs a credential: a write key as `?key=`, a secret key as `Authorization: Bearer`, or a session"
    )]
    NoCredential,
    #[error("the credential is unknown, expired or revoked")]
    BadCredential,
    #[error("the role `{role}` may not {action}")]
    Forbidden { role: &'static str, action: &'static str },
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("`{0}` is not a method of this address")]
    Method(String),
    #[error("{0}")]
    Malformed(String),
    #[error("the body is larger than {0} bytes; send less at a time")]
    TooLarge(usize),
    #[error("the request came from another site: {0}")]
    ForeignOrigin(&'static str),
    #[error(
        "an owner link works once and for a day; this one is used, expired or unknown. Stopped and started again as `rapport serve --dir DIR --owner-link`, the server prints a new one"
    )]
    LinkSpent,
    #[error("the definition is wrong; `errors` says where")]
    Definition(Vec<Wrong>),
    #[error("there is such a {0} already; change it with PUT, or take another key")]
    Exists(&'static str),
    #[error("somebody changed it meanwhile: its newest revision is {0}; read it and try again")]
    Stale(i64),
    #[error("say with `If-Match` which revision is replaced, such as `If-Match: \"3\"`")]
    NoCondition,
    #[error("{0}")]
    Conflict(String),
    #[error("no bundle is published yet; publish one with POST /v1/bundles")]
    NoBundle,
    #[error("the server has as much to write as it can hold; try again in {retry_after} s")]
    Overloaded { retry_after: u32 },
    #[error("more events came from this {whose} than may; try again in {retry_after} s")]
    TooFast { whose: &'static str, retry_after: u32 },
    #[error("the request took too long")]
    Timeout,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why something could not be kept or found again.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the disk is full; free some space, nothing acknowledged is lost")]
    Full,
    #[error("the data directory cannot be written")]
    ReadOnly,
    #[error(
        "{path} was written by a newer release (schema {found}, this one knows {known}); start that release"
    )]
    Newer { path: PathBuf, found: i64, known: usize },
    #[error("{path} cannot be brought up to date: {source}")]
    Migration { path: PathBuf, source: rusqlite_migration::Error },
    #[error("stored {what} cannot be read: {why}")]
    Corrupt { what: &'static str, why: String },
    #[error("{operation} {path}: {source}")]
    File { operation: &'static str, path: PathBuf, source: std::io::Error },
    #[error("SQLite: {0}")]
    Sqlite(rusqlite::Error),
    #[error(transparent)]
    Random(#[from] NoRandomness),
    #[error(transparent)]
    Shared(std::sync::Arc<StoreError>),
    #[error("the server is stopping")]
    Stopping,
}

impl StoreError {
    /// A file operation that failed, as what it means.
    pub fn file(operation: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full,
            std::io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            _ => Self::File { operation, path: path.into(), source },
        }
    }

    /// Stored bytes that do not read back.
    pub fn corrupt(what: &'static str, why: impl ToString) -> Self {
        Self::Corrupt { what, why: why.to_string() }
    }
}

impl StoreError {
    fn class(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Full => (StatusCode::INSUFFICIENT_STORAGE, "disk-full", "disk full"),
            Self::ReadOnly => {
                (StatusCode::INSUFFICIENT_STORAGE, "read-only", "data directory not writable")
            }
            Self::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping", "server stopping"),
            Self::Shared(error) => error.class(),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "server error"),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full,
            Some(rusqlite::ErrorCode::ReadOnly) => Self::ReadOnly,
            _ => Self::Sqlite(error),
        }
    }
}

/// An RFC 9457 problem document.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProblemView {
    /// Names the kind of problem; stable.
    #[schema(example = "urn:rapport:problem:forbidden")]
    pub r#type: String,
    pub title: &'static str,
    pub status: u16,
    /// What was wrong with this request, and what to do.
    pub detail: String,
    /// What is wrong with a definition, place by place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<WrongView>,
}

impl Problem {
    fn class(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NoCredential => (StatusCode::UNAUTHORIZED, "no-credential", "credential missing"),
            Self::BadCredential => {
                (StatusCode::UNAUTHORIZED, "bad-credential", "credential not accepted")
            }
            Self::Forbidden { .. } => (StatusCode::FORBIDDEN, "forbidden", "not allowed"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not-found", "not found"),
            Self::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, "method", "method not allowed"),
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed", "request not understood"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "body too large"),
            Self::ForeignOrigin(_) => (StatusCode::FORBIDDEN, "foreign-origin", "foreign origin"),
            Self::LinkSpent => (StatusCode::GONE, "link-spent", "link no longer valid"),
            Self::Definition(_) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid-definition", "definition not accepted")
            }
            Self::Exists(_) => (StatusCode::CONFLICT, "exists", "exists already"),
            Self::Stale(_) => (StatusCode::PRECONDITION_FAILED, "stale", "changed meanwhile"),
            Self::NoCondition => {
                (StatusCode::PRECONDITION_REQUIRED, "no-condition", "precondition missing")
            }
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict", "not possible now"),
            Self::NoBundle => (StatusCode::NOT_FOUND, "no-bundle", "nothing published"),
            Self::Overloaded { .. } => (StatusCode::TOO_MANY_REQUESTS, "overloaded", "too busy"),
            Self::TooFast { .. } => (StatusCode::TOO_MANY_REQUESTS, "too-fast", "too fast"),
            Self::Timeout => (StatusCode::REQUEST_TIMEOUT, "timeout", "too slow"),
            Self::Store(error) => error.class(),
        }
    }

    /// The document that the client gets. What went wrong inside stays inside: it is logged, not sent.
    pub fn view(&self) -> ProblemView {
        let (status, slug, title) = self.class();
        let detail = if status == StatusCode::INTERNAL_SERVER_ERROR {
            "the server's log says why".to_owned()
        } else {
            self.to_string()
        };
        let errors = match self {
            Self::Definition(wrong) => wrong.iter().map(Into::into).collect(),
            _ => Vec::new(),
        };
        ProblemView {
            errors,
            r#type: format!("urn:rapport:problem:{slug}"),
            title,
            status: status.as_u16(),
            detail,
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if let Self::Store(error) = &self {
            tracing::error!(%error, "request failed");
        }
        let (status, ..) = self.class();
        let view = self.view();
        let mut response = (status, Json(&view)).into_response();
        response.extensions_mut().insert(view);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Self::Overloaded { retry_after } | Self::TooFast { retry_after, .. } = self {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Runs work that waits for disks on a thread that may wait.
///
/// # Errors
/// What the work returns; [`StoreError::Stopping`] where the runtime ends first.
pub async fn blocking<T: Send + 'static, E: Into<Problem> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(StoreError::Stopping.into()),
    }
}
