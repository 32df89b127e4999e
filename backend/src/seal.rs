//! AES-256-GCM with associated data, and keys that are derived for one purpose.

use crate::secret::{NoRandomness, random};
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;

const NONCE: usize = 12;

/// A 256-bit secret. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey([u8; 32]);

impl fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretKey(…)")
    }
}

/// The sealed bytes were changed, belong elsewhere or were sealed with another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sealed data does not open: it was changed, or belongs elsewhere")]
pub struct SealBroken;

/// Opens what one key sealed.
pub struct Opener(Aes256Gcm);

impl Opener {
    /// As [`SecretKey::open`].
    ///
    /// # Errors
    /// As [`SecretKey::open`].
    pub fn open(&self, bound: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealBroken> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE>().ok_or(SealBroken)?;
        let payload = Payload { msg: ciphertext, aad: bound };
        self.0.decrypt(&Nonce::from(*nonce), payload).map_err(|_| SealBroken)
    }
}

impl SecretKey {
    /// A new key.
    ///
    /// # Errors
    /// Where the operating system has no random bytes to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        random().map(Self)
    }

    /// The key with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key's bytes, to be wrapped or signed with.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals `plain` so that it opens only with this key and the same `bound` data: nonce, ciphertext, tag.
    ///
    /// # Errors
    /// Where the operating system has no random bytes to give.
    pub fn seal(&self, bound: &[u8], plain: &[u8]) -> Result<Vec<u8>, NoRandomness> {
        Ok(self.seal_with(random()?, bound, plain))
    }

    /// As [`Self::seal`], with a nonce that the caller never uses twice.
    pub fn seal_with(&self, nonce: [u8; NONCE], bound: &[u8], plain: &[u8]) -> Vec<u8> {
        let cipher = Aes256Gcm::new(&self.0.into());
        let sealed = cipher.encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: bound });
        // Encryption fails only beyond 64 GB; what then remains does not open.
        let sealed = sealed.unwrap_or_default();
        let mut bytes = Vec::with_capacity(NONCE + sealed.len());
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(&sealed);
        bytes
    }

    /// Opens what [`Self::seal`] made.
    ///
    /// # Errors
    /// [`SealBroken`] for anything else.
    pub fn open(&self, bound: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealBroken> {
        self.opener().open(bound, sealed)
    }

    /// Opens many things that were sealed with this key: what can be worked out once is.
    pub fn opener(&self) -> Opener {
        Opener(Aes256Gcm::new(&self.0.into()))
    }

    /// HMAC-SHA-256 under this key.
    pub fn authenticate(&self, message: &[&[u8]]) -> [u8; 32] {
        self.mac(message).finalize().into_bytes().into()
    }

    /// Whether `tag` is what [`Self::authenticate`] gives. Takes as long for a wrong tag as for a right one.
    pub fn authenticated(&self, message: &[&[u8]], tag: &[u8]) -> bool {
        self.mac(message).verify_slice(tag).is_ok()
    }

    fn mac(&self, message: &[&[u8]]) -> Hmac<Sha256> {
        // HMAC pads a key to its block with zeros; doing so here cannot fail.
        let mut block = [0; 64];
        block.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        message.iter().for_each(|part| mac.update(part));
        mac
    }

    /// The key for one purpose, which tells nothing about this one or its siblings.
    pub fn derive(&self, purpose: &str, detail: &[u8]) -> Self {
        Self(self.authenticate(&[purpose.as_bytes(), &[0], detail]))
    }
}
