//! What a workspace's people author to be decided: audiences, features, experiments, experiences and
//! goals, revision by revision; one payload of what runs; results.

mod bandit;
mod check;
mod definition;
mod factors;
pub mod http;
mod learnt;
mod payload;
mod publisher;
mod service;
mod store;
mod view;
mod winner;

pub use bandit::{Bandit, Learns, SCORE, authored_weights, first_weights, fits};
pub use definition::{Definition, Kind, Status};
pub use factors::{Factor, Factors};
pub(crate) use learnt::TABLE as LEARNT;
pub use learnt::{LearntLeaf, WeightStore, Weights};
pub use payload::{Payload, Wrong};
pub use publisher::{Changes, Publisher, payload, publish_all};
pub use service::{ensure, one, variation_keys};
pub use store::DefinitionStore;
pub(crate) use store::TABLE;
pub use view::WrongView;
pub use winner::SHIPPED;
