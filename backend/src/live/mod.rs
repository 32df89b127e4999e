//! The live feed and its page: visitors and scores as they move.

mod feed;
pub mod http;

pub use feed::{Feed, Happening};
