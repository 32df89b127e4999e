//! Tables in files, as people write them.

mod names;
mod source;
mod training;

pub use names::nearest;
pub use source::{Source, TableError};
pub use training::{LeftOut, TrainingTable, TrainingTableRequest, positive_label, same};
