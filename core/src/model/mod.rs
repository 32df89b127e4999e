//! Models: what maps signals to a margin, a probability and a score.
//!
//! A [`LeadModel`] is the authored form that trainers and importers make; [`encode`] packs it into
//! the binary format, and [`Model::open`] validates such bytes once and computes with them.

mod additive;
mod authored;
mod brought;
mod calibration;
#[cfg(feature = "wire")]
mod card;
#[cfg(feature = "wire")]
pub mod export;
mod file;
#[cfg(feature = "wire")]
pub mod import;
mod lead;
mod level;
mod open;
mod sum;
pub(crate) mod trees;

pub use additive::{AdditiveModel, Effect, Group, Step, Term};
pub use authored::{LevelSet, Node, Notation, Rule, Signal, SignalKind, Tree, TreeModel};
pub use brought::{BROUGHT_MAGIC, BroughtError, BroughtModel, Runtime, frame};
pub use calibration::{Calibration, CurveError, Knot, Scale};
#[cfg(feature = "wire")]
pub use card::{BandsWire, Card, CardKind, CardProblem, CardSignalWire, CardWire, CellWire};
pub(crate) use file::read;
pub use file::{EncodeError, ModelError, decode, encode};
pub use lead::{Bands, Kind, LeadModel, Leaves, Packing};
pub use level::LevelHash;
pub(crate) use open::{Engine, LARGEST, Tables, bounded};
pub use open::{Margin, Model, Probability, Row};
pub(crate) use sum::{addend, held, usual};
