//! What is decided now, for clients that others wrote: GrowthBook's and OpenFeature's.

pub mod growthbook;
pub mod ofrep;
mod open;
mod visitor;

pub use open::{FlagBoard, OpenFlags};
