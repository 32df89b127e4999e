//! The edge without a host: whatever answers visitors near them, in front of the backend and of the
//! customer's site.
//!
//! A host (a Cloudflare Worker, `rapport edge`) reads a request, calls [`Edge::answer`], and writes the
//! answer. What it has to bring itself is one trait, [`Host`]: a clock, randomness, the backend's
//! answers, a store for what outlives a process, and a queue that forgets nothing.

mod answer;
mod body;
mod bundle;
mod change;
mod changes;
mod collect;
mod cookie;
mod decide;
mod edge;
mod forward;
mod host;
mod hydration;
mod memory;
mod ofrep;
mod page;
mod problem;
mod request;
mod sdk;
#[cfg(feature = "testing")]
mod testing;
mod visitor;

pub use answer::Answer;
pub use bundle::{BundleError, BundleFile, OpenBundle};
pub use change::{Act, Step};
pub use changes::{HEADERS as STREAM_HEADERS, Heard, KEEP_ALIVE, Listener};
pub use cookie::{SecretError, Secrets};
pub use edge::{Edge, Settings, SettingsError};
pub use forward::{Fate, Waiting, patience};
pub use host::{Failure, Host};
pub use page::{NONCE, Plan, Rewrite};
pub use request::{MAX_BODY, Method, Place, Request};
