//! What is decided now, for who has no engine: our own SDKs, and clients that others wrote, GrowthBook's and
//! OpenFeature's.

mod brief;
mod encrypted;
pub mod everything;
pub mod growthbook;
pub mod ofrep;
mod open;
mod visitor;

pub use brief::answers;
pub use encrypted::PayloadKey;
pub use open::{FlagBoard, OpenFlags};
