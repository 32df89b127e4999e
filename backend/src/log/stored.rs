//! A day of the log, in whichever form it is.

use super::day::{Day, DayNumber};
use super::index::Entry;
use super::sealed_day::SealedDay;
use super::{Envelope, Offset};
use crate::error::StoreError;
use crate::identity::{Scope, SubjectId};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A day that is written to or waits to be sealed, or one that is.
#[derive(Clone)]
pub enum Stored {
    Hot(Arc<Day>),
    Sealed(Arc<SealedDay>),
}

impl Stored {
    pub fn number(&self) -> DayNumber {
        match self {
            Self::Hot(day) => day.number,
            Self::Sealed(day) => day.number,
        }
    }

    /// The last offset of each scope that it holds.
    pub fn lasts(&self) -> BTreeMap<Scope, Offset> {
        match self {
            Self::Hot(day) => {
                let places = day.journal.places().into_iter();
                places.map(|(scope, places)| (scope, places.last)).collect()
            }
            Self::Sealed(day) => {
                let volumes = day.volumes().into_iter();
                volumes.map(|(scope, volume)| (scope, volume.last)).collect()
            }
        }
    }

    /// The first and last offset that it holds of a scope.
    pub fn range(&self, scope: Scope) -> Option<(Offset, Offset)> {
        match self {
            Self::Hot(day) => day.journal.range(scope),
            Self::Sealed(day) => day.range(scope),
        }
    }

    pub fn read(
        &self,
        scope: Scope,
        after: Offset,
        limit: usize,
    ) -> Result<Vec<Envelope>, StoreError> {
        match self {
            Self::Hot(day) => day.journal.read(scope, after, limit),
            Self::Sealed(day) => day.read(scope, after, limit),
        }
    }

    /// Up to where its envelopes of a scope behind `after` are better read by subject; nowhere where
    /// fewer than `many` have a journal.
    pub fn sorted_until(
        &self,
        scope: Scope,
        after: Offset,
        (end, many): (Offset, i64),
    ) -> Option<Offset> {
        match self {
            Self::Hot(day) if end.0 - after.0 >= many => day.sorted_until(scope, after, end),
            Self::Hot(_) => None,
            Self::Sealed(day) => day.range(scope).map(|(_, last)| last),
        }
    }

    pub fn subject(
        &self,
        scope: Scope,
        subject: SubjectId,
        until: Offset,
        found: &mut Vec<Envelope>,
    ) -> Result<(), StoreError> {
        match self {
            Self::Hot(day) => day.subject(scope, subject, until, found),
            Self::Sealed(day) => day.subject(scope, subject, until, found),
        }
    }

    pub fn knows(
        &self,
        scope: Scope,
        subject: SubjectId,
        offset: Offset,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Hot(day) => day.knows(scope, subject, offset),
            Self::Sealed(day) => day.knows(scope, subject, offset),
        }
    }

    pub fn holds(&self, message: &Entry) -> Result<bool, StoreError> {
        match self {
            Self::Hot(day) => day.holds(message),
            Self::Sealed(day) => day.holds(message),
        }
    }

    pub fn forget_messages(&self) -> Result<(), StoreError> {
        match self {
            Self::Hot(day) => day.forget_messages(),
            Self::Sealed(day) => day.forget_messages(),
        }
    }

    /// Keeps the indexes small in memory; `over` for a day on which nothing more arrives.
    pub fn tidy(&self, over: bool) -> Result<(), StoreError> {
        match self {
            Self::Hot(day) => day.tidy(over),
            Self::Sealed(day) => day.tidy(),
        }
    }
}
