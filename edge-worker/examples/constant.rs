//! What deciding is measured beside: a Worker that reads its body and answers as many bytes as the query asks for.
#![cfg(target_arch = "wasm32")]

use std::sync::OnceLock;
use worker::{Context, Env, Headers, Request, Response, Result, event};

/// Made once: that it is long costs nothing.
static ANSWER: OnceLock<Vec<u8>> = OnceLock::new();

#[event(fetch)]
async fn fetch(mut request: Request, _: Env, _: Context) -> Result<Response> {
    let body = request.bytes().await?;
    if body.is_empty() {
        return Response::error("there is no body", 400);
    }
    let answer = match ANSWER.get() {
        Some(answer) => answer,
        None => {
            let length = request.url()?.query().and_then(|query| query.parse().ok()).unwrap_or(0);
            ANSWER.get_or_init(|| vec![b' '; length])
        }
    };
    let headers = Headers::new();
    headers.set("content-type", "application/json")?;
    Ok(Response::from_bytes(answer.clone())?.with_headers(headers))
}
