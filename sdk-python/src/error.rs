//! What goes wrong, as Python's exceptions.

use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

pyo3::create_exception!(rapport, RapportError, PyException, "What Rapport refuses, and why.");
pyo3::create_exception!(
    rapport,
    BundleError,
    RapportError,
    "A bundle that is not whole, not signed by who it should be, or of a format this SDK does not read."
);
pyo3::create_exception!(
    rapport,
    VisitorError,
    RapportError,
    "Something of a visitor that cannot be read: an attribute, an event, a stored profile."
);

pub fn bundle(why: impl Display) -> PyErr {
    BundleError::new_err(why.to_string())
}

pub fn visitor(why: impl Display) -> PyErr {
    VisitorError::new_err(why.to_string())
}

pub fn wrong_type(why: impl Display) -> PyErr {
    PyTypeError::new_err(why.to_string())
}

/// Core does not panic; should it, the caller gets an exception like any other.
pub fn guarded<T>(work: impl FnOnce() -> PyResult<T>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(RapportError::new_err(
            "the engine failed at this input, which is a fault of Rapport: please report it with what \
             standard error says",
        ))
    })
}
