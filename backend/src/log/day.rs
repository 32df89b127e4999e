//! One day of the log: what arrived on it, and the indexes beside.

use super::disk::Disk;
use super::index::{Entry, Index, Sorted, entry};
use super::journal::{Journal, Place};
use super::run::START;
use super::{Draft, Envelope, Offset, Stretch, Visit};
use crate::clock::Millis;
use crate::error::StoreError;
use crate::identity::{Scope, SubjectId};
use rapport_core::event::Millis as CoreMillis;
use sha2::{Digest, Sha256};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A day, as days since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DayNumber(pub i64);

const MILLIS: Millis = 86_400_000;

impl DayNumber {
    /// The day of a moment.
    pub const fn of(time: Millis) -> Self {
        Self(time.div_euclid(MILLIS))
    }

    /// Reads `2026-11-23`.
    pub fn parse(text: &str) -> Option<Self> {
        let dashes = text.len() == 10 && text.is_ascii();
        CoreMillis::parse(&format!("{text}T00:00:00Z"))
            .filter(|_| dashes)
            .map(|time| Self::of(time.0))
    }
}

impl std::fmt::Display for DayNumber {
    /// Days to civil: Howard Hinnant, chrono-compatible low-level date algorithms.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shifted = self.0 + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * march + 2) / 5 + 1;
        let month = if march < 10 { march + 3 } else { march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        write!(formatter, "{year:04}-{month:02}-{day:02}")
    }
}

/// What arrived on a day, in the directory of its name.
pub struct Day {
    pub number: DayNumber,
    pub journal: Journal,
    messages: Index,
    subjects: Index,
}

impl Day {
    /// Opens the day's directory below `parent`, or makes it. `remembers` while a message of it may
    /// still be sent again.
    ///
    /// # Errors
    /// Where it cannot be used or is damaged.
    pub fn open(
        parent: &Path,
        number: DayNumber,
        disk: Arc<dyn Disk>,
        remembers: bool,
    ) -> Result<Self, StoreError> {
        let directory = parent.join(number.to_string());
        let new = !directory.exists();
        if new {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&directory)
                .map_err(|error| StoreError::file("creating", &directory, error))?;
        }
        let messages = Index::open(&directory, "messages")?;
        let subjects = Index::open(&directory, SUBJECTS)?;
        let of_messages = if remembers { messages.upto() } else { u64::MAX };
        let known = of_messages.min(subjects.upto());
        let (mut ids, mut whose) = (Vec::new(), Vec::new());
        let journal = Journal::open(journal_of(&directory), disk, known, |place, envelope| {
            ids.push(message_entry(envelope.draft.scope, &envelope.draft.message_id));
            whose.push(subject_entry(&envelope.draft, place));
        })?;
        if known > journal.end() {
            // A journal from a backup is older than the indexes that were left beside it.
            messages.clear()?;
            subjects.clear()?;
            journal.scan(|place, envelope| {
                ids.push(message_entry(envelope.draft.scope, &envelope.draft.message_id));
                whose.push(subject_entry(&envelope.draft, place));
            })?;
        }
        if new {
            // The names of the new file and directory have to outlast a power cut too.
            [directory.as_path(), parent].into_iter().try_for_each(sync_directory)?;
        }
        if remembers {
            messages.add(ids, journal.end());
        }
        subjects.add(whose, journal.end());
        Ok(Self { number, journal, messages, subjects })
    }

    /// Whether a message with this entry arrived on the day.
    pub fn holds(&self, message: &Entry) -> Result<bool, StoreError> {
        self.messages.contains(message)
    }

    /// Adds envelopes that are new to the log; on stable storage when this returns.
    pub fn append(
        &self,
        group: &[(Offset, &Draft)],
        messages: impl IntoIterator<Item = Entry>,
    ) -> Result<(), StoreError> {
        let places = self.journal.append(group)?;
        let whose = group.iter().zip(places).map(|((_, draft), place)| subject_entry(draft, place));
        self.subjects.add(whose, self.journal.end());
        self.messages.add(messages, self.journal.end());
        Ok(())
    }

    /// Adds a subject's envelopes up to and with `until` to `found`.
    pub fn subject(
        &self,
        scope: Scope,
        subject: SubjectId,
        until: Offset,
        found: &mut Vec<Envelope>,
    ) -> Result<(), StoreError> {
        let places = self.subjects.find(index_key(scope, subject))?;
        self.journal.each_at(&places, |envelope| {
            let draft = &envelope.draft;
            if draft.scope == scope && draft.subject == subject && envelope.offset <= until {
                found.push(envelope);
            }
        })
    }

    /// Whether it holds an envelope of a subject before `offset`.
    pub fn knows(
        &self,
        scope: Scope,
        subject: SubjectId,
        offset: Offset,
    ) -> Result<bool, StoreError> {
        // Places are in the order of offsets, so the first of the subject's own decides.
        for place in self.subjects.find(index_key(scope, subject))? {
            let envelope = self.journal.at(place)?;
            if envelope.draft.scope == scope && envelope.draft.subject == subject {
                return Ok(envelope.offset < offset);
            }
        }
        Ok(false)
    }

    /// Keeps the indexes small in memory; `over` for a day on which nothing more arrives.
    pub fn tidy(&self, over: bool) -> Result<(), StoreError> {
        self.messages.tidy(over)?;
        self.subjects.tidy(over)?;
        self.journal.cover(over)
    }

    /// The places of all its envelopes, in the order of [`index_key`].
    pub fn sorted(&self) -> Result<Sorted, StoreError> {
        self.subjects.sorted(START, &(0..u64::MAX))
    }

    /// Up to where, but not beyond `end`, [`Self::by_subject`] shows the envelopes of a scope behind
    /// `after`.
    pub fn sorted_until(&self, scope: Scope, after: Offset, end: Offset) -> Option<Offset> {
        let (_, last) = self.journal.range(scope)?;
        let most = self.journal.start(scope, after) + WINDOW;
        let next = if self.journal.end() > most { self.journal.before(scope, most) } else { None };
        let until = next.map_or(last, |next| Offset(next.0 - 1)).min(end);
        (until > after).then_some(until)
    }

    /// Shows `visit` the envelopes of a stretch, some subjects at a time.
    pub fn by_subject(&self, stretch: Stretch, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        let Stretch { scope, after, until } = stretch;
        let span = self.journal.span(scope, after, until);
        let [high, low, ..] = index_key(scope, SubjectId([0; 16]));
        let mut entries = self.subjects.sorted([high, low, 0, 0, 0, 0, 0, 0], &span)?.peekable();
        let room = || Vec::with_capacity(SOME + SOME / 8);
        let (mut chunk, mut places) = (room(), Vec::new());
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let ([first, second, ..], place) = (entry, place_in(&entry));
            if [first, second] != [high, low] {
                break;
            }
            if span.contains(&place) && places.last() != Some(&place) {
                places.push(place);
            }
            let same = |next: &Result<Entry, _>| {
                next.as_ref().is_ok_and(|next| next.first_chunk::<8>() == entry.first_chunk())
            };
            if places.is_empty() || entries.peek().is_some_and(same) {
                continue;
            }
            let start = chunk.len();
            self.journal.each_at(&places, |envelope: Envelope| {
                let within = after < envelope.offset && envelope.offset <= until;
                if within && envelope.draft.scope == scope {
                    chunk.push(envelope);
                }
            })?;
            places.clear();
            let of_key = chunk.get_mut(start..).unwrap_or_default();
            let order = |one: &Envelope| (one.draft.subject, one.draft.event_time, one.offset);
            if !of_key.is_sorted_by_key(order) {
                of_key.sort_unstable_by_key(order);
            }
            if chunk.len() >= SOME {
                visit(std::mem::replace(&mut chunk, room()))?;
            }
        }
        if chunk.is_empty() { Ok(()) } else { visit(chunk) }
    }

    /// Makes the index of messages as small as it gets; after [`Self::tidy`] of a day that is over.
    pub fn shorten_messages(&self) -> Result<(), StoreError> {
        self.messages.shorten()
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        self.journal.path().parent().unwrap_or(self.journal.path())
    }

    /// Forgets which messages arrived: nobody sends them again so late.
    pub fn forget_messages(&self) -> Result<(), StoreError> {
        self.messages.clear()
    }
}

