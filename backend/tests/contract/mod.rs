//! What every adapter of a port must do. Each function takes a way to open the same store again.

pub mod exposures;
pub mod files;
pub mod keys;
pub mod log;
pub mod profiles;
pub mod records;
