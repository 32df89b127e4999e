//! A whole model as it is authored, decoded and exported: what maps signals to a margin, and all
//! that turns the margin into a probability, a score and a band.

use super::{AdditiveModel, Calibration, Scale, Signal, TreeModel};

/// Everything that a model file holds, in its open form.
#[derive(Debug, Clone, PartialEq)]
pub struct LeadModel {
    pub name: String,
    pub kind: Kind,
    /// Margin to probability.
    pub calibration: Calibration,
    /// Probability to score (the `g` of the contract).
    pub scale: Scale,
    pub bands: Bands,
    /// The share of negatives that the owner allows among the qualified, where one was chosen.
    pub wanted_fpr: Option<f64>,
    pub packing: Packing,
}

/// How the margin is made.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Gradient-boosted trees.
    Trees(TreeModel),
    /// Hand-made points with caps.
    Points(AdditiveModel),
    /// Logistic regression.
    Logistic(AdditiveModel),
}

/// The thresholds that part the qualified from the undecided and the undecided from the rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bands {
    /// Probabilities below this are not qualified.
    pub not_below: f64,
    /// Probabilities from this on are qualified; at least `not_below`.
    pub qualified_from: f64,
}

/// How precisely a model file keeps a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    pub leaves: Leaves,
    /// Keep cuts that no `f32` equals as `f64`, so that every decision stays as authored; otherwise
    /// they become the greatest `f32` below.
    pub exact_cuts: bool,
    /// Keep what explanations need.
    pub covers: bool,
    /// Keep the levels of categories readable; otherwise only their hashes travel.
    pub level_names: bool,
}

/// The number format of tree leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaves {
    /// 16-bit steps of a scale of each tree's own.
    Steps16,
    F32,
    F64,
}

impl Packing {
    /// What pages download: about 40 KB for 100 trees of depth 6.
    pub const COMPACT: Packing =
        Packing { leaves: Leaves::Steps16, exact_cuts: false, covers: true, level_names: true };
    /// Margins and decisions as authored, for imported models.
    pub const EXACT: Packing =
        Packing { leaves: Leaves::F64, exact_cuts: true, ..Packing::COMPACT };
}

impl LeadModel {
    /// A tree model whose margins are log-odds already, with the score as the probability in per
    /// cent, packed compactly; `bands` part it.
    pub fn of_trees(name: &str, trees: TreeModel, bands: Bands) -> LeadModel {
        LeadModel::plain(name, Kind::Trees(trees), bands)
    }

    /// A logistic regression, with the score as the probability in per cent, packed compactly;
    /// `bands` part it.
    pub fn of_logistic(name: &str, model: AdditiveModel, bands: Bands) -> LeadModel {
        LeadModel::plain(name, Kind::Logistic(model), bands)
    }

    fn plain(name: &str, kind: Kind, bands: Bands) -> LeadModel {
        LeadModel {
            name: name.to_owned(),
            kind,
            calibration: Calibration::NONE,
            scale: Scale::PERCENT,
            bands,
            wanted_fpr: None,
            packing: Packing::COMPACT,
        }
    }

    /// What the model reads, in the order of a row's values.
    pub fn signals(&self) -> &[Signal] {
        match &self.kind {
            Kind::Trees(model) => &model.signals,
            Kind::Points(model) | Kind::Logistic(model) => &model.signals,
        }
    }
}
