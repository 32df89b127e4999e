//! The customer's site behind this edge: asked, and its pages changed while they stream.

use crate::host::{Platform, setting};
use rapport_edge::{Edge, Request, Rewrite};
use std::sync::Arc;
use wasm_bindgen::prelude::*;
use worker::js_sys::Promise;
use worker::wasm_bindgen_futures::JsFuture;
use worker::worker_sys::web_sys;
use worker::{Env, Result};

#[wasm_bindgen(raw_module = "./site.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    fn forward(
        request: &web_sys::Request,
        origin: &str,
        planned: bool,
        known: &str,
    ) -> std::result::Result<Promise, JsValue>;
    #[wasm_bindgen(catch)]
    fn rewrite(
        response: &web_sys::Response,
        plan: &str,
        failed: &JsValue,
    ) -> std::result::Result<web_sys::Response, JsValue>;
}

/// Answers a request that is for the site.
pub async fn answer(
    edge: &Arc<Edge>,
    platform: &Platform,
    raw: &web_sys::Request,
    asked: Request,
    env: &Env,
) -> Result<web_sys::Response> {
    let plan = edge.plan(platform, &asked).await;
    let origin = setting(env, "RAPPORT_ORIGIN").unwrap_or_default();
    let known = plan.as_ref().and_then(|plan| plan.known(&asked)).unwrap_or_default();
    let forwarded = forward(raw, &origin, plan.is_some(), &known)?;
    let answer = JsFuture::from(forwarded).await?;
    let answer: web_sys::Response = answer.dyn_into()?;
    let headers = answer.headers();
    let header = |name: &str| headers.get(name).ok().flatten();
    let Some(todo) = plan.and_then(|plan| plan.rewrite(answer.status(), header)) else {
        return Ok(answer);
    };
    Ok(match rewritten(edge, &answer, &todo) {
        Ok(page) => page,
        Err(error) => {
            edge.fault(&format!("{error:?}"));
            answer
        }
    })
}

fn rewritten(
    edge: &Arc<Edge>,
    answer: &web_sys::Response,
    todo: &Rewrite,
) -> std::result::Result<web_sys::Response, JsValue> {
    let edge = edge.clone();
    let failed =
        Closure::<dyn Fn(String)>::new(move |why: String| edge.fault(&why)).into_js_value();
    let plan = serde_json::to_string(todo).map_err(|error| JsValue::from(error.to_string()))?;
    let page = if todo.unchanged { answer.clone()? } else { rewrite(answer, &plan, &failed)? };
    let headers = web_sys::Headers::new_with_headers(&page.headers())?;
    for name in todo.dropped {
        headers.delete(name)?;
    }
    for (name, value) in &todo.headers {
        if *name == "set-cookie" {
            headers.append(name, value)?
        } else {
            headers.set(name, value)?
        }
    }
    let init = web_sys::ResponseInit::new();
    init.set_status(page.status());
    init.set_headers(&headers);
    web_sys::Response::new_with_opt_readable_stream_and_init(page.body().as_ref(), &init)
}
