//! A published bundle: who signed it, and whether its parts are what the manifest names.

use crate::error::bundle;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The newest manifest that this SDK reads.
const FORMAT: u32 = 1;

/// What of a manifest an engine needs; members and kinds that it does not know are skipped.
#[derive(Deserialize)]
struct Manifest {
    format: u32,
    workspace: String,
    environment: String,
    parts: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    default: bool,
    public: bool,
    hash: String,
}

/// The parts that an engine opens.
pub struct Parts {
    pub workspace: String,
    pub environment: String,
    /// SHA-256 of the manifest, in hex.
    pub hash: String,
    /// Signals, model and words; `None` where no model is there to score with.
    pub scoring: Option<[Vec<u8>; 3]>,
    /// Where only the server can run the live model, which somebody brought: the name of its fallback, whose
    /// parts `scoring` then has.
    pub fallback: Option<String>,
    pub flags: Option<Vec<u8>>,
}

/// Verifies the manifest's signature, then takes the parts out of `held`, whose keys are hashes.
///
/// # Errors
/// `BundleError` that says what is not signed, missing or altered.
pub fn verified(
    (manifest, signature, public_key): (&[u8], &str, &str),
    held: &Bound<'_, PyDict>,
    model: Option<&str>,
    locale: Option<&str>,
) -> PyResult<Parts> {
    verify(manifest, signature, public_key)?;
    let hash = hex(manifest);
    let manifest: Manifest = serde_json::from_slice(manifest)
        .map_err(|error| bundle(format!("the manifest cannot be read: {error}")))?;
    if manifest.format > FORMAT {
        return Err(bundle(format!(
            "the bundle has format {}, and this SDK reads up to {FORMAT}: install a newer rapport-sdk",
            manifest.format
        )));
    }
    let of_kind = |kind: &str, name: Option<&str>| -> PyResult<Option<&Named>> {
        let mut named = manifest.parts.iter().filter(|part| part.kind == kind);
        let Some(name) = name else {
            let first = named.clone().next();
            return Ok(named.find(|part| part.default).or(first));
        };
        let found = named.find(|part| part.name == name);
        found.map(Some).ok_or_else(|| bundle(format!("the bundle has no {kind} `{name}`")))
    };
    let bytes = |part: Option<&Named>| part.map_or(Ok(None), |part| bytes_of(part, held));
    let live = of_kind("brought", None)?;
    let scores = match live {
        Some(live) if model.is_none_or(|name| name == live.name) => of_kind("fallback", None)?,
        _ => of_kind("model", model)?,
    };
    let fallback = live.map(|_| scores.map(|part| part.name.clone()).unwrap_or_default());
    let [signals, model, words] =
        [bytes(of_kind("signals", None)?)?, bytes(scores)?, bytes(of_kind("words", locale)?)?];
    let flags = bytes(of_kind("flags", None)?)?;
    let scoring =
        signals.zip(model).zip(words).map(|((signals, model), words)| [signals, model, words]);
    let Manifest { workspace, environment, .. } = manifest;
    Ok(Parts { workspace, environment, hash, scoring, fallback, flags })
}

/// The bytes of a part; `None` of one that only servers get and that is not there.
fn bytes_of(part: &Named, held: &Bound<'_, PyDict>) -> PyResult<Option<Vec<u8>>> {
    let Named { kind, name, hash, .. } = part;
    match held.get_item(hash)? {
        Some(bytes) => {
            let bytes: Vec<u8> = bytes.extract()?;
            if hex(&bytes) != *hash {
                return Err(bundle(format!(
                    "the {kind} `{name}` is not what was published, its hash differs: fetch it anew"
                )));
            }
            Ok(Some(bytes))
        }
        None if part.public => {
            Err(bundle(format!("the {kind} `{name}` is missing: give the part {hash}")))
        }
        None => Ok(None),
    }
}

fn verify(manifest: &[u8], signature: &str, public_key: &str) -> PyResult<()> {
    let key: Option<[u8; 32]> = decoded(public_key);
    let signed: Option<[u8; 64]> = decoded(signature);
    let key = key.and_then(|key| VerifyingKey::from_bytes(&key).ok());
    let key =
        key.ok_or_else(|| bundle("the public key is none: give the workspace's, in base 64"))?;
    let signed =
        signed.ok_or_else(|| bundle("the signature is none: it has 64 bytes, in base 64"))?;
    key.verify_strict(manifest, &Signature::from_bytes(&signed)).map_err(|_| {
        bundle(
            "the manifest is not signed by this key: it was altered, or it is another workspace's",
        )
    })
}

fn decoded<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64_STANDARD.decode(text).ok()?.try_into().ok()
}

/// SHA-256 in hex.
pub fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
