//! Requests and answers between the platform and the engine, each in one go.

use rapport_edge::{Answer, Method, Place, Request};
use wasm_bindgen::prelude::*;
use worker::js_sys::Uint8Array;
use worker::wasm_bindgen_futures::JsFuture;
use worker::worker_sys::web_sys;
use worker::{Error, Result};

#[wasm_bindgen(raw_module = "./crossing.js")]
extern "C" {
    fn described(request: &web_sys::Request) -> String;
    #[wasm_bindgen(catch)]
    fn answered(
        status: u16,
        headers: &str,
        body: &[u8],
    ) -> std::result::Result<web_sys::Response, JsValue>;
}

/// A request as the edge reads it, its body still to come.
pub fn request(raw: &web_sys::Request) -> Result<Request> {
    let lines = described(raw);
    let mut lines = lines.split('\n');
    let [method, url, country, region, city, bot] =
        std::array::from_fn(|_| lines.next().unwrap_or_default());
    let (_, rest) = url.split_once("://").ok_or_else(|| Error::from("the address is none"))?;
    let rest = rest.split('#').next().unwrap_or_default();
    let path = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut headers = Vec::new();
    while let (Some(name), Some(value)) = (lines.next(), lines.next()) {
        headers.push((name.to_owned(), value.to_owned()));
    }
    let known = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let mut request = Request {
        method: Method::named(method),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Vec::new(),
        place: Place {
            country: known(country),
            region: known(region),
            city: known(city),
            bot: !bot.is_empty(),
        },
        address: None,
    };
    request.address = request.header("cf-connecting-ip").map(str::to_owned);
    Ok(request)
}

/// All of a request's body.
pub async fn body(raw: &web_sys::Request) -> Result<Vec<u8>> {
    let bytes = JsFuture::from(raw.array_buffer()?).await?;
    Ok(Uint8Array::new(&bytes).to_vec())
}

/// An answer as the platform sends it.
pub fn response(answer: &Answer) -> Result<web_sys::Response> {
    let headers: Vec<&str> =
        answer.headers.iter().flat_map(|(name, value)| [&**name, &**value]).collect();
    Ok(answered(answer.status, &headers.join("\n"), &answer.body)?)
}
