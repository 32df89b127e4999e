//! What an edge needs of whoever runs it.

use crate::answer::Answer;
use crate::forward::Waiting;
use crate::request::Request;
use rapport_core::event::Millis;
use std::future::Future;
use std::time::Duration;

/// The clock, the network and the storage of a host.
pub trait Host: Send + Sync {
    /// The time.
    fn now(&self) -> Millis;

    /// How much work this thread did so far: what it waits for a processor does not count.
    fn spent(&self) -> Duration;

    /// Bytes that nobody guesses; `None` where the platform has none.
    fn random(&self) -> Option<[u8; 16]>;

    /// Asks the backend; the path begins with `/`.
    fn backend(&self, request: Request) -> impl Future<Output = Result<Answer, Failure>> + Send;

    /// What was kept under a name, by whichever process.
    fn load(&self, name: &str) -> impl Future<Output = Result<Option<Vec<u8>>, Failure>> + Send;

    /// Keeps something under a name. Others may see what was there before for a while.
    fn keep(&self, name: &str, value: Vec<u8>) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Takes a batch to be forwarded; once this is done, no crash of anything here loses it.
    fn queue(&self, batch: Waiting) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Something outside does not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);
