//! Rapport's engine for Python: converts, calls core, converts back.
//!
//! Nothing here runs on a thread of its own or waits for anything. What is shared between calls is
//! held with the interpreter's lock, under which `fork` happens, so that a child finds it whole.

mod bundle;
mod decision;
mod engine;
mod error;
mod feature;
mod flags;
mod testing;
mod values;
mod visitor;
mod wire;

use pyo3::prelude::*;

#[pymodule]
mod _engine {
    #[pymodule_export]
    use super::decision::{Decision, Reason};
    #[pymodule_export]
    use super::engine::Engine;
    #[pymodule_export]
    use super::error::{BundleError, RapportError, VisitorError};
    #[pymodule_export]
    use super::feature::{Exposure, Feature, Variation};
    #[pymodule_export]
    use super::testing::testing;
}
