//! Why an ONNX file is refused.

use rapport_core::scoring::ScorerFault;

/// What is wrong with a file, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("this is no ONNX model: {0}")]
    Broken(String),
    #[error("{what}: {found} are more than {most}; make the model smaller")]
    TooLarge { what: String, found: u64, most: u64 },
    /// Something that a file may hold and that nothing here reads.
    #[error("{what} cannot be used: {instead}")]
    Unsupported { what: String, instead: &'static str },
    #[error(
        "node \"{node}\": the operator {operator} is unknown here; docs/onnx.md lists those that run"
    )]
    Operator { node: String, operator: String },
    #[error("node \"{node}\": {what}")]
    Node { node: String, what: String },
    /// The graph's inputs are not what the card's signals are.
    #[error("input \"{input}\": {what}")]
    Input { input: String, what: String },
    #[error("signal \"{signal}\": {what}")]
    Signal { signal: String, what: String },
    #[error("output: {0}")]
    Output(String),
}

impl From<OpenError> for ScorerFault {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Input { .. } | OpenError::Signal { .. } => Self::Shape(error.to_string()),
            error => Self::File(error.to_string()),
        }
    }
}
