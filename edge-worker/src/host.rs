//! The platform as an edge's host: KV, and the backend by fetch.

use crate::queue::keep;
use rapport_core::event::Millis;
use rapport_edge::{Answer, Failure, Host, Request, Waiting};
use std::time::Duration;
use worker::kv::KvStore;
use worker::send::{SendFuture, SendWrapper};
use worker::{Cache, Date, Env, Fetch, Headers, Method, RequestInit, Response, Result};

/// Where bundles and the SDK's files are kept.
const STORE: &str = "RAPPORT_KV";

/// What it does not need of its environment it does not look up: most answers come from memory.
pub struct Platform {
    env: SendWrapper<Env>,
}

/// A variable or a secret; an empty one is none.
pub fn setting(env: &Env, name: &str) -> Option<String> {
    env.var(name).map(|value| value.to_string()).ok().filter(|value| !value.is_empty())
}

impl Platform {
    pub fn new(env: &Env) -> Self {
        Self { env: SendWrapper::new(env.clone()) }
    }

    fn store(&self) -> std::result::Result<KvStore, Failure> {
        self.env.kv(STORE).map_err(|_| Failure(format!("{STORE} is not bound")))
    }

    /// What this place of the platform's has of its own: nearer than the store, and there while that is away.
    async fn cached(&self, name: &str) -> Option<Vec<u8>> {
        let found = Cache::default().get(self.place(name), false).await;
        found.ok()??.bytes().await.ok()
    }

    /// What cannot be cached is in the store.
    async fn cache(&self, name: &str, value: Vec<u8>) {
        let Ok(response) = Response::from_bytes(value) else { return };
        let headers = Headers::new();
        // Only parts are named by what they are.
        let seconds = if name.starts_with("part/") { 31_536_000 } else { 60 };
        if headers.set("cache-control", &format!("public, max-age={seconds}")).is_ok() {
            let _ = Cache::default().put(self.place(name), response.with_headers(headers)).await;
        }
    }

    /// An address that nobody else asks for.
    fn place(&self, name: &str) -> String {
        let key = setting(&self.env, "RAPPORT_KEY").unwrap_or_default();
        format!("https://rapport-edge.invalid/{key}/{name}")
    }

    /// What the backend answers, its body still to come.
    pub async fn fetch(&self, request: Request) -> Result<Response> {
        let headers = Headers::new();
        for (name, value) in &request.headers {
            headers.append(name, value)?;
        }
        let mut init = RequestInit::new();
        init.with_method(Method::from(request.method.name().to_owned())).with_headers(headers);
        if !request.body.is_empty() {
            init.with_body(Some(worker::js_sys::Uint8Array::from(request.body.as_slice()).into()));
        }
        let query =
            if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let backend = setting(&self.env, "RAPPORT_BACKEND").unwrap_or_default();
        let address = format!("{}{}{query}", backend.trim_end_matches('/'), request.path);
        let asked = worker::Request::new_with_init(&address, &init)?;
        Fetch::Request(asked).send().await
    }

    async fn ask(&self, request: Request) -> Result<Answer> {
        let mut answer = self.fetch(request).await?;
        Ok(Answer {
            status: answer.status_code(),
            headers: answer.headers().entries().collect(),
            body: answer.bytes().await?,
        })
    }
}

fn failure(error: impl std::fmt::Display) -> Failure {
    Failure(error.to_string())
}

impl Host for Platform {
    fn now(&self) -> Millis {
        Millis(Date::now().as_millis() as i64)
    }

    fn spent(&self) -> Duration {
        // The platform's clock does not show it; what runs too long the platform ends itself.
        Duration::ZERO
    }

    fn random(&self) -> Option<[u8; 16]> {
        // The platform's `Math.random` is a cryptographic one.
        Some(std::array::from_fn(|_| (worker::js_sys::Math::random() * 256.0) as u8))
    }

    async fn backend(&self, request: Request) -> std::result::Result<Answer, Failure> {
        SendFuture::new(self.ask(request)).await.map_err(failure)
    }

    async fn load(&self, name: &str) -> std::result::Result<Option<Vec<u8>>, Failure> {
        let loading = async {
            if let Some(known) = self.cached(name).await {
                return Ok(Some(known));
            }
            let found = self.store()?.get(name).bytes().await.map_err(failure)?;
            if let Some(value) = &found {
                self.cache(name, value.clone()).await;
            }
            Ok(found)
        };
        SendFuture::new(loading).await
    }

    async fn keep(&self, name: &str, value: Vec<u8>) -> std::result::Result<(), Failure> {
        let keeping = async {
            self.cache(name, value.clone()).await;
            let put = self.store()?.put_bytes(name, &value).map_err(failure)?;
            put.execute().await.map_err(failure)
        };
        SendFuture::new(keeping).await
    }

    async fn queue(&self, batch: Waiting) -> std::result::Result<(), Failure> {
        SendFuture::new(keep(&self.env, &batch)).await.map_err(failure)
    }
}
