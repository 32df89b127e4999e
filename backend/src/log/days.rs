//! The embedded event log: a directory a day, each with a journal and its indexes.

use super::day::{Day, DayNumber, message_entry};
use super::disk::{Disk, MachineDisk};
use super::{Appended, Draft, Envelope, EventLog, Offset, old};
use crate::error::StoreError;
use crate::identity::{Scope, SubjectId};
use crate::sqlite::lock;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Envelopes below `log/`, a directory a day.
pub struct DayLog {
    directory: PathBuf,
    disk: Arc<dyn Disk>,
    /// Oldest first. New envelopes go to the last.
    days: RwLock<Vec<Arc<Day>>>,
    /// The newest offset of each scope; held while a group is written.
    ends: Mutex<BTreeMap<Scope, Offset>>,
}

/// A message that is sent again later than this many days is a new one.
const REMEMBERED_DAYS: i64 = 30;

impl DayLog {
    /// Opens the log of a data directory, which exists.
    ///
    /// # Errors
    /// Where it cannot be used, is damaged, or belongs to a newer release.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        Self::open_on(data, Arc::new(MachineDisk))
    }

    /// As [`Self::open`], with another way to stable storage.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_on(data: &Path, disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        let directory = data.join("log");
        old::refuse_newer(data)?;
        let mut numbers = Vec::new();
        match std::fs::read_dir(&directory) {
            Ok(entries) => {
                for entry in entries {
                    let entry =
                        entry.map_err(|error| StoreError::file("reading", &directory, error))?;
                    numbers.extend(entry.file_name().to_str().and_then(DayNumber::parse));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::file("reading", &directory, error)),
        }
        numbers.sort_unstable();
        let mut days = Vec::with_capacity(numbers.len());
        let mut ends = BTreeMap::new();
        let newest = numbers.last().copied();
        for number in numbers {
            let remembers = newest.is_some_and(|newest| remembered(number, newest));
            let day = Day::open(&directory, number, disk.clone(), remembers)?;
            for (scope, places) in day.journal.places() {
                ends.insert(scope, places.last);
            }
            days.push(Arc::new(day));
        }
        let log = Self { directory, disk, days: RwLock::new(days), ends: Mutex::new(ends) };
        old::move_into(data, &log)?;
        Ok(log)
    }

    /// Adds envelopes under the offsets that they have already.
    pub(super) fn take_over(&self, group: &[Envelope]) -> Result<(), StoreError> {
        let Some(newest) = group.iter().map(|envelope| envelope.draft.received_at).max() else {
            return Ok(());
        };
        let mut ends = lock(&self.ends);
        let new: Vec<_> = group
            .iter()
            .filter(|envelope| {
                ends.get(&envelope.draft.scope).is_none_or(|end| *end < envelope.offset)
            })
            .map(|envelope| (envelope.offset, &envelope.draft))
            .collect();
        let entries = new.iter().map(|(_, draft)| message_entry(draft.scope, &draft.message_id));
        self.day_at(DayNumber::of(newest))?.append(&new, entries.collect::<Vec<_>>())?;
        for (offset, draft) in new {
            ends.insert(draft.scope, offset);
        }
        Ok(())
    }

    /// The day that takes what arrives on day `number`; days never go back.
    fn day_at(&self, number: DayNumber) -> Result<Arc<Day>, StoreError> {
        if let Some(last) = self.days().last()
            && last.number >= number
        {
            return Ok(last.clone());
        }
        let day = Arc::new(Day::open(&self.directory, number, self.disk.clone(), true)?);
        self.days.write().unwrap_or_else(PoisonError::into_inner).push(day.clone());
        Ok(day)
    }

    /// The days, oldest first.
    pub fn days(&self) -> Vec<Arc<Day>> {
        self.days.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn holds_message(days: &[Arc<Day>], message: &super::index::Entry) -> Result<bool, StoreError> {
        for day in days.iter().rev() {
            if day.holds(message)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a message of a day may still be sent again while `newest` is the last one.
const fn remembered(day: DayNumber, newest: DayNumber) -> bool {
    day.0 >= newest.0 - REMEMBERED_DAYS
}

impl EventLog for DayLog {
    fn append(&self, drafts: &[Draft]) -> Result<Vec<Appended>, StoreError> {
        let mut ends = lock(&self.ends);
        let days = self.days();
        // Nothing moves before the group is on stable storage: a failure concerns no other group.
        let mut moved: BTreeMap<Scope, Offset> = BTreeMap::new();
        let (mut messages, mut group) = (BTreeSet::new(), Vec::with_capacity(drafts.len()));
        let mut appended = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let message = message_entry(draft.scope, &draft.message_id);
            if messages.contains(&message) || Self::holds_message(&days, &message)? {
                appended.push(Appended::Duplicate);
                continue;
            }
            messages.insert(message);
            let end = moved
                .entry(draft.scope)
                .or_insert_with(|| ends.get(&draft.scope).copied().unwrap_or_default());
            end.0 += 1;
            group.push((*end, draft));
            appended.push(Appended::At(*end));
        }
        if let Some(newest) = group.iter().map(|(_, draft)| draft.received_at).max() {
            self.day_at(DayNumber::of(newest))?.append(&group, messages)?;
        }
        ends.extend(moved);
        Ok(appended)
    }

    fn read(&self, scope: Scope, after: Offset, limit: u32) -> Result<Vec<Envelope>, StoreError> {
        let mut found: Vec<Envelope> = Vec::new();
        for day in self.days() {
            let after = found.last().map_or(after, |envelope| envelope.offset);
            if day.journal.range(scope).is_some_and(|(_, last)| last > after) {
                found.extend(day.journal.read(scope, after, limit as usize - found.len())?);
            }
            if found.len() >= limit as usize {
                break;
            }
        }
        Ok(found)
    }

    fn subject(
        &self,
        scope: Scope,
        subject: SubjectId,
        until: Offset,
    ) -> Result<Vec<Envelope>, StoreError> {
        let mut found = Vec::new();
        for day in self.days() {
            day.subject(scope, subject, until, &mut found)?;
        }
        found.sort_by_key(|envelope| (envelope.draft.event_time, envelope.offset));
        Ok(found)
    }

    fn knows(&self, scope: Scope, subject: SubjectId, offset: Offset) -> Result<bool, StoreError> {
        for day in self.days() {
            if day.knows(scope, subject, offset)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn end(&self, scope: Scope) -> Result<Offset, StoreError> {
        Ok(lock(&self.ends).get(&scope).copied().unwrap_or_default())
    }

    fn holds(&self, scope: Scope, message_ids: &[&str]) -> Result<Vec<bool>, StoreError> {
        let days = self.days();
        let held = |id: &&str| Self::holds_message(&days, &message_entry(scope, id));
        message_ids.iter().map(held).collect()
    }

    fn ends(&self) -> Result<Vec<(Scope, Offset)>, StoreError> {
        Ok(lock(&self.ends).iter().map(|(scope, offset)| (*scope, *offset)).collect())
    }

    fn tidy(&self) -> Result<(), StoreError> {
        let days = self.days();
        let Some(newest) = days.last().map(|day| day.number) else { return Ok(()) };
        for day in days {
            if !remembered(day.number, newest) {
                day.forget_messages()?;
            }
            day.tidy(day.number < newest)?;
        }
        Ok(())
    }
}
