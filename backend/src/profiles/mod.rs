//! Profiles and scores: what the log says about each visitor. Can be thrown away and rebuilt.

mod acts;
mod days;
mod fold;
pub mod given;
pub mod http;
pub mod merging;
mod people;
mod projector;
mod service;
mod sqlite;
mod store;
mod sweeper;
mod view;

pub use merging::{Merge, MergeStore, log_all};
pub use people::Who;
pub use projector::Projector;
pub use service::{
    MOST_REASONS, Question, REASONS, decide, lag, profile_bytes, profiling_word, visitor,
    visitor_view, visitors,
};
pub use sqlite::SqliteProfiles;
pub use store::{Change, PlacedAct, ProfileStore, StoredProfile, Trail};
pub use view::{Cause, ReasonView, ScoreView, StatusView, VisitorView, WaitingView};
