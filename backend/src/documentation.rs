//! `/openapi.json`, `/docs` and `/health`.

use crate::app::Shared;
use crate::error::Problem;
use crate::identity::{Action, Principal, Resource, authorize};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Info, License, OpenApi};

/// Whether the server serves.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthView {
    #[schema(example = "serving")]
    status: &'static str,
    version: &'static str,
}

/// Says that the server serves.
#[utoipa::path(get, path = "/health", tag = "operations", security(()), responses((status = 200, body = HealthView)))]
pub async fn health() -> Result<Json<HealthView>, Problem> {
    authorize(&Principal::anyone(), Action::ReadDocumentation, Resource::Public)?;
    Ok(Json(HealthView { status: "serving", version: env!("CARGO_PKG_VERSION") }))
}

/// This document, OpenAPI 3.1.
#[utoipa::path(get, path = "/openapi.json", tag = "operations", security(()), responses((status = 200, content_type = "application/json")))]
pub async fn openapi(State(app): State<Shared>) -> Result<impl IntoResponse, Problem> {
    authorize(&Principal::anyone(), Action::ReadDocumentation, Resource::Public)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], app.openapi.clone()))
}

/// The API's routes, for people.
#[utoipa::path(get, path = "/docs", tag = "pages", security(()), responses((status = 200, content_type = "text/html")))]
pub async fn docs() -> Result<impl IntoResponse, Problem> {
    authorize(&Principal::anyone(), Action::ReadDocumentation, Resource::Public)?;
    Ok(Html(include_str!("documentation/docs.html")))
}

/// The script of `/docs`.
#[utoipa::path(get, path = "/docs/docs.js", tag = "pages", security(()), responses((status = 200, content_type = "text/javascript")))]
pub async fn docs_script() -> Result<impl IntoResponse, Problem> {
    authorize(&Principal::anyone(), Action::ReadDocumentation, Resource::Public)?;
    Ok((
        [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")],
        include_str!("documentation/docs.js"),
    ))
}

/// The style of `/docs`.
#[utoipa::path(get, path = "/docs/docs.css", tag = "pages", security(()), responses((status = 200, content_type = "text/css")))]
pub async fn docs_style() -> Result<impl IntoResponse, Problem> {
    authorize(&Principal::anyone(), Action::ReadDocumentation, Resource::Public)?;
    Ok((
        [(header::CONTENT_TYPE, "text/css; charset=utf-8")],
        include_str!("documentation/docs.css"),
    ))
}

/// Adds what no handler says: the title, and the ways to show who asks.
pub fn describe(document: &mut OpenApi) {
    document.info = Info::new("Rapport", env!("CARGO_PKG_VERSION"));
    document.info.license = Some(License::new("Apache-2.0"));
    let components = document.components.get_or_insert_default();
    let schemes = [
        (
            "secretKey",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
        ),
        (
            "basicKey",
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Basic).build()),
        ),
        ("writeKey", SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::new("key")))),
        (
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(
                crate::identity::credential::SESSION_COOKIE,
            ))),
        ),
    ];
    document.security = Some(
        schemes
            .iter()
            .map(|(name, _)| SecurityRequirement::new::<_, [&str; 0], &str>(*name, []))
            .collect(),
    );
    for (name, scheme) in schemes {
        components.add_security_scheme(name, scheme);
    }
}
