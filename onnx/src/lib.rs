//! Lead models that are ONNX graphs.
//!
//! [`OnnxModel::open`] checks a file once against the signals of its card: the graph's inputs, which
//! output is the probability, and that nothing in it grows beyond limits. Nodes that work on one row
//! (scalers, encoders, dense layers and their activations, trees) become steps of our own, which give the same
//! bits on every host; what else there is runs in tract.

// What only the rest needs is read all the same, and idle where nothing runs it.
#![cfg_attr(not(feature = "tract"), allow(dead_code))]

mod error;
mod graph;
mod lower;
mod model;
mod output;
mod program;
#[cfg(feature = "tract")]
mod rest;
mod signature;
mod tensor;
mod trees;
mod write;

pub use error::OpenError;
pub use model::{OnnxModel, marked};
pub use output::{OUTPUT, SCALE};
