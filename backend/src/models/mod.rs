//! The models of a workspace: versions, which of them is live, and what runs those that customers bring.

mod built_in;
mod engines;
mod faults;
pub mod http;
mod overlay;
mod reading;
pub mod service;
mod store;
pub mod view;

pub use engines::{Engines, Runs};
pub use faults::{Counts, CountsView, Faults};
pub(crate) use overlay::{Registry, live_manifest};
pub(crate) use store::TABLES;
pub use store::{Action, Base, Because, ModelStore, Move, NewModel, StoredModel};
