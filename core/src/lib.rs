//! Every rule of Rapport's business, as functions over data: no I/O, no clock, no randomness.
//!
//! The same input bytes give the same output bytes on every host: browser, edge, Python, PHP, backend.

pub mod bandit;
pub mod binary;
pub mod bundle;
pub mod decide;
pub mod event;
pub mod experiment;
mod matrix;
pub mod model;
mod order;
pub mod person;
pub mod profile;
pub mod scoring;
pub mod stats;
pub mod targeting;
#[cfg(feature = "train")]
pub mod training;
