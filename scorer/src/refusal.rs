//! Why a file is no scorer.

use rapport_core::scoring::ScorerFault;

/// Why a file is no scorer; said when it is uploaded, so that nobody waits for a visitor to find out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("this is a component: upload the core module that it was made of")]
    Component,
    #[error("this is no WebAssembly module that runs here: {0}")]
    Invalid(String),
    #[error(
        "it imports {module}.{name}: a scorer imports nothing; build it without WASI and without a host's functions"
    )]
    Import { module: String, name: String },
    #[error("it has {found} {what}, more than {most}: make it smaller")]
    TooLarge { what: &'static str, found: u64, most: u64 },
    #[error(
        "its functions are too long, or have too many variables, to be compiled in little time: keep tables of \
         numbers in data, not in code, or build for size"
    )]
    Tangled,
    #[error("it exports no {0}: see docs/scorers.md for what a scorer exports")]
    Missing(&'static str),
    #[error("its export {name} is {found}: it must be {wanted}")]
    Type { name: &'static str, found: String, wanted: &'static str },
    #[error("asked for a row of {row}, it failed: {fault}")]
    Fault { row: &'static str, fault: ScorerFault },
}

impl From<Refusal> for ScorerFault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Fault { fault, .. } => fault,
            Refusal::Missing(_) | Refusal::Type { .. } => Self::Shape(refusal.to_string()),
            _ => Self::File(refusal.to_string()),
        }
    }
}
