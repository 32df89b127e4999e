//! The files port: immutable bytes under the hash of what they hold.

mod directory;

pub use directory::DirectoryFiles;

use crate::error::StoreError;
use crate::identity::Scope;
use crate::secret::Sha256Digest;
use std::fmt;

/// Keeps immutable bytes for each environment of a workspace.
pub trait Files: Send + Sync {
    /// Keeps `bytes` durably under `name`; keeping the same again changes nothing.
    fn put(&self, scope: Scope, name: PartName, bytes: &[u8]) -> Result<(), StoreError>;
    /// The bytes that the scope keeps under `name`.
    fn get(&self, scope: Scope, name: PartName) -> Result<Option<Vec<u8>>, StoreError>;
}

/// What a part is, which decides how browsers treat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PartKind {
    Script,
    Wasm,
    Json,
    Binary,
    /// A part that only the server reads. No address names it.
    Private,
}

impl PartKind {
    const PUBLIC: [Self; 4] = [Self::Script, Self::Wasm, Self::Json, Self::Binary];

    const fn extension(self) -> &'static str {
        match self {
            Self::Script => "js",
            Self::Wasm => "wasm",
            Self::Json => "json",
            Self::Binary => "bin",
            Self::Private => "private",
        }
    }

    /// The media type that browsers need to see; WASM compiles while it streams only under its own.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Script => "text/javascript; charset=utf-8",
            Self::Wasm => "application/wasm",
            Self::Json => "application/json",
            Self::Binary | Self::Private => "application/octet-stream",
        }
    }
}

/// How bytes are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    Plain,
    Brotli,
}

/// The name of a part: the hash of its plain bytes, its kind, and how it is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PartName {
    pub digest: Sha256Digest,
    pub kind: PartKind,
    pub encoding: Encoding,
}

impl PartName {
    /// The name of plain bytes.
    pub fn of(kind: PartKind, bytes: &[u8]) -> Self {
        Self { digest: Sha256Digest::of(bytes), kind, encoding: Encoding::Plain }
    }

    /// Reads `HASH.KIND`, as it stands in an address. A private part has none.
    pub fn parse(text: &str) -> Option<Self> {
        let (digest, extension) = text.split_once('.')?;
        let kind = PartKind::PUBLIC.into_iter().find(|kind| kind.extension() == extension)?;
        Some(Self { digest: Sha256Digest::parse(digest)?, kind, encoding: Encoding::Plain })
    }

    /// The same part, packed otherwise.
    pub const fn packed(self, encoding: Encoding) -> Self {
        Self { encoding, ..self }
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let packed = match self.encoding {
            Encoding::Plain => "",
            Encoding::Brotli => ".br",
        };
        write!(formatter, "{}.{}{packed}", self.digest, self.kind.extension())
    }
}
