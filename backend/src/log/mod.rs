//! The event log: what happened, for good. Everything else can be rebuilt from it.

mod block;
mod day;
mod days;
mod disk;
mod envelope;
mod forgotten;
mod group;
mod index;
mod journal;
mod keeper;
mod old;
mod places;
mod plain;
mod record;
mod run;
mod sealed;
mod sealed_day;
mod sealing;
mod shelf;
mod stored;
mod survey;
#[cfg(test)]
mod words;

pub use day::DayNumber;
pub use days::DayLog;
pub use disk::{Disk, MachineDisk};
pub use envelope::{Consent, Draft, Envelope, MAX_OPEN_TEXT, Offset, Open, Sealed};
pub use forgotten::forgotten;
pub use keeper::Keeper;
pub use plain::{Arrived, Plain, SCHEMA_VERSION, event as compact};
pub use sealed::{
    Contents, Replayed, SealedWire, bound, claims_proof, contents, open_plain, seal, seal_bytes,
};
pub use survey::{Damage, DaySurvey, Span, survey};

use crate::clock::Millis;
use crate::error::StoreError;
use crate::identity::{Scope, SubjectId};

/// The envelopes of a scope behind `after`, up to and with `until`.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    pub scope: Scope,
    pub after: Offset,
    pub until: Offset,
}

/// Takes envelopes, some at a time.
pub type Visit<'v> = dyn FnMut(Vec<Envelope>) -> Result<(), StoreError> + 'v;

/// Keeps envelopes, in the order they came.
pub trait EventLog: Send + Sync {
    /// Adds envelopes in one commit that is on stable storage when this returns: all or none.
    /// An envelope whose message id the scope holds already is left out.
    fn append(&self, drafts: &[Draft]) -> Result<Vec<Appended>, StoreError>;
    /// Up to `limit` envelopes of a scope behind `after`, in the order of their offsets.
    fn read(&self, scope: Scope, after: Offset, limit: u32) -> Result<Vec<Envelope>, StoreError>;
    /// Up to which offset [`Self::by_subject`] reads better what follows `after`; `None` where
    /// [`Self::read`] does.
    fn sorted_until(&self, _scope: Scope, _after: Offset) -> Result<Option<Offset>, StoreError> {
        Ok(None)
    }
    /// Shows `visit` a stretch up to what [`Self::sorted_until`] said, some subjects at a time, each
    /// subject's together and in the order in which it happened. Who was erased may be left out.
    fn by_subject(&self, _: Stretch, _: &mut Visit<'_>) -> Result<(), StoreError> {
        Ok(())
    }
    /// All envelopes of a subject up to and with `until`, in the order of event time, then of offset.
    fn subject(
        &self,
        scope: Scope,
        subject: SubjectId,
        until: Offset,
    ) -> Result<Vec<Envelope>, StoreError>;
    /// Whether the log holds an envelope of a subject before `offset`.
    fn knows(&self, scope: Scope, subject: SubjectId, offset: Offset) -> Result<bool, StoreError> {
        Ok(!self.subject(scope, subject, Offset(offset.0 - 1))?.is_empty())
    }
    /// The offset of the newest envelope of a scope; 0 before the first.
    fn end(&self, scope: Scope) -> Result<Offset, StoreError>;
    /// Whether the scope holds each of the messages, in their order.
    fn holds(&self, scope: Scope, message_ids: &[&str]) -> Result<Vec<bool>, StoreError>;
    /// The offset of the newest envelope of each scope that has any.
    fn ends(&self) -> Result<Vec<(Scope, Offset)>, StoreError>;
    /// Forgets the sealed days of a scope before `day`; answers whom their envelopes were about. Until
    /// [`Self::discard`] it answers the same again.
    fn forget(&self, _scope: Scope, _day: DayNumber) -> Result<Vec<SubjectId>, StoreError> {
        Ok(Vec::new())
    }
    /// What each subject said of profiling last in what was forgotten, until [`Self::discard`].
    fn last_words(&self, _scope: Scope) -> Result<Vec<Word>, StoreError> {
        Ok(Vec::new())
    }
    /// Deletes what was forgotten, for good.
    fn discard(&self, _scope: Scope) -> Result<(), StoreError> {
        Ok(())
    }
    /// Up to where the envelopes of a scope are forgotten.
    fn forgotten(&self, _scope: Scope) -> Result<Offset, StoreError> {
        Ok(Offset(0))
    }
    /// Keeps house: called about once a second, by one thread.
    fn tidy(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What a visitor said of being profiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    pub subject: SubjectId,
    /// When it happened, and where it stood in the log.
    pub event_time: Millis,
    pub offset: Offset,
    pub granted: bool,
}

/// What became of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    At(Offset),
    /// The log holds a message of that id already.
    Duplicate,
}
