//! What is decided now, for clients that others wrote: GrowthBook's and OpenFeature's.

mod open;

pub use open::{FlagBoard, OpenFlags};
