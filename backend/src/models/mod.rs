//! The models of a workspace: versions, which of them is live, and what runs those that customers bring.

mod engines;
mod faults;

pub use engines::{Engines, Runs};
pub use faults::{Counts, CountsView, Faults};
