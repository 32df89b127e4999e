//! Models of other software, brought into the authored form: margins and decisions as there.
//!
//! Pack them with [`Packing::EXACT`](super::Packing::EXACT) to keep both to the last digit.

mod lightgbm;

pub use lightgbm::lightgbm;

/// Why a foreign model cannot be brought in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    #[error("this is not a {format} model: {what}")]
    Format { format: &'static str, what: String },
    #[error("{what} cannot be scored as one margin: {instead}")]
    Unsupported { what: String, instead: &'static str },
    #[error("tree {tree}: {what}")]
    Tree { tree: usize, what: String },
}
