//! Who changed what: a row in the same transaction as each administrative change.

pub mod http;
mod store;

pub use store::{AuditStore, Change, Entry, append};
