//! A published bundle: verified, then opened once for all visitors.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use rapport_core::bundle::{Manifest, ManifestPart, PartKind};
use rapport_core::decide::Engine;
use rapport_core::experiment::Flags;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The newest manifest that this edge reads.
const FORMAT: u8 = 1;

/// A bundle in one JSON file, as `rapport bundle compile` writes it and edges keep it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BundleFile {
    /// The bytes that are signed, as text.
    pub manifest: String,
    /// Ed25519, in base 64.
    pub signature: String,
    /// What the signature is verified with, in base 64.
    pub public_key: String,
    /// In base 64, by their hashes.
    #[serde(default)]
    pub parts: BTreeMap<String, String>,
}

/// Why a bundle is refused. Nothing of a refused bundle is used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    #[error("it has format {0}, newer than this edge: update the edge")]
    Newer(u8),
    #[error("its {0} is not base 64 of the right length")]
    Encoding(&'static str),
    #[error("the manifest is not signed by the key of this workspace")]
    Signature,
    #[error("it lacks the part {0}")]
    Lacks(String),
    #[error("the part {0} is not what the manifest names")]
    Altered(String),
    #[error("the part {0} does not open: {1}")]
    Part(&'static str, String),
}

impl BundleFile {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it is no JSON of that form.
    pub fn read(bytes: &[u8]) -> Result<Self, BundleError> {
        serde_json::from_slice(bytes).map_err(|error| BundleError::Unreadable(error.to_string()))
    }

    /// The manifest, once its signature was verified by `trusted`, a key in base 64; by the one that
    /// came along where nobody pinned any.
    ///
    /// # Errors
    /// Where it is not signed by that key, or newer than this edge.
    pub fn verified(&self, trusted: Option<&str>) -> Result<Manifest, BundleError> {
        let key = decoded(trusted.unwrap_or(&self.public_key), "public key")?;
        let key =
            VerifyingKey::from_bytes(&key).map_err(|_| BundleError::Encoding("public key"))?;
        let signature = Signature::from_bytes(&decoded(&self.signature, "signature")?);
        key.verify_strict(self.manifest.as_bytes(), &signature)
            .map_err(|_| BundleError::Signature)?;
        let manifest: Manifest = serde_json::from_str(&self.manifest)
            .map_err(|error| BundleError::Unreadable(error.to_string()))?;
        if manifest.format > FORMAT {
            return Err(BundleError::Newer(manifest.format));
        }
        Ok(manifest)
    }

    /// Of the manifest, in hex.
    pub fn hash(&self) -> String {
        hex(self.manifest.as_bytes())
    }

    /// What everybody may have of it, in one file.
    pub fn public(&self, manifest: &Manifest) -> Vec<u8> {
        let mut shown = self.clone();
        shown
            .parts
            .retain(|hash, _| manifest.parts.iter().any(|part| part.public && part.hash == *hash));
        serde_json::to_vec(&shown).unwrap_or_default()
    }

    /// The bytes of a part; `None` of one that only servers get and that is not there.
    fn part(&self, part: &ManifestPart) -> Result<Option<Vec<u8>>, BundleError> {
        let name = || format!("{:?} {}", part.kind, part.name).trim_end().to_lowercase();
        match self.parts.get(&part.hash) {
            Some(text) => {
                let bytes = BASE64_STANDARD.decode(text).ok();
                let whole = bytes.filter(|bytes| hex(bytes) == part.hash);
                whole.map(Some).ok_or_else(|| BundleError::Altered(name()))
            }
            None if part.public => Err(BundleError::Lacks(name())),
            None => Ok(None),
        }
    }
}

/// A part of each kind that an edge decides by: the default one, or the first.
pub fn wanted(manifest: &Manifest) -> impl Iterator<Item = &ManifestPart> {
    [PartKind::Signals, PartKind::Model, PartKind::Words, PartKind::Flags].into_iter().filter_map(
        |kind| {
            let of_kind = || manifest.parts.iter().filter(move |part| part.kind == kind);
            of_kind().find(|part| part.default).or_else(|| of_kind().next())
        },
    )
}

/// A bundle that decides.
pub struct OpenBundle {
    /// Of the manifest, in hex.
    pub hash: String,
    /// What signed it, in base 64.
    pub public_key: String,
    pub flags: Flags,
    /// What others may fetch under its hash.
    pub public: Vec<u8>,
    scoring: Option<Scoring>,
}

impl OpenBundle {
    /// Verifies and opens a bundle.
    ///
    /// # Errors
    /// Says what is not signed, missing, altered or does not open.
    pub fn open(file: &BundleFile, trusted: Option<&str>) -> Result<Self, BundleError> {
        let manifest = file.verified(trusted)?;
        let (mut signals, mut model, mut words, mut flags) = (None, None, None, Flags::default());
        for part in wanted(&manifest) {
            let bytes = file.part(part)?;
            match part.kind {
                PartKind::Signals => signals = bytes,
                PartKind::Model => model = bytes,
                PartKind::Words => words = bytes,
                PartKind::Flags => {
                    let opened = Flags::open(&bytes.unwrap_or_default());
                    flags =
                        opened.map_err(|error| BundleError::Part("flags", error.to_string()))?;
                }
                PartKind::Brought | PartKind::Fallback => {}
            }
        }
        let parts =
            signals.zip(model).zip(words).map(|((signals, model), words)| [signals, model, words]);
        Ok(Self {
            hash: file.hash(),
            public_key: trusted.unwrap_or(&file.public_key).to_owned(),
            flags,
            public: file.public(&manifest),
            scoring: parts.map(Scoring::open).transpose()?,
        })
    }

    /// Asks the engine that scores; `None` where no model is there to score with.
    pub fn scoring<T>(&self, work: impl FnOnce(&mut Engine) -> T) -> Option<T> {
        self.scoring.as_ref().and_then(|scoring| scoring.with(work))
    }
}

/// Engines with their working memory, one for each answer that is being worked out.
struct Scoring {
    parts: [Vec<u8>; 3],
    idle: Mutex<Vec<Engine>>,
}

impl Scoring {
    fn open(parts: [Vec<u8>; 3]) -> Result<Self, BundleError> {
        let scoring = Self { parts, idle: Mutex::default() };
        let engine = scoring.another()?;
        scoring.idle().push(engine);
        Ok(scoring)
    }

    fn another(&self) -> Result<Engine, BundleError> {
        let [signals, model, words] = &self.parts;
        let opened = Engine::open(signals, model, words);
        opened.map_err(|error| BundleError::Part("model", error.to_string()))
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Engine>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Engine) -> T) -> Option<T> {
        let idle = self.idle().pop();
        // What opened once opens again.
        let mut engine = match idle {
            Some(engine) => engine,
            None => self.another().ok()?,
        };
        let done = work(&mut engine);
        self.idle().push(engine);
        Some(done)
    }
}

/// SHA-256 in hex.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS.get(usize::from(half)).copied().unwrap_or_default());
    Sha256::digest(bytes).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn decoded<const N: usize>(text: &str, what: &'static str) -> Result<[u8; N], BundleError> {
    let bytes = BASE64_STANDARD.decode(text.trim()).ok();
    bytes.and_then(|bytes| bytes.try_into().ok()).ok_or(BundleError::Encoding(what))
}
