//! Models: what maps signals to a margin, a probability and a score.
//!
//! [`TreeModel`] is the authored form that trainers and importers make; the binary format and its
//! validated, read-in-place view are what hosts score with.

mod authored;

pub use authored::{LevelSet, Node, Rule, Signal, SignalKind, Tree, TreeModel};
