//! The image of a model file in memory: what the encoder fills and the decoder checked.

use super::share::Share;
use crate::model::{AdditiveModel, Bands, Calibration, Leaves, Packing, Scale, Signal};

pub struct Packed {
    pub name: String,
    pub calibration: Calibration,
    pub scale: Scale,
    pub bands: Bands,
    pub wanted_fpr: Option<f64>,
    pub packing: Packing,
    pub signals: Vec<Signal>,
    pub kind: PackedKind,
}

pub enum PackedKind {
    Trees(PackedTrees),
    /// Its `signals` are empty: they are those of [`Packed`].
    Points(AdditiveModel),
    Logistic(AdditiveModel),
}

/// Trees in preorder, column by column.
pub struct PackedTrees {
    pub base_margin: f64,
    /// What the trees ask of each signal.
    pub questions: Vec<Questions>,
    /// Whether each node splits, tree after tree.
    pub splits: Vec<bool>,
    pub trees: usize,
    /// Of each split: its signal, the question within the signal and how the training weight parted.
    pub signals: Vec<u16>,
    pub indices: Vec<u16>,
    /// Empty where explanations were left out.
    pub shares: Vec<Share>,
    pub leaves: PackedLeaves,
}

/// All different questions about one signal; the answer "no" goes left.
pub enum Questions {
    /// "Is it above the cut?"
    Above(Cuts),
    /// "Is it outside the set?", with the answer of each level, of a level never seen and of a
    /// missing value, in this order; one bit each, every question starts at a byte.
    Outside { count: usize, bits: Vec<u8> },
}

/// The cuts that a missing value answers with "no" in rising order, then those that it answers
/// with "yes".
pub struct Cuts {
    pub missing_no: usize,
    pub values: Vec<f64>,
    /// Whether some of the values are no `f32`.
    pub wide: bool,
}

/// The leaves' values as they are written.
pub struct PackedLeaves {
    pub format: Leaves,
    /// Of steps: a scale a tree (the upper half of an `f32`, so that every product is an `f32`).
    pub scales: Vec<u16>,
    /// Whole steps of their tree's scale, otherwise the values themselves.
    pub numbers: Vec<f64>,
}

impl Questions {
    pub fn count(&self) -> usize {
        match self {
            Questions::Above(cuts) => cuts.values.len(),
            Questions::Outside { count, .. } => *count,
        }
    }
}

/// Bytes that one question about a category of `levels` levels takes.
pub fn set_bytes(levels: usize) -> usize {
    (levels + 2).div_ceil(8)
}

/// The scale of 16-bit steps.
pub fn step_scale(upper_half: u16) -> f32 {
    f32::from_bits(u32::from(upper_half) << 16)
}

impl PackedTrees {
    /// The value of a leaf, by the numbers of its tree and of all leaves so far.
    pub fn leaf(&self, tree: usize, at: usize) -> f64 {
        let scale = self.leaves.scales.get(tree).map_or(1.0, |&scale| step_scale(scale));
        self.leaves.numbers.get(at).map_or(0.0, |number| number * f64::from(scale))
    }
}
