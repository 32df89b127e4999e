//! Profiles and scores: what the log says about each visitor. Can be thrown away and rebuilt.

pub mod http;
mod projector;
mod service;
mod store;
mod sweeper;
mod view;

pub use projector::Projector;
pub use service::{decide, profile_bytes, score, visitor, visitor_view, visitors};
pub use store::{Change, ProfileStore, SqliteProfiles, StoredProfile, Trail};
pub use view::{ReasonView, ScoreView, VisitorView};
