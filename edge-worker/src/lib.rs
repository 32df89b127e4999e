//! The edge as a Cloudflare Worker: converts, asks `rapport-edge`, converts back.
#![cfg(target_arch = "wasm32")]

mod changes;
mod crossing;
mod host;
mod queue;
mod site;

use host::{Platform, setting};
use rapport_edge::{Edge, Listener, MAX_BODY, Method, Secrets, Settings};
use std::sync::{Arc, OnceLock};
use worker::worker_sys::web_sys;
use worker::{Context, Env, Error, Response, Result, Url, event};

/// One a process of the platform's; it lives as long as the platform likes.
static EDGE: OnceLock<Arc<Edge>> = OnceLock::new();

#[event(fetch)]
async fn fetch(raw: web_sys::Request, env: Env, context: Context) -> Result<web_sys::Response> {
    let mut request = crossing::request(&raw)?;
    let is_own = Edge::is_own(&request.path);
    if !is_own {
        context.pass_through_on_exception();
    }
    let edge = edge(&env, Some(&raw))?;
    let platform = Platform::new(&env);
    if !is_own {
        return site::answer(&edge, &platform, &raw, request, &env).await;
    }
    let said = request.header("content-length").and_then(|length| length.parse().ok());
    if said.is_some_and(|length: usize| length > MAX_BODY) {
        let refused = Response::error(format!("the body is larger than {MAX_BODY} bytes"), 413);
        return Ok(refused?.into());
    }
    if request.method == Method::Post {
        request.body = crossing::body(&raw).await?;
    }
    match Listener::of(&edge, &request) {
        Some(Ok(listener)) => return Ok(changes::stream(edge, platform, listener)?.into()),
        Some(Err(refused)) => return crossing::response(&refused),
        None => {}
    }
    let answer = edge.answer(&platform, &request).await;
    if edge.is_due(rapport_edge::Host::now(&platform)) {
        context.wait_until(async move {
            if let Err(problem) = edge.refresh(&platform).await {
                worker::console_warn!("no newer bundle: {problem}");
            }
        });
    }
    crossing::response(&answer)
}

/// The edge of this process; `request` says how browsers reach it where no setting does.
fn edge(env: &Env, request: Option<&web_sys::Request>) -> Result<Arc<Edge>> {
    if let Some(edge) = EDGE.get() {
        return Ok(edge.clone());
    }
    let key = setting(env, "RAPPORT_KEY");
    let key = key.ok_or_else(|| Error::from("RAPPORT_KEY is not set: give the write key"))?;
    let address = setting(env, "RAPPORT_PUBLIC_URL");
    let settings = Settings {
        key,
        public_key: setting(env, "RAPPORT_PUBLIC_KEY"),
        visitor_cookie: setting(env, "RAPPORT_VISITOR_COOKIE").is_some(),
        secrets: Secrets::read(&setting(env, "RAPPORT_SECRET").unwrap_or_default())
            .map_err(|error| Error::from(format!("RAPPORT_SECRET: {error}")))?,
        conformance: setting(env, "RAPPORT_CONFORMANCE").is_some(),
        public_url: match (address, request) {
            (Some(address), _) => address,
            (None, Some(request)) => Url::parse(&request.url())?.origin().ascii_serialization(),
            (None, None) => String::new(),
        },
    };
    let edge = Arc::new(Edge::new(settings).map_err(|error| Error::from(error.to_string()))?);
    // A queue's edge only delivers.
    Ok(if request.is_some() { EDGE.get_or_init(|| edge).clone() } else { edge })
}
