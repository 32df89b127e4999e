//! Profiles at rest, and up to where the log went into them.

use crate::clock::Millis;
use crate::error::StoreError;
use crate::identity::{Scope, SubjectId};
use crate::log::{Offset, Word};
use crate::secret::Sha256Digest;
use rapport_core::person::{Act, Moment, Piece};

/// Keeps one profile a subject. An offset and its effect commit together.
pub trait ProfileStore: Send + Sync {
    /// Up to where the log of a scope went in.
    fn position(&self, scope: Scope) -> Result<Offset, StoreError>;
    /// The profile of a subject.
    fn profile(
        &self,
        scope: Scope,
        subject: SubjectId,
    ) -> Result<Option<StoredProfile>, StoreError>;
    /// The profiles seen last, newest first.
    fn recent(&self, scope: Scope, limit: u32) -> Result<Vec<StoredProfile>, StoreError>;
    /// Up to `limit` profiles whose score time alone has changed by `now`, the longest due first.
    fn due(&self, scope: Scope, now: Millis, limit: u32) -> Result<Vec<StoredProfile>, StoreError>;
    /// How many such profiles there are.
    fn count_due(&self, scope: Scope, now: Millis) -> Result<u64, StoreError>;
    /// Every subject that has a profile.
    fn subjects(&self, scope: Scope) -> Result<Vec<SubjectId>, StoreError>;
    /// The acts that name a subject.
    fn acts(&self, scope: Scope, subject: SubjectId) -> Result<Vec<PlacedAct>, StoreError>;
    /// Whose the events of a subject are, in order; empty where they are all its own.
    fn pieces(&self, scope: Scope, subject: SubjectId)
    -> Result<Vec<Piece<SubjectId>>, StoreError>;
    /// The subjects with a piece that is a person's, in order.
    fn members(&self, scope: Scope, person: SubjectId) -> Result<Vec<SubjectId>, StoreError>;
    /// When a subject refused to be profiled, in what the log has forgotten, and took it back in none of that.
    fn refusal(&self, scope: Scope, subject: SubjectId) -> Result<Option<Moment>, StoreError>;
    /// Keeps those of the words that are refusals, and forgets the refusals that others took back.
    fn keep_words(&self, scope: Scope, words: &[Word]) -> Result<(), StoreError>;
    /// Applies changes and moves the position, in one commit.
    fn apply(&self, scope: Scope, position: Offset, changes: &[Change]) -> Result<(), StoreError>;
    /// As [`Self::apply`], where `work` hands in the changes bit by bit. What it reads meanwhile is as
    /// it was before.
    fn apply_all(
        &self,
        scope: Scope,
        position: Offset,
        work: &mut dyn FnMut(&mut Apply<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;
    /// Drops the profiles of subjects, what says who they are, and their refusals.
    fn forget(&self, scope: Scope, subjects: &[SubjectId]) -> Result<(), StoreError>;
    /// Drops every profile of a scope and starts at the beginning of its log. What its envelopes up to
    /// `forgotten` said of who is who, and who refused in them, stays: the log does not say it again.
    fn clear(&self, scope: Scope, forgotten: Offset) -> Result<(), StoreError>;
}

/// Takes changes.
pub type Apply<'a> = dyn FnMut(&[Change]) -> Result<(), StoreError> + 'a;

/// What folding did to a subject.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    Keep(Box<StoredProfile>),
    /// Consent was withdrawn, or nothing is left to fold.
    Drop(SubjectId),
    /// Something was said of who is who, or was said again.
    Act(PlacedAct),
    /// The proofs that came from a browser about itself are these.
    OwnProofs(SubjectId, Vec<PlacedAct>),
    /// The events of a subject are now these people's, piece by piece.
    Pieces(SubjectId, Vec<Piece<SubjectId>>),
}

/// An act where it stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlacedAct {
    pub at: Moment,
    /// When the same was said last, where nothing came between.
    pub again: Option<Moment>,
    /// Whose envelope it came in.
    pub source: SubjectId,
    pub act: Act<SubjectId>,
}

/// A profile as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredProfile {
    pub subject: SubjectId,
    /// The signals that it was folded for.
    pub signals: Sha256Digest,
    /// Of the latest event by event time, which a late event lies before.
    pub event_time: Millis,
    /// The kind, name and path of that event.
    pub last_event: (String, String, Option<String>),
    pub first_seen: Millis,
    pub events: u32,
    pub score: u8,
    pub band: String,
    /// When the score was true, and when it changes though nothing happens.
    pub as_of: Millis,
    pub next_change_at: Option<Millis>,
    pub trail: Trail,
    /// The profile's bytes under the subject's key.
    pub sealed: Vec<u8>,
}

/// How the score moved: the last points in time and their scores, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trail(Vec<(Millis, u8)>);

impl Trail {
    const LENGTH: usize = 48;

    /// Adds a score where it differs from the last one.
    pub fn push(&mut self, at: Millis, score: u8) {
        if self.0.last().is_none_or(|(_, last)| *last != score) {
            self.0.push((at, score));
        }
        if self.0.len() > Self::LENGTH {
            self.0.remove(0);
        }
    }

    /// The points, oldest first.
    pub fn points(&self) -> &[(Millis, u8)] {
        &self.0
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|(at, score)| at.to_le_bytes().into_iter().chain([*score])).collect()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let points = bytes.chunks_exact(9).filter_map(|point| {
            let (at, score) = point.split_first_chunk::<8>()?;
            Some((Millis::from_le_bytes(*at), *score.first()?))
        });
        Self(points.collect())
    }
}
