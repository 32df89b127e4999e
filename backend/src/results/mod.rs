//! What came of experiments: exposures and goals from the log, joined person by person, and core's
//! statistics of them. Can be thrown away and rebuilt.

mod compute;
pub mod http;
mod projector;
mod reading;
mod store;
mod view;

pub use projector::Exposures;
pub use store::{Conversion, Exposure, ExposureStore, Found, SqliteExposures};