/// So much of a journal is shown by subject at a time: it is read in no order, for which memory should
/// have room.
const WINDOW: u64 = 4 << 30;
/// About so many envelopes are shown at once where they come by subject.
pub const SOME: usize = 8192;

/// What the index is called that says where a subject's envelopes are.
const SUBJECTS: &str = "envelopes";

/// Where a day's journal stands in its directory.
pub fn journal_of(directory: &Path) -> PathBuf {
    directory.join("events.journal")
}

/// How a message id is remembered: so long that two never meet, and no longer.
pub fn message_entry(scope: Scope, message_id: &str) -> Entry {
    let mut entry = [0; 16];
    let digest = Sha256::new().chain_update(scope.to_bytes()).chain_update(message_id).finalize();
    entry.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    entry
}

/// Where the envelope of an entry of `envelopes` begins.
pub fn place_in(entry: &Entry) -> Place {
    entry.last_chunk::<8>().map_or(0, |place| u64::from_be_bytes(*place))
}

fn subject_entry(draft: &Draft, place: Place) -> Entry {
    entry(index_key(draft.scope, draft.subject), place)
}

/// By what a subject's envelopes are found: those of a scope stand together. Two subjects may share it.
pub fn index_key(scope: Scope, subject: SubjectId) -> [u8; 8] {
    let [a, b, ..] = crc32fast::hash(&scope.to_bytes()).to_be_bytes();
    let [c, d, e, f, g, h, ..] = subject.0;
    [a, b, c, d, e, f, g, h]
}

fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    std::fs::File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| StoreError::file("syncing", directory, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_reads_back_from_its_name() {
        for (number, name) in [(0, "1970-01-01"), (20_780, "2026-11-23"), (11_016, "2000-02-29")] {
            assert_eq!(DayNumber(number).to_string(), name);
            assert_eq!(DayNumber::parse(name), Some(DayNumber(number)));
        }
        assert!(["2026-11-2", "2026-13-01", "lost+found", ""].map(DayNumber::parse) == [None; 4]);
    }
}
