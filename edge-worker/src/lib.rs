//! The edge as a Cloudflare Worker: converts, asks `rapport-edge`, converts back.
#![cfg(target_arch = "wasm32")]

mod changes;
mod host;
mod queue;
mod site;

use host::{Platform, setting};
use rapport_edge::{Answer, Edge, Listener, MAX_BODY, Method, Place, Request, Secrets, Settings};
use std::sync::{Arc, OnceLock};
use worker::{
    Context, Env, Error, Headers, Response, ResponseBody, ResponseBuilder, Result, event,
};

/// One a process of the platform's; it lives as long as the platform likes.
static EDGE: OnceLock<Arc<Edge>> = OnceLock::new();

#[event(fetch)]
async fn fetch(request: worker::Request, env: Env, context: Context) -> Result<Response> {
    let is_own = Edge::is_own(&request.path());
    if !is_own {
        context.pass_through_on_exception();
    }
    let edge = edge(&env, Some(&request))?;
    let platform = Platform::new(&env)?;
    if !is_own {
        return site::answer(&edge, &platform, request, &env).await;
    }
    let request = match read(request).await? {
        Some(request) => request,
        None => return Response::error(format!("the body is larger than {MAX_BODY} bytes"), 413),
    };
    match Listener::of(&edge, &request) {
        Some(Ok(listener)) => return changes::stream(edge, platform, listener),
        Some(Err(refused)) => return response(refused),
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
    response(answer)
}

/// The edge of this process; `request` says how browsers reach it where no setting does.
fn edge(env: &Env, request: Option<&worker::Request>) -> Result<Arc<Edge>> {
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
            (None, Some(request)) => request.url()?.origin().ascii_serialization(),
            (None, None) => String::new(),
        },
    };
    let edge = Arc::new(Edge::new(settings).map_err(|error| Error::from(error.to_string()))?);
    // A queue's edge only delivers.
    Ok(if request.is_some() { EDGE.get_or_init(|| edge).clone() } else { edge })
}

/// `None` where the body is larger than anybody needs.
async fn read(mut request: worker::Request) -> Result<Option<Request>> {
    let said = request.headers().get("content-length")?.and_then(|length| length.parse().ok());
    if said.is_some_and(|length: usize| length > MAX_BODY) {
        return Ok(None);
    }
    let body = match request.method() {
        worker::Method::Post => request.bytes().await?,
        _ => Vec::new(),
    };
    described(&request, body).map(Some)
}

/// A request as the edge reads it.
fn described(request: &worker::Request, body: Vec<u8>) -> Result<Request> {
    let url = request.url()?;
    let place = request.cf().map(|cf| Place {
        country: cf.country(),
        region: cf.region_code(),
        city: cf.city(),
        bot: cf.verified_bot_category().is_some_and(|category| !category.is_empty()),
    });
    Ok(Request {
        method: Method::named(request.method().as_ref()),
        path: url.path().to_owned(),
        query: url.query().unwrap_or_default().to_owned(),
        headers: request.headers().entries().collect(),
        body,
        place: place.unwrap_or_default(),
        address: request.headers().get("cf-connecting-ip")?,
    })
}

fn response(answer: Answer) -> Result<Response> {
    let headers = Headers::new();
    for (name, value) in &answer.headers {
        headers.append(name, value)?;
    }
    let response = ResponseBuilder::new().with_status(answer.status).with_headers(headers);
    Ok(if answer.body.is_empty() {
        response.empty()
    } else {
        response.body(ResponseBody::Body(answer.body))
    })
}
