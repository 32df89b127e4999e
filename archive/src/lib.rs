//! The long-term form of the event log: a day's envelopes of one workspace as a Parquet file.
//!
//! This crate knows columns, blocks and checksums, and nothing of keys, workspaces or time. It
//! stands alone so that nobody but the backend compiles Parquet: `docs/log-format.md`.

mod columns;
mod pack;
mod read;
mod row;
mod sums;
mod write;

pub use pack::{Packer, unpack};
pub use read::{Archive, Slab};
pub use row::Row;
pub use sums::check;
pub use write::{ArchiveWriter, SLAB};

/// Why an archive could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// Its bytes are not what was written.
    #[error("{0}")]
    Damaged(String),
}

impl From<parquet::errors::ParquetError> for ArchiveError {
    fn from(error: parquet::errors::ParquetError) -> Self {
        match error {
            parquet::errors::ParquetError::External(inner) => {
                match inner.downcast::<std::io::Error>() {
                    // So the checked bytes say that they are not what was written.
                    Ok(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                        Self::Damaged(error.to_string())
                    }
                    Ok(error) => (*error).into(),
                    Err(inner) => Self::Damaged(inner.to_string()),
                }
            }
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl From<ArchiveError> for parquet::errors::ParquetError {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::File(error) => Self::External(Box::new(error)),
            ArchiveError::Damaged(why) => Self::General(why),
        }
    }
}
