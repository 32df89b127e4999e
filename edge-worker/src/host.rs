//! The platform as an edge's host: KV, and the backend by fetch.

use crate::queue::keep;
use rapport_core::event::Millis;
use rapport_edge::{Answer, Failure, Host, Request, Waiting};
use std::time::Duration;
use worker::kv::KvStore;
use worker::send::{SendFuture, SendWrapper};
use worker::{Date, Env, Fetch, Headers, Method, RequestInit, Result};

/// Where bundles and the SDK's files are kept.
const STORE: &str = "RAPPORT_KV";

pub struct Platform {
    backend: String,
    store: SendWrapper<KvStore>,
    env: SendWrapper<Env>,
}

/// A variable or a secret; an empty one is none.
pub fn setting(env: &Env, name: &str) -> Option<String> {
    env.var(name).map(|value| value.to_string()).ok().filter(|value| !value.is_empty())
}

impl Platform {
    pub fn new(env: &Env) -> Result<Self> {
        let backend = setting(env, "RAPPORT_BACKEND").unwrap_or_default();
        let store = SendWrapper::new(env.kv(STORE)?);
        let env = SendWrapper::new(env.clone());
        Ok(Self { backend: backend.trim_end_matches('/').to_owned(), store, env })
    }

    /// What the backend answers, its body still to come.
    pub async fn fetch(&self, request: Request) -> Result<worker::Response> {
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
        let address = format!("{}{}{query}", self.backend, request.path);
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
        SendFuture::new(self.store.get(name).bytes()).await.map_err(failure)
    }

    async fn keep(&self, name: &str, value: Vec<u8>) -> std::result::Result<(), Failure> {
        let put = self.store.put_bytes(name, &value).map_err(failure)?;
        SendFuture::new(put.execute()).await.map_err(failure)
    }

    async fn queue(&self, batch: Waiting) -> std::result::Result<(), Failure> {
        SendFuture::new(keep(&self.env, &batch)).await.map_err(failure)
    }
}
