//! The model file (`.rpm`): bytes out, bytes in. `docs/model-format.md` describes it.

mod bytes;
mod pack;
pub(super) mod packed;
mod read;
pub(super) mod share;
mod unpack;
mod write;

use super::LeadModel;
use super::calibration::CurveError;
use crate::binary::{Fault, Refused};
pub(crate) use read::read;

/// The first four bytes of every model file.
pub const MAGIC: [u8; 4] = *b"RPM1";
/// The highest format version that this build reads and the one that it writes.
pub const VERSION: u8 = 1;
/// Splits from the root to the deepest leaf of a tree.
pub const MOST_DEPTH: usize = 200;

/// Packs a model into a file's bytes.
pub fn encode(model: &LeadModel) -> Result<Vec<u8>, EncodeError> {
    pack::pack(model).map(|packed| write::write(&packed))
}

/// Opens a model file back into its authored form: as stored, that is with rounded leaves, cuts
/// and covers. Levels whose text did not travel come as stand-ins of their hashes.
pub fn decode(bytes: &[u8]) -> Result<LeadModel, ModelError> {
    read::read(bytes).map(unpack::unpack)
}

/// Why a model cannot be packed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("the model has too many {what}: {found}, at most {most}")]
    TooMany { what: &'static str, found: usize, most: usize },
    #[error("the text \"{start}…\" is longer than 65,535 bytes: shorten it")]
    LongText { start: String },
    #[error(
        "signal {signal}: the levels \"{a}\" and \"{b}\" have the same hash: rename one of them"
    )]
    LevelsCollide { signal: String, a: String, b: String },
    #[error("{place} is not a number up to 1e15: retrain, or leave out the rows that cause it")]
    NotFinite { place: String },
    #[error("tree {tree}, node {node}: {what}")]
    Tree { tree: usize, node: usize, what: &'static str },
    #[error("group {group}, term {term}: {what}")]
    Term { group: usize, term: usize, what: &'static str },
    #[error("the bands are not 0 <= not_below <= qualified_from: {not_below}, {qualified_from}")]
    Bands { not_below: String, qualified_from: String },
    #[error(transparent)]
    Curve(#[from] CurveError),
}

/// Why bytes are not a model that this build can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    #[error("this is not a model file: it does not start with RPM1")]
    NotAModel,
    #[error(
        "the model file has format version {found}, this build reads up to {}: update it",
        VERSION
    )]
    Version { found: u8 },
    #[error("the model file ends early, at byte {at}: fetch it again")]
    Truncated { at: usize },
    #[error("the model file has bytes behind its end, from byte {at} on: fetch it again")]
    Trailing { at: usize },
    #[error(
        "the model file is damaged (checksum {found:08x}, expected {expected:08x}): fetch it again"
    )]
    Checksum { found: u32, expected: u32 },
    #[error("the model file holds text that is not UTF-8, before byte {at}")]
    Text { at: usize },
    #[error("the model file is inconsistent before byte {at}: {what}")]
    Invalid { at: usize, what: &'static str },
}

impl From<Fault> for ModelError {
    fn from(Fault { at, what }: Fault) -> ModelError {
        match what {
            Refused::End => ModelError::Truncated { at },
            Refused::Text => ModelError::Text { at },
            Refused::Sense(what) => ModelError::Invalid { at, what },
        }
    }
}
