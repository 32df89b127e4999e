//! What came of experiments: exposures and goals from the log, joined person by person, and core's
//! statistics of them. Can be thrown away and rebuilt.

mod compute;
mod crowd;
pub mod http;
mod learner;
mod learning;
mod look;
mod measuring;
mod off_policy;
pub mod plan;
mod projector;
mod reading;
mod store;
mod view;

pub use learner::keep_learning;
pub use projector::Exposures;
pub use store::{Conversion, Exposure, ExposureStore, Found, LeafSeen, SqliteExposures};
