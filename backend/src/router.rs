//! Every route, and what all of them have in common.

use crate::app::Shared;
use crate::error::Problem;
use crate::{
    audit, bundles, collect, documentation, experiments, flags, identity, live, models, pages,
    privacy, profiles, results,
};
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use std::time::Duration;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes and the document that describes them. A route that is not described here does not exist.
/// A request that has no answer within `patience` gets none.
pub fn routes(patience: Duration) -> (Router<Shared>, OpenApi) {
    let (pages, pages_document) = for_pages().split_for_parts();
    let (people, mut document) = for_people().split_for_parts();
    document.merge(pages_document);
    documentation::describe(&mut document);
    let pages = pages.method_not_allowed_fallback(no_method).layer(from_fn(share));
    let router = people
        .method_not_allowed_fallback(no_method)
        .merge(pages)
        .fallback(no_address)
        .layer(from_fn(pages::for_people))
        .layer(from_fn(harden))
        .layer(from_fn(move |request, next| in_time(patience, request, next)));
    (router, document)
}

async fn no_address() -> Problem {
    Problem::NotFound("address")
}

async fn no_method(method: Method) -> Problem {
    Problem::Method(method.to_string())
}

/// What pages of any site call.
fn for_pages() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(collect::http::events))
        .routes(routes!(collect::pixel::pixel))
        .routes(routes!(collect::segment::batch))
        .routes(routes!(collect::segment::import))
        .routes(routes!(collect::segment::track))
        .routes(routes!(collect::segment::page))
        .routes(routes!(collect::segment::screen))
        .routes(routes!(collect::segment::identify))
        .routes(routes!(collect::segment::group))
        .routes(routes!(collect::segment::alias))
        .routes(routes!(profiles::http::decide))
        .routes(routes!(flags::everything::evaluate))
        .routes(routes!(flags::growthbook::features))
        .routes(routes!(flags::growthbook::changes))
        .routes(routes!(flags::growthbook::evaluate))
        .routes(routes!(flags::ofrep::one))
        .routes(routes!(flags::ofrep::all))
        .routes(routes!(flags::ofrep::changes))
        .routes(routes!(bundles::http::sdk))
        .routes(routes!(bundles::http::part_of_bundle))
}

/// What people and their machines call.
fn for_people() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(bundles::http::publish_bundle))
        .routes(routes!(bundles::http::current_bundle))
        .routes(routes!(bundles::http::part_of_publication))
        .routes(routes!(models::http::list, models::http::add))
        .routes(routes!(models::http::check))
        .routes(routes!(models::http::promote))
        .routes(routes!(models::http::roll_back))
        .routes(routes!(live::http::stream))
        .routes(routes!(live::http::page))
        .routes(routes!(live::http::script))
        .routes(routes!(live::http::style))
        .routes(routes!(profiles::http::list))
        .routes(routes!(profiles::http::one, privacy::http::erase_visitor))
        .routes(routes!(profiles::given::set_signals))
        .routes(routes!(profiles::http::rebuild))
        .routes(routes!(profiles::http::status))
        .routes(routes!(profiles::merging::merge))
        .routes(routes!(profiles::merging::unmerge))
        .routes(routes!(identity::http::owner_link))
        .routes(routes!(identity::http::session, identity::http::switch))
        .routes(routes!(identity::http::keys, identity::http::create_key))
        .routes(routes!(identity::http::change_key))
        .routes(routes!(identity::http::revoke_key))
        .routes(routes!(identity::secrets::list, identity::secrets::make))
        .routes(routes!(identity::secrets::end))
        .routes(routes!(identity::settings::read_settings, identity::settings::change_settings))
        .routes(routes!(experiments::http::audiences::list, experiments::http::audiences::create))
        .routes(routes!(experiments::http::audiences::read, experiments::http::audiences::edit))
        .routes(routes!(experiments::http::audiences::revisions))
        .routes(routes!(experiments::http::audiences::set_status))
        .routes(routes!(experiments::http::audiences::roll_back))
        .routes(routes!(experiments::http::features::list, experiments::http::features::create))
        .routes(routes!(experiments::http::features::read, experiments::http::features::edit))
        .routes(routes!(experiments::http::features::revisions))
        .routes(routes!(experiments::http::features::set_status))
        .routes(routes!(experiments::http::features::roll_back))
        .routes(routes!(
            experiments::http::experiments::list,
            experiments::http::experiments::create
        ))
        .routes(routes!(experiments::http::experiments::read, experiments::http::experiments::edit))
        .routes(routes!(experiments::http::experiments::revisions))
        .routes(routes!(experiments::http::experiments::set_status))
        .routes(routes!(experiments::http::experiments::roll_back))
        .routes(routes!(
            experiments::http::experiences::list,
            experiments::http::experiences::create
        ))
        .routes(routes!(experiments::http::experiences::read, experiments::http::experiences::edit))
        .routes(routes!(experiments::http::experiences::revisions))
        .routes(routes!(experiments::http::experiences::set_status))
        .routes(routes!(experiments::http::experiences::roll_back))
        .routes(routes!(experiments::http::goals::list, experiments::http::goals::create))
        .routes(routes!(experiments::http::goals::read, experiments::http::goals::edit))
        .routes(routes!(experiments::http::goals::revisions))
        .routes(routes!(experiments::http::goals::set_status))
        .routes(routes!(experiments::http::goals::roll_back))
        .routes(routes!(experiments::http::ship_experiment))
        .routes(routes!(experiments::http::ship_experience))
        .routes(routes!(results::http::of_experiment))
        .routes(routes!(results::http::of_experience))
        .routes(routes!(results::http::teach_experiment))
        .routes(routes!(results::http::teach_experience))
        .routes(routes!(results::plan::plan))
        .routes(routes!(audit::http::list))
        .routes(routes!(pages::welcome))
        .routes(routes!(documentation::health))
        .routes(routes!(documentation::openapi))
        .routes(routes!(documentation::docs))
        .routes(routes!(documentation::docs_script))
        .routes(routes!(documentation::docs_style))
}

/// Lets every site's pages read the answers. Credentials never come along: a write key is in the request.
async fn share(request: Request, next: Next) -> Response {
    let preflight = request.method() == Method::OPTIONS;
    let mut response =
        if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    let any = HeaderValue::from_static("*");
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any.clone());
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    headers.insert("timing-allow-origin", any);
    if preflight {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("authorization, cache-control, content-type, content-encoding, if-none-match, last-event-id, x-api-key"),
        );
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    } else {
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("etag, retry-after, x-sse-support"),
        );
    }
    response
}

/// Tells browsers to take answers for what they say they are, and to run and frame nothing else.
async fn harden(request: Request, next: Next) -> Response {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn in_time(patience: Duration, request: Request, next: Next) -> Response {
    tokio::time::timeout(patience, next.run(request))
        .await
        .unwrap_or_else(|_| Problem::Timeout.into_response())
}
