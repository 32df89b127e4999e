//! The embedded event log: a directory a day, each with a journal and its indexes, or sealed.

use super::day::{Day, DayNumber, journal_of, message_entry};
use super::disk::{Disk, MachineDisk, files};
use super::sealed_day::SealedDay;
use super::sealing::{Sealing, clear, sweep};
use super::shelf::Shelf;
use super::stored::Stored;
use super::{Appended, Draft, Envelope, EventLog, Offset, Stretch, Visit, Word, forgotten, old};
use crate::error::StoreError;
use crate::identity::{Scope, SubjectId};
use crate::keys::KeyStore;
use crate::sqlite::lock;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// Envelopes below `log/`, a directory a day.
pub struct DayLog {
    directory: PathBuf,
    disk: Arc<dyn Disk>,
    /// Oldest first. New envelopes go to the last, which is no sealed one.
    days: RwLock<Vec<Stored>>,
    /// The newest offset of each scope that is on stable storage.
    ends: Mutex<BTreeMap<Scope, Offset>>,
    /// Held while a group is written, which may take as long as the disk likes.
    writing: Mutex<()>,
    shelf: Arc<Shelf>,
    /// Seals days under these.
    keys: Option<Arc<dyn KeyStore>>,
    sealing: Mutex<Option<Sealing>>,
    /// So many envelopes of a journal are worth to be read by subject.
    sorting_from: i64,
    /// Whether messages are remembered for good.
    remembers_all: bool,
    /// Up to where each scope's envelopes are forgotten.
    forgotten: Mutex<BTreeMap<Scope, Offset>>,
}

