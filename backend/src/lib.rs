//! The server that remembers: collects events, keeps profiles and scores, publishes bundles.
//!
//! [`start`] runs it; [`App`] is what the command line and tests use without HTTP. Modules are
//! nouns: `http` reads requests, `service` does the work, `store` keeps, `view` is what clients see.

mod app;
pub mod audit;
pub mod bundles;
pub mod clock;
pub mod collect;
mod config;
mod connections;
mod documentation;
pub mod error;
pub mod experiments;
pub mod files;
pub mod flags;
pub mod identity;
pub mod keys;
pub mod live;
pub mod log;
pub mod models;
mod pages;
pub mod privacy;
pub mod profiles;
pub mod records;
mod request;
pub mod results;
mod router;
pub mod seal;
mod secret;
mod server;
mod sqlite;

pub use app::{App, Shared};
pub use config::{Config, Connections};
pub use secret::Sha256Digest;
pub use server::{Running, StartError, lock_directory, start};
