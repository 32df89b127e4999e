//! The trainer: histogram gradient boosting with native categories and missing values.
//!
//! [`train`] takes a [`Table`] and its outcomes and needs no tuning; the parts that it is made of
//! (bins, histograms, splits, growth, boosting) are public for measurement.

mod apply;
mod authored;
pub mod bins;
pub mod boost;
pub mod calibrate;
pub mod folds;
pub mod grow;
mod histogram;
pub mod leak;
pub mod metrics;
pub mod presets;
mod random;
pub mod reading;
pub mod split;
mod table;
mod train;
mod validate;
mod work;

pub use apply::probabilities;
pub use authored::mean_model;
pub use table::{Column, MISSING_LEVEL, Monotone, Table, Values};
pub use train::{
    LEAST, Later, Progress, Settings, TrainError, Trained, Validation, train, train_on_earlier,
};
pub use work::{Job, OneByOne, Workers};
