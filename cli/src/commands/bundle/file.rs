//! A compiled bundle in one file: the signed manifest, and the parts under their hashes.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use rapport_core::bundle::{Compiled, Manifest, ManifestPart};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The highest format that this program reads.
const FORMAT: u8 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BundleFile {
    /// The bytes that are signed, as text.
    manifest: String,
    /// Ed25519, in base 64.
    signature: String,
    /// In base 64.
    pub public_key: String,
    /// In base 64, by their hashes.
    parts: BTreeMap<String, String>,
}

/// Why a file is no bundle that anybody should use.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("it is no compiled bundle; write one with `rapport bundle compile`: {0}")]
    NoBundle(#[from] serde_json::Error),
    #[error("it has format {0}, newer than this program: update rapport")]
    Newer(u8),
    #[error("the {0} is not base 64 of the right length; compile the bundle anew")]
    Encoding(&'static str),
    #[error("it is not signed by {0}; take it from whoever publishes for this workspace")]
    Signature(&'static str),
    #[error("it lacks the part {0}; compile the bundle anew")]
    Lacks(String),
    #[error("the part {0} is not what the manifest names; fetch or compile the bundle anew")]
    Damaged(String),
}

impl BundleFile {
    pub fn new(compiled: &Compiled, key: &SigningKey) -> Result<Self, FileError> {
        let manifest = compiled.manifest(hash).to_json();
        let parts = compiled.parts.iter();
        Ok(Self {
            signature: BASE64_STANDARD.encode(key.sign(&manifest).to_bytes()),
            public_key: BASE64_STANDARD.encode(key.verifying_key().as_bytes()),
            parts: parts
                .map(|part| (hash(&part.bytes), BASE64_STANDARD.encode(&part.bytes)))
                .collect(),
            manifest: String::from_utf8(manifest).map_err(|_| FileError::Encoding("manifest"))?,
        })
    }

    pub fn read(bytes: &[u8]) -> Result<Self, FileError> {
        Ok(serde_json::from_slice(bytes)?)
    }

    pub fn manifest(&self) -> Result<Manifest, FileError> {
        let manifest: Manifest = serde_json::from_str(&self.manifest)?;
        if manifest.format > FORMAT {
            return Err(FileError::Newer(manifest.format));
        }
        Ok(manifest)
    }

    /// The bytes of a part, checked.
    pub fn part(&self, part: &ManifestPart) -> Result<Vec<u8>, FileError> {
        let name = || format!("{:?} {}", part.kind, part.name).trim_end().to_lowercase();
        let text = self.parts.get(&part.hash).ok_or_else(|| FileError::Lacks(name()))?;
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| FileError::Damaged(name()))?;
        if hash(&bytes) == part.hash { Ok(bytes) } else { Err(FileError::Damaged(name())) }
    }

    /// Checks all hashes, and the signature by a key in base 64: the file's own where none is given.
    pub fn verify(&self, trusted: Option<&str>) -> Result<Manifest, FileError> {
        let whose = if trusted.is_some() { "the key that was given" } else { "its own key" };
        let key = bytes(trusted.unwrap_or(&self.public_key), "public key")?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| FileError::Encoding("public key"))?;
        let signature = Signature::from_bytes(&bytes(&self.signature, "signature")?);
        key.verify(self.manifest.as_bytes(), &signature)
            .map_err(|_| FileError::Signature(whose))?;
        let manifest = self.manifest()?;
        manifest.parts.iter().try_for_each(|part| self.part(part).map(drop))?;
        Ok(manifest)
    }
}

fn bytes<const LENGTH: usize>(text: &str, what: &'static str) -> Result<[u8; LENGTH], FileError> {
    let bytes = BASE64_STANDARD.decode(text.trim()).ok();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(FileError::Encoding(what))
}

/// SHA-256 in hex.
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
