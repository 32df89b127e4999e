//! The image of a model file in memory: what the encoder fills and the decoder checked.

use super::share::Share;
use crate::model::{AdditiveModel, Bands, Calibration, Packing, Scale, Signal};

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
    pub values: CutValues,
}

pub enum CutValues {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

pub enum PackedLeaves {
    /// A scale a tree (the upper half of an `f32`, so that every product is an `f32`) and steps of it.
    Steps16 {
        scales: Vec<u16>,
        steps: Vec<i16>,
    },
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Questions {
    pub fn count(&self) -> usize {
        match self {
            Questions::Above(cuts) => cuts.values.len(),
            Questions::Outside { count, .. } => *count,
        }
    }
}

impl CutValues {
    pub fn len(&self) -> usize {
        match self {
            CutValues::F32(cuts) => cuts.len(),
            CutValues::F64(cuts) => cuts.len(),
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
    /// The value of every leaf in order, its tree counted along by the shape.
    pub fn leaf_values(&self) -> Vec<f64> {
        let mut values = Vec::new();
        let (mut tree, mut open) = (0, 1usize);
        for &split in &self.splits {
            if split {
                open += 1;
                continue;
            }
            values.push(self.leaf(tree, values.len()).unwrap_or_default());
            open -= 1;
            if open == 0 {
                open = 1;
                tree += 1;
            }
        }
        values
    }

    fn leaf(&self, tree: usize, at: usize) -> Option<f64> {
        Some(match &self.leaves {
            PackedLeaves::F32(values) => f64::from(*values.get(at)?),
            PackedLeaves::F64(values) => *values.get(at)?,
            PackedLeaves::Steps16 { scales, steps } => {
                f64::from(*steps.get(at)?) * f64::from(step_scale(*scales.get(tree)?))
            }
        })
    }
}
