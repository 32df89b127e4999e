//! Payloads that only clients with a key read, as GrowthBook encrypts them: AES-128-CBC, `IV.TEXT` in
//! base 64. The key is a write key's own, derived and never stored.

use super::open::OpenFlags;
use crate::error::StoreError;
use crate::identity::Scope;
use crate::keys::KeyStore;
use crate::secret::random;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Block};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

const BLOCK: usize = 16;

/// What opens the payloads of one write key.
#[derive(Clone, Copy)]
pub struct PayloadKey([u8; BLOCK]);

impl PayloadKey {
    /// Of a write key.
    ///
    /// # Errors
    /// Where the key store cannot be read.
    pub fn of(keys: &dyn KeyStore, scope: Scope, write_key: &str) -> Result<Self, StoreError> {
        let workspace = keys.workspace_key(scope.workspace)?;
        let derived = workspace.derive("encrypt payloads", write_key.as_bytes());
        let mut key = [0; BLOCK];
        key.iter_mut().zip(derived.expose()).for_each(|(to, from)| *to = *from);
        Ok(Self(key))
    }

    /// As clients take it.
    pub fn shown(&self) -> String {
        BASE64_STANDARD.encode(self.0)
    }

    /// What GrowthBook's clients get of flags: each part beside its empty twin.
    ///
    /// # Errors
    /// Where the operating system has no random bytes to give.
    pub fn payload(&self, open: &OpenFlags) -> Result<String, StoreError> {
        let mut shown = json!({
            "status": 200,
            "dateUpdated": crate::clock::iso(open.changed_at),
            "features": {},
            "experiments": [],
        });
        for (name, encrypted) in [
            ("features", "encryptedFeatures"),
            ("experiments", "encryptedExperiments"),
            ("contextualBandits", "encryptedContextualBandits"),
        ] {
            if let Some(part) = open.payload.get(name) {
                shown[encrypted] = Value::from(self.encrypt(&part.to_string())?);
            }
        }
        Ok(shown.to_string())
    }

    fn encrypt(&self, text: &str) -> Result<String, StoreError> {
        let start: [u8; BLOCK] = random().map_err(StoreError::from)?;
        let cipher = Aes128::new(&self.0.into());
        // PKCS #7: the last block says how much of it is none of the text, at least a byte.
        let rest = BLOCK - text.len() % BLOCK;
        let padded = text.bytes().chain(std::iter::repeat_n(rest as u8, rest)).collect::<Vec<_>>();
        let (mut before, mut out) = (start, Vec::with_capacity(padded.len()));
        for block in padded.chunks_exact(BLOCK) {
            before.iter_mut().zip(block).for_each(|(byte, plain)| *byte ^= plain);
            let mut sealed = Block::from(before);
            cipher.encrypt_block(&mut sealed);
            before = sealed.into();
            out.extend_from_slice(&before);
        }
        Ok(format!("{}.{}", BASE64_STANDARD.encode(start), BASE64_STANDARD.encode(out)))
    }
}
