//! The key store: apart from the data and its backups, so that a shredded key is gone everywhere.
//!
//! master key (a file) → workspace key → subject key. Each is wrapped by the one before it.

mod directory;

pub use directory::DirectoryKeys;

use crate::clock::Millis;
use crate::error::StoreError;
use crate::identity::{Scope, SubjectId, WorkspaceId};
use crate::seal::SecretKey;
pub use rapport_core::person::VisitorRef;

/// Keeps the keys of workspaces and subjects.
pub trait KeyStore: Send + Sync {
    /// The key that everything of a workspace is derived from or wrapped by; made where missing.
    fn workspace_key(&self, workspace: WorkspaceId) -> Result<SecretKey, StoreError>;
    /// The keys of `subjects`, in their order; made, durably, where missing. A shredded key is never made again.
    fn ensure_subject_keys(
        &self,
        scope: Scope,
        subjects: &[SubjectId],
    ) -> Result<Vec<SubjectKey>, StoreError>;
    /// The key of a subject, if it ever had one.
    fn subject_key(
        &self,
        scope: Scope,
        subject: SubjectId,
    ) -> Result<Option<SubjectKey>, StoreError>;
    /// The salt of a day, counted from 1970-01-01 (UTC); made where missing. Salts of days before the
    /// one before it are destroyed.
    fn daily_salt(&self, day: i64) -> Result<SecretKey, StoreError>;
    /// Destroys the salts of all days before `day`.
    fn forget_salts(&self, day: i64) -> Result<(), StoreError>;
    /// Destroys the key of a subject for good, and the chance of a new one. Doing it again changes nothing.
    fn shred(&self, scope: Scope, subject: SubjectId, at: Millis) -> Result<(), StoreError>;
    /// Everybody whose key was destroyed, and when. Kept here too, it outlives any backup of the data.
    fn shredded(&self) -> Result<Vec<(Scope, SubjectId, Millis)>, StoreError>;
}

/// What the store holds for a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectKey {
    Kept(SecretKey),
    Shredded,
}

impl SubjectKey {
    /// The key, unless it is shredded.
    pub fn kept(self) -> Option<SecretKey> {
        match self {
            Self::Kept(key) => Some(key),
            Self::Shredded => None,
        }
    }
}

/// The pseudonym of a visitor whom a page or server calls `id`.
pub fn pseudonym(workspace_key: &SecretKey, scope: Scope, id: VisitorRef<'_>) -> SubjectId {
    let (kind, id) = match id {
        VisitorRef::Anonymous(id) => (b"a", id),
        VisitorRef::User(id) => (b"u", id),
    };
    let mac =
        workspace_key.derive("subject", &scope.to_bytes()).authenticate(&[kind, id.as_bytes()]);
    let mut subject = [0; 16];
    subject.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
    SubjectId(subject)
}
