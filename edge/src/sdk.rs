//! The SDK's files as the backend makes them, kept for when the backend is away.

use crate::answer::{Answer, IMMUTABLE, MUTABLE};
use crate::bundle::hex;
use crate::edge::Settings;
use crate::host::Host;
use crate::problem::Problem;
use crate::request::Request;
use serde_json::Value;
use std::sync::Arc;

/// The configuration, and in a script what follows it.
#[derive(Clone)]
pub struct Script {
    pub config: Value,
    /// What browsers heed at the very beginning alone.
    opening: Arc<[u8]>,
    /// Data of the bundle, and code.
    rest: Arc<[u8]>,
    /// Hash of the whole.
    hash: String,
}

const BEGINNING: &[u8] = b"self.rapportConfig=";
const KEPT: &str = "sdk.js";

impl Script {
    /// Fetches `KEY.js`; the one that was kept where the backend cannot be asked.
    ///
    /// # Errors
    /// Where there is neither.
    pub async fn fetch(host: &impl Host, settings: &Settings) -> Result<Self, Problem> {
        let path = format!("/v1/sdk/{}.js", settings.key);
        let failure = match host.backend(Request::get(&path)).await {
            Ok(answer) if answer.is_good() => {
                if let Some(script) = Self::read(&answer.body) {
                    let known = host.load(KEPT).await.ok().flatten();
                    if known.as_ref() != Some(&answer.body) {
                        // What cannot be kept is served all the same.
                        let _ = host.keep(KEPT, answer.body).await;
                    }
                    return Ok(script);
                }
                crate::Failure("its script is none".to_owned())
            }
            Ok(Answer { status: 401 | 403, .. }) => return Err(Problem::BadCredential),
            Ok(answer) => crate::Failure(format!("it answers {}", answer.status)),
            Err(failure) => failure,
        };
        let kept = host.load(KEPT).await?.and_then(|bytes| Self::read(&bytes));
        kept.ok_or(Problem::Backend(failure))
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let begins = bytes.windows(BEGINNING.len()).position(|window| window == BEGINNING)?;
        let (opening, rest) = bytes.split_at_checked(begins)?;
        let rest = rest.strip_prefix(BEGINNING)?;
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<Value>();
        let config = values.next()?.ok()?;
        let rest = rest.get(values.byte_offset()..)?.into();
        Some(Self { config, opening: opening.into(), rest, hash: hex(bytes) })
    }

    /// For pages: everything comes from this edge.
    fn shown(&self, settings: &Settings) -> Value {
        let mut config = self.config.clone();
        config["endpoint"] = Value::from(settings.public_url.clone());
        config
    }

    /// `KEY.js` or `KEY.json`.
    pub fn answer(&self, settings: &Settings, request: &Request, script: bool) -> Answer {
        let config = self.shown(settings).to_string();
        if !script {
            let answer = Answer { body: config.into_bytes(), ..Answer::empty(200) };
            return answer.with("content-type", "application/json").with("cache-control", MUTABLE);
        }
        // The same of another edge says another endpoint.
        let hash = hex([self.hash.as_bytes(), settings.public_url.as_bytes()].concat().as_slice());
        let answer = if request.has(&format!("\"{hash}\"")) {
            Answer::empty(304)
        } else {
            let body = [&self.opening, BEGINNING, config.as_bytes(), &self.rest].concat();
            Answer { body, ..Answer::empty(200) }
                .with("content-type", "text/javascript; charset=utf-8")
        };
        answer.with("cache-control", MUTABLE).with("etag", &format!("\"{hash}\""))
    }
}

/// A part of the SDK or of the bundle, whose name says its hash.
///
/// # Errors
/// Where the name is none, or nobody has it.
pub async fn part(host: &impl Host, settings: &Settings, name: &str) -> Result<Answer, Problem> {
    let (hash, kind) = name.split_once('.').ok_or(Problem::NotFound("part"))?;
    let plain =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if hash.len() != 64 || !plain(hash) || !plain(kind) {
        return Err(Problem::NotFound("part"));
    }
    let kept = format!("part/{name}");
    let whole = |body| Answer { body, ..Answer::empty(200) };
    let answer = match host.load(&kept).await.ok().flatten() {
        Some(body) => whole(body),
        None => {
            let path = format!("/v1/parts/{}/{name}", settings.key);
            let answer = host.backend(Request::get(&path)).await?;
            if !answer.is_good() {
                return Err(Problem::NotFound("part"));
            }
            let _ = host.keep(&kept, answer.body.clone()).await;
            whole(answer.body)
        }
    };
    let kind = match kind {
        "js" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    };
    Ok(answer.with("content-type", kind).with("cache-control", IMMUTABLE))
}
