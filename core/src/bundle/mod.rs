//! Bundles: all that a host needs to decide for one workspace, as small immutable parts and a
//! manifest that names them. Authored as JSON ([`BundleWire`]), compiled to bytes that hosts check
//! once. Hashing and signing belong to the publisher.

#[cfg(feature = "wire")]
mod fit;
#[cfg(feature = "wire")]
mod report;
#[cfg(feature = "wire")]
mod wire;
mod words;
#[cfg(feature = "wire")]
mod words_wire;

#[cfg(feature = "wire")]
pub use fit::{fit_brought, fit_model};
#[cfg(feature = "wire")]
pub use report::{PublicFact, public_report};
#[cfg(feature = "wire")]
pub use wire::{
    BundleProblem, BundleWire, Compiled, Manifest, ManifestPart, ModelWire, Part, PartKind,
    ScoreInPage, compile, kept_signals,
};
pub use words::{PluralRule, Said, Words, WordsError};
#[cfg(feature = "wire")]
pub use words_wire::{SignalWordsWire, WordsWire};

pub(crate) use words::put_whole;