/// A message that is sent again later than this many days is a new one.
const REMEMBERED_DAYS: i64 = 30;
/// A day is sealed when it lies so many days behind the newest: it is over, and so is its grace, in
/// which profiles that are late are folded from the journal.
const SEALED_AFTER_DAYS: i64 = 2;
/// How long a step of sealing takes, about: at one a second, a tenth of a processor.
const STEP: Duration = Duration::from_millis(100);

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
        Self::open_as(data, disk, false)
    }

    /// As [`Self::open`], for who brings events of the past: every message that the log holds is known,
    /// however long ago it arrived. Where it was forgotten, it is read from its day again.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_remembering(data: &Path) -> Result<Self, StoreError> {
        Self::open_as(data, Arc::new(MachineDisk), true)
    }

    fn open_as(data: &Path, disk: Arc<dyn Disk>, all: bool) -> Result<Self, StoreError> {
        let directory = data.join("log");
        old::refuse_newer(data)?;
        let numbers = numbers(&directory)?;
        let mut days = Vec::with_capacity(numbers.len());
        let forgotten = forgotten::read(&directory)?;
        let mut ends = forgotten.clone();
        let shelf = Arc::new(Shelf::default());
        let newest = numbers.last().copied();
        for number in numbers {
            let remembers = all || newest.is_some_and(|newest| remembered(number, newest));
            let of_day = directory.join(number.to_string());
            let day = if is_sealed(&of_day)? {
                sweep(&of_day)?;
                Stored::Sealed(SealedDay::open(of_day, number, shelf.clone(), remembers)?.into())
            } else {
                clear(&of_day, &*disk)?;
                Stored::Hot(Day::open(&directory, number, disk.clone(), remembers)?.into())
            };
            ends.extend(day.lasts());
            days.push(day);
        }
        let (days, ends) = (RwLock::new(days), Mutex::new(ends));
        let (keys, sealing, forgotten) = (None, Mutex::default(), Mutex::new(forgotten));
        let (writing, sorting_from, remembers_all) = (Mutex::default(), i64::MAX, all);
        let log = Self {
            directory,
            disk,
            days,
            ends,
            writing,
            shelf,
            keys,
            sealing,
            sorting_from,
            remembers_all,
            forgotten,
        };
        old::move_into(data, &log)?;
        Ok(log)
    }

    /// Lets [`EventLog::tidy`] seal days that are over, under the keys of their subjects.
    #[must_use]
    pub fn sealing_under(self, keys: Arc<dyn KeyStore>) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// Lets [`EventLog::sorted_until`] say so of days with a journal too, where so many envelopes follow.
    #[must_use]
    pub fn sorting_from(self, envelopes: u32) -> Self {
        Self { sorting_from: i64::from(envelopes), ..self }
    }

    /// Adds envelopes under the offsets that they have already.
    pub(super) fn take_over(&self, group: &[Envelope]) -> Result<(), StoreError> {
        let Some(newest) = group.iter().map(|envelope| envelope.draft.received_at).max() else {
            return Ok(());
        };
        let _writing = lock(&self.writing);
        let mut ends = lock(&self.ends).clone();
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
        *lock(&self.ends) = ends;
        Ok(())
    }

    /// The day that takes what arrives on day `number`; days never go back.
    fn day_at(&self, number: DayNumber) -> Result<Arc<Day>, StoreError> {
        let mut number = number;
        match self.days().last() {
            Some(Stored::Hot(day)) if day.number >= number => return Ok(day.clone()),
            // Only a clock that went back comes to a day that is sealed already.
            Some(Stored::Sealed(day)) => number = number.max(DayNumber(day.number.0 + 1)),
            _ => {}
        }
        let day = Arc::new(Day::open(&self.directory, number, self.disk.clone(), true)?);
        self.days.write().unwrap_or_else(PoisonError::into_inner).push(Stored::Hot(day.clone()));
        Ok(day)
    }

    /// The days, oldest first.
    fn days(&self) -> Vec<Stored> {
        self.days.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Goes a step on with sealing the oldest day that is due.
    fn seal(&self) -> Result<(), StoreError> {
        let Some(keys) = &self.keys else { return Ok(()) };
        let mut sealing = lock(&self.sealing);
        let mut job = match sealing.take() {
            Some(job) => job,
            None => {
                let days = self.days();
                let newest = days.last().map_or(0, |day| day.number().0);
                let due = days.iter().find_map(|day| match day {
                    Stored::Hot(day) if day.number.0 + SEALED_AFTER_DAYS <= newest => Some(day),
                    _ => None,
                });
                let Some(due) = due else { return Ok(()) };
                Sealing::begin(due.clone(), self.disk.clone())?
            }
        };
        // Where a step fails, the day begins anew the next time.
        if !job.step(&**keys, STEP)? {
            *sealing = Some(job);
            return Ok(());
        }
        let (number, directory) = (job.day().number, job.day().directory().to_owned());
        let newest = self.days().last().map_or(number, Stored::number);
        let remembers = self.remembers(number, newest);
        let sealed = SealedDay::open(directory, number, self.shelf.clone(), remembers)?;
        let mut days = self.days.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(day) = days.iter_mut().find(|day| day.number() == number) {
            *day = Stored::Sealed(Arc::new(sealed));
        }
        Ok(())
    }

    /// The day that holds what follows an offset.
    fn behind(&self, scope: Scope, after: Offset) -> Option<Stored> {
        self.days().into_iter().find(|day| day.range(scope).is_some_and(|(_, last)| last > after))
    }

    fn remembers(&self, day: DayNumber, newest: DayNumber) -> bool {
        self.remembers_all || remembered(day, newest)
    }

    fn holds_message(days: &[Stored], message: &super::index::Entry) -> Result<bool, StoreError> {
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
        let _writing = lock(&self.writing);
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
                .or_insert_with(|| lock(&self.ends).get(&draft.scope).copied().unwrap_or_default());
            end.0 += 1;
            group.push((*end, draft));
            appended.push(Appended::At(*end));
        }
        if let Some(newest) = group.iter().map(|(_, draft)| draft.received_at).max() {
            self.day_at(DayNumber::of(newest))?.append(&group, messages)?;
        }
        lock(&self.ends).extend(moved);
        Ok(appended)
    }

    fn read(&self, scope: Scope, after: Offset, limit: u32) -> Result<Vec<Envelope>, StoreError> {
        let mut found: Vec<Envelope> = Vec::new();
        for day in self.days() {
            let after = found.last().map_or(after, |envelope| envelope.offset);
            if day.range(scope).is_some_and(|(_, last)| last > after) {
                found.extend(day.read(scope, after, limit as usize - found.len())?);
            }
            if found.len() >= limit as usize {
                break;
            }
        }
        Ok(found)
    }

    fn sorted_until(&self, scope: Scope, after: Offset) -> Result<Option<Offset>, StoreError> {
        // What is before the end is in the indexes too.
        let end = self.end(scope)?;
        let day = self.behind(scope, after);
        Ok(day.and_then(|day| day.sorted_until(scope, after, (end, self.sorting_from))))
    }

    fn by_subject(&self, stretch: Stretch, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        match self.behind(stretch.scope, stretch.after) {
            Some(Stored::Hot(day)) => day.by_subject(stretch, visit),
            Some(Stored::Sealed(day)) => day.by_subject(stretch, visit),
            None => Ok(()),
        }
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

    fn forget(&self, scope: Scope, before: DayNumber) -> Result<Vec<SubjectId>, StoreError> {
        let mut subjects = BTreeSet::new();
        for day in self.days() {
            let Stored::Sealed(day) = day else { continue };
            if day.number < before
                && let Some((_, last)) = day.range(scope)
            {
                // Kept first: no later offset may ever be one of these.
                let mut forgotten = lock(&self.forgotten);
                forgotten.insert(scope, last);
                forgotten::write(&self.directory, &*self.disk, &forgotten)?;
                drop(forgotten);
                day.forget(scope, &*self.disk)?;
            }
            for volume in day.aside(scope)? {
                SealedDay::subjects(&volume, &mut subjects)?;
            }
        }
        Ok(subjects.into_iter().collect())
    }

    fn last_words(&self, scope: Scope) -> Result<Vec<Word>, StoreError> {
        let mut last: BTreeMap<SubjectId, Word> = BTreeMap::new();
        for day in self.days() {
            let Stored::Sealed(day) = day else { continue };
            for volume in day.aside(scope)? {
                SealedDay::words(&volume, |word| {
                    let known = last.entry(word.subject).or_insert(word);
                    if (word.event_time, word.offset) > (known.event_time, known.offset) {
                        *known = word;
                    }
                })?;
            }
        }
        Ok(last.into_values().collect())
    }

    fn discard(&self, scope: Scope) -> Result<(), StoreError> {
        for day in self.days() {
            let Stored::Sealed(day) = day else { continue };
            for volume in day.aside(scope)? {
                self.disk
                    .remove(&volume.path)
                    .map_err(|error| StoreError::file("deleting", &volume.path, error))?;
            }
        }
        Ok(())
    }

    fn forgotten(&self, scope: Scope) -> Result<Offset, StoreError> {
        Ok(lock(&self.forgotten).get(&scope).copied().unwrap_or_default())
    }

    fn tidy(&self) -> Result<(), StoreError> {
        let days = self.days();
        let Some(newest) = days.last().map(Stored::number) else { return Ok(()) };
        for day in days {
            if !self.remembers(day.number(), newest) {
                day.forget_messages()?;
            }
            day.tidy(day.number() < newest)?;
            if let Stored::Sealed(sealed) = &day
                && !self.remembers(day.number(), newest)
                && sealed.vanish(&*self.disk)?
            {
                let mut days = self.days.write().unwrap_or_else(PoisonError::into_inner);
                days.retain(|kept| kept.number() != day.number());
            }
        }
        self.seal()
    }
}

/// The days that have a directory, oldest first.
pub fn numbers(directory: &Path) -> Result<Vec<DayNumber>, StoreError> {
    let days = match files(directory) {
        Err(StoreError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Vec::new()
        }
        read => read?,
    };
    let mut numbers: Vec<_> = days.iter().filter_map(|(_, name)| DayNumber::parse(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// Whether a day left its journal. While that is there, it alone counts.
fn is_sealed(directory: &Path) -> Result<bool, StoreError> {
    if journal_of(directory).exists() {
        return Ok(false);
    }
    let of_sealed = |name: &String| name.contains(".parquet") || name.ends_with(".index");
    Ok(files(directory)?.iter().any(|(_, name)| of_sealed(name)))
}
