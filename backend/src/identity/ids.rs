//! Whose data it is: a workspace, one of its environments, and a subject in it.

use crate::secret::{NoRandomness, letter_value, parse_hex, random, write_hex};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Row, ToSql};
use std::fmt;
use std::str::FromStr;

/// A customer of this installation. Every row, file path and cache key carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkspaceId(u64);

/// Thirteen letters of five bits hold 65 bits; one is spare, so that SQLite's signed integer fits.
const ID_BITS: u64 = u64::MAX >> 1;
const ID_LETTERS: u32 = 13;

impl WorkspaceId {
    /// Owns what every workspace shares: the SDK's files.
    pub const INSTALLATION: Self = Self(0);

    /// A new, unguessable id.
    ///
    /// # Errors
    /// Where the operating system has no random bytes to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        Ok(Self((u64::from_le_bytes(random()?) & ID_BITS).max(1)))
    }

    /// The id as bytes that keys are bound to.
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for WorkspaceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = crate::secret::base32(&((u128::from(self.0) << 63).to_be_bytes()));
        write!(formatter, "ws_{}", letters.get(..ID_LETTERS as usize).unwrap_or_default())
    }
}

/// The text is no workspace id.
#[derive(Debug, thiserror::Error)]
#[error("a workspace id is `ws_` and 13 letters or digits")]
pub struct NotAWorkspace;

impl FromStr for WorkspaceId {
    type Err = NotAWorkspace;

    fn from_str(text: &str) -> Result<Self, NotAWorkspace> {
        let letters = text
            .strip_prefix("ws_")
            .filter(|letters| letters.len() == ID_LETTERS as usize)
            .ok_or(NotAWorkspace)?;
        let value = letters
            .bytes()
            .try_fold(0u128, |value, letter| Some(value << 5 | u128::from(letter_value(letter)?)));
        let value = value.filter(|value| *value <= u128::from(ID_BITS)).ok_or(NotAWorkspace)?;
        u64::try_from(value).map(Self).map_err(|_| NotAWorkspace)
    }
}

impl ToSql for WorkspaceId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.cast_signed()))
    }
}

impl FromSql for WorkspaceId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(|value| Self(value.cast_unsigned()))
    }
}

/// Real data, or data to try things out with. Each has own keys, events and bundles.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    Live,
    Test,
}

impl Environment {
    /// The word that keys, URLs and rows use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

impl ToSql for Environment {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.word()))
    }
}

impl FromSql for Environment {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "live" => Ok(Self::Live),
            "test" => Ok(Self::Test),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

/// A workspace in one of its environments: what every store call takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    pub workspace: WorkspaceId,
    pub environment: Environment,
}

impl Scope {
    /// The live environment of a workspace.
    pub const fn live(workspace: WorkspaceId) -> Self {
        Self { workspace, environment: Environment::Live }
    }

    /// The scope in two neighbouring columns of a row.
    ///
    /// # Errors
    /// Where the columns hold none.
    pub fn in_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self { workspace: row.get(first)?, environment: row.get(first + 1)? })
    }

    /// The scope as bytes that keys and seals are bound to.
    pub fn to_bytes(self) -> [u8; 9] {
        let mut bytes = [0; 9];
        let (id, environment) = bytes.split_at_mut(8);
        id.copy_from_slice(&self.workspace.to_bytes());
        environment.fill(self.environment as u8);
        bytes
    }

    /// Reads [`Self::to_bytes`].
    pub fn from_bytes(bytes: [u8; 9]) -> Option<Self> {
        let (id, environment) = bytes.split_last_chunk::<1>()?;
        let id = u64::from_be_bytes(id.try_into().ok()?);
        let environment = match environment {
            [0] => Environment::Live,
            [1] => Environment::Test,
            _ => return None,
        };
        (id <= ID_BITS).then_some(Self { workspace: WorkspaceId(id), environment })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.workspace, self.environment.word())
    }
}

/// Whom events are about, as a keyed hash of the id that the page sent: what is stored says nothing about whom.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectId(pub [u8; 16]);

impl fmt::Display for SubjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("v_")?;
        write_hex(&self.0, formatter)
    }
}

impl fmt::Debug for SubjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The text is no visitor id of the server.
#[derive(Debug, thiserror::Error)]
#[error("a visitor id is `v_` and 32 hexadecimal digits")]
pub struct NotASubject;

impl FromStr for SubjectId {
    type Err = NotASubject;

    fn from_str(text: &str) -> Result<Self, NotASubject> {
        text.strip_prefix("v_").and_then(parse_hex).map(Self).ok_or(NotASubject)
    }
}

impl ToSql for SubjectId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_slice()))
    }
}

impl FromSql for SubjectId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        bytes.try_into().map(Self).map_err(|_| FromSqlError::InvalidBlobSize {
            expected_size: 16,
            blob_size: bytes.len(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workspace_id_reads_back_from_its_text() {
        for id in [WorkspaceId(1), WorkspaceId(ID_BITS), WorkspaceId(0x0123_4567_89ab_cdef)] {
            assert_eq!(id.to_string().parse::<WorkspaceId>().unwrap(), id, "{id}");
            assert_eq!(id.to_string().len(), 16);
        }
        for text in [
            "",
            "ws_",
            "ws_0000000000000'",
            "ws_zzzzzzzzzzzzz",
            "WS_0000000000000",
            "ws_00000000000001",
        ] {
            assert!(text.parse::<WorkspaceId>().is_err(), "{text}");
        }
    }
}
