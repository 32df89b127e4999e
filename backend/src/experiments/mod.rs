//! What a workspace's people author to be decided: audiences, features, experiments, experiences and
//! goals, revision by revision; one payload of what runs; results.

mod check;
mod definition;
pub mod http;
mod payload;
mod publisher;
mod service;
mod store;
mod view;

pub use definition::{Definition, Kind, Status};
pub use payload::{Payload, Wrong};
pub use publisher::{Changes, Publisher, payload, publish_all};
pub use service::{ensure, one, variation_keys};
pub use store::DefinitionStore;
pub(crate) use store::TABLE;
pub use view::WrongView;
