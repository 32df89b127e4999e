//! Every way that a request to the edge can fail, and the problem document (RFC 9457) that says so.

use crate::answer::{Answer, PRIVATE};
use crate::bundle::BundleError;
use crate::host::Failure;
use serde_json::json;

/// Why a request was refused or could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("the credential is unknown here; this edge serves another workspace")]
    BadCredential,
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("this address takes {0}")]
    Method(&'static str),
    #[error("{0}")]
    Malformed(String),
    #[error("the body is larger than {0} bytes; send less at a time")]
    TooLarge(usize),
    #[error("no bundle is published yet")]
    NoBundle,
    #[error("the bundle that is published cannot be used: {0}")]
    Bundle(#[from] BundleError),
    #[error("the backend cannot be asked, and nothing was kept: {0}")]
    Backend(#[from] Failure),
    #[error("the events cannot be kept, send them again: {0}")]
    Queue(Failure),
}

impl Problem {
    const fn status(&self) -> u16 {
        match self {
            Self::BadCredential => 401,
            Self::NotFound(_) | Self::NoBundle => 404,
            Self::Method(_) => 405,
            Self::Malformed(_) => 400,
            Self::TooLarge(_) => 413,
            Self::Bundle(_) => 502,
            Self::Backend(_) | Self::Queue(_) => 503,
        }
    }

    const fn word(&self) -> &'static str {
        match self {
            Self::BadCredential => "bad-credential",
            Self::NotFound(_) => "not-found",
            Self::Method(_) => "method",
            Self::Malformed(_) => "malformed",
            Self::TooLarge(_) => "too-large",
            Self::NoBundle => "no-bundle",
            Self::Bundle(_) => "bundle",
            Self::Backend(_) => "backend",
            Self::Queue(_) => "queue",
        }
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let (status, word) = (problem.status(), problem.word());
        let document = json!({
            "type": format!("urn:rapport:problem:{word}"), "title": word, "status": status,
            "detail": problem.to_string(),
        });
        let answer = Self { body: document.to_string().into_bytes(), ..Self::empty(status) }
            .with("content-type", "application/problem+json")
            .with("cache-control", PRIVATE);
        if status == 503 { answer.with("retry-after", "5") } else { answer }
    }
}
