//! One file of envelopes as they came: group behind group, each written and synced as a whole.

use super::disk::Disk;
use super::group::{self, HEAD, MAGIC};
use super::places::{self, Places};
use super::{Draft, Envelope, Offset, record};
use crate::error::StoreError;
use crate::identity::Scope;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// An append-only file of groups.
pub struct Journal {
    path: PathBuf,
    file: File,
    disk: Arc<dyn Disk>,
    /// Behind the last group that is on stable storage.
    end: AtomicU64,
    places: RwLock<BTreeMap<Scope, Places>>,
    /// How much of it the file of places covers.
    covered: AtomicU64,
}

/// Where an envelope begins, for [`Journal::at`].
pub type Place = u64;

/// The file of places is written again after so much more.
const COVER: u64 = 64 * 1024 * 1024;
/// Who looks for an offset reads at most about this much too much.
const STRIDE: u64 = 64 * 1024;
/// Envelopes that are no further apart are read together …
const CLOSE: u64 = 64 * 1024;
/// … and most are no longer than this.
const USUAL: u64 = 2048;

impl Journal {
    /// Opens the file or makes it, reads what neither `known` nor the file of places covers, and
    /// tells `found` of every envelope behind `known`. A last group that never got to its end is cut off: nobody was told that it is there.
    ///
    /// # Errors
    /// Where the file cannot be used, is of a newer release, or is damaged before its end.
    pub fn open(
        path: PathBuf,
        disk: Arc<dyn Disk>,
        known: Place,
        mut found: impl FnMut(Place, Envelope),
    ) -> Result<Self, StoreError> {
        let failed = |error| StoreError::file("opening", &path, error);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let journal = Self {
            path: path.clone(),
            file,
            disk,
            end: AtomicU64::new(MAGIC.len() as u64),
            places: RwLock::default(),
            covered: AtomicU64::new(0),
        };
        if length < MAGIC.len() as u64 {
            journal.disk.write(&path, &journal.file, &MAGIC, 0).map_err(failed)?;
            journal.disk.sync(&path, &journal.file).map_err(failed)?;
            return Ok(journal);
        }
        journal.check_magic()?;
        if let Some((covered, places)) =
            places::read(&journal.beside()).filter(|(end, _)| *end <= length)
        {
            journal.end.store(known.min(covered).max(MAGIC.len() as u64), Ordering::Release);
            journal.covered.store(covered, Ordering::Relaxed);
            *journal.places.write().unwrap_or_else(PoisonError::into_inner) = places;
        }
        let mut body = Vec::new();
        while let Some(end) = journal.group(journal.end(), length, &mut body)? {
            let start = journal.end();
            journal.note(start, &body);
            if end > known {
                journal.each(start, &body, &mut found)?;
            }
            journal.end.store(end, Ordering::Release);
        }
        journal.drop_torn(length)?;
        Ok(journal)
    }

    /// Adds envelopes as one group; they are on stable storage when this returns. Where that fails,
    /// the file is as before.
    ///
    /// # Errors
    /// Where the group could not be written or synced.
    pub fn append(&self, group: &[(Offset, &Draft)]) -> Result<Vec<Place>, StoreError> {
        let start = self.end();
        let mut places = Vec::with_capacity(group.len());
        let bytes = group::write(|bytes| {
            for (offset, draft) in group {
                places.push(start + bytes.len() as u64);
                record::write(*offset, draft, bytes);
            }
        });
        let written = self
            .disk
            .write(&self.path, &self.file, &bytes, start)
            .and_then(|()| self.disk.sync(&self.path, &self.file));
        if let Err(error) = written {
            // What may stand there was not acknowledged; the next group overwrites it in any case.
            let _ = self.file.set_len(start);
            return Err(StoreError::file("writing", &self.path, error));
        }
        self.note(start, bytes.get(HEAD as usize..).unwrap_or_default());
        self.end.store(start + bytes.len() as u64, Ordering::Release);
        Ok(places)
    }

    /// Up to `limit` envelopes of a scope behind `after`.
    ///
    /// # Errors
    /// Where the file cannot be read or is damaged.
    pub fn read(
        &self,
        scope: Scope,
        after: Offset,
        limit: usize,
    ) -> Result<Vec<Envelope>, StoreError> {
        let mut found = Vec::new();
        let Some(mut at) = self.mark(scope, after) else { return Ok(found) };
        let (end, mut body) = (self.end(), Vec::new());
        while found.len() < limit
            && let Some(next) = self.group(at, end, &mut body)?
        {
            let mut rest = body.as_slice();
            while !rest.is_empty() && found.len() < limit {
                let mut peek = rest;
                let (of, offset) = record::skip(&mut peek).ok_or_else(|| self.damaged(at))?;
                if of == scope && offset > after {
                    found.push(record::read(&mut rest).ok_or_else(|| self.damaged(at))?);
                }
                rest = peek;
            }
            at = match self.mark(scope, found.last().map_or(after, |envelope| envelope.offset)) {
                Some(mark) => mark.max(next),
                None => return Ok(found),
            };
        }
        Ok(found)
    }

    /// The envelope at a place that [`Self::append`] or [`Self::open`] named.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn at(&self, place: Place) -> Result<Envelope, StoreError> {
        let mut found = None;
        self.each_at(&[place], |envelope| found = Some(envelope))?;
        found.ok_or_else(|| self.damaged(place))
    }

    /// Shows `visit` the envelopes at such places, which are in order; what stands close together is
    /// read together.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub fn each_at(
        &self,
        places: &[Place],
        mut visit: impl FnMut(Envelope),
    ) -> Result<(), StoreError> {
        let (mut start, mut bytes) = (0, Vec::new());
        let mut rest = places;
        while let Some((place, behind)) = rest.split_first() {
            let at = place.checked_sub(start).and_then(|at| bytes.get(at as usize..));
            if at.and_then(record::whole).is_none() {
                let close = rest.iter().take_while(|next| **next < place + CLOSE).last();
                start = *place;
                self.fill(&mut bytes, start, close.map_or(0, |last| last - start) + USUAL)?;
                if record::whole(&bytes).is_none() {
                    let length = bytes.first_chunk().map_or(0, |size| u32::from_le_bytes(*size));
                    self.fill(&mut bytes, start, u64::from(length) + 4)?;
                }
            }
            let whole = bytes.get((place - start) as usize..).and_then(record::whole);
            let envelope = whole.and_then(|mut whole| record::read(&mut whole));
            visit(envelope.ok_or_else(|| self.damaged(*place))?);
            rest = behind;
        }
        Ok(())
    }

    /// Reads so many bytes at a place, or as many as there are.
    fn fill(&self, bytes: &mut Vec<u8>, place: Place, size: u64) -> Result<(), StoreError> {
        bytes.resize(size.min(self.end().saturating_sub(place)) as usize, 0);
        self.file
            .read_exact_at(bytes, place)
            .map_err(|error| StoreError::file("reading", &self.path, error))
    }

    /// Calls `visit` with every envelope, in the order they came.
    ///
    /// # Errors
    /// Where the file cannot be read or is damaged.
    pub fn scan(&self, mut visit: impl FnMut(Place, Envelope)) -> Result<(), StoreError> {
        let (mut at, end, mut body) = (MAGIC.len() as u64, self.end(), Vec::new());
        while let Some(next) = self.group(at, end, &mut body)? {
            self.each(at, &body, &mut visit)?;
            at = next;
        }
        if at == end { Ok(()) } else { Err(self.damaged(at)) }
    }

    /// Writes down where its envelopes are, where enough is new since the last time; `over` where
    /// nothing more comes.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn cover(&self, over: bool) -> Result<(), StoreError> {
        let (end, covered) = (self.end(), self.covered.load(Ordering::Relaxed));
        if end < covered + COVER && !(over && end > covered) {
            return Ok(());
        }
        // The end was read first: whatever the places say beyond it is read again.
        places::write(&self.beside(), end, &self.places())?;
        self.covered.store(end, Ordering::Relaxed);
        Ok(())
    }

    fn beside(&self) -> PathBuf {
        self.path.with_extension("places")
    }

    /// What it holds of each scope.
    pub fn places(&self) -> BTreeMap<Scope, Places> {
        self.places.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first and last offset that it holds of a scope.
    pub fn range(&self, scope: Scope) -> Option<(Offset, Offset)> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        places.get(&scope).map(|places| (places.first, places.last))
    }

    /// How many bytes are on stable storage.
    pub fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Where to start reading for what follows `after`; `None` where nothing does.
    fn mark(&self, scope: Scope, after: Offset) -> Option<u64> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let places = places.get(&scope).filter(|places| places.last > after)?;
        let next = places.marks.partition_point(|(first, _)| first.0 <= after.0 + 1);
        places.marks.get(next.saturating_sub(1)).map(|(_, at)| *at)
    }

    /// Where the envelopes of a scope behind `after` begin.
    pub fn start(&self, scope: Scope, after: Offset) -> u64 {
        self.mark(scope, after).unwrap_or_else(|| self.end())
    }

    /// The bytes in which the envelopes of a scope behind `after` are, up to and with `until`.
    pub fn span(&self, scope: Scope, after: Offset, until: Offset) -> Range<u64> {
        let start = self.start(scope, after);
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let marks = places.get(&scope).map_or(&[][..], |places| &places.marks);
        let next = marks.partition_point(|(first, _)| *first <= until);
        start..marks.get(next).map_or_else(|| self.end(), |(_, at)| *at)
    }

    /// An offset of a scope before which all its envelopes lie before `end`: not the last such one, but
    /// nearly.
    pub fn before(&self, scope: Scope, end: u64) -> Option<Offset> {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let marks = &places.get(&scope)?.marks;
        let behind = marks.partition_point(|(_, at)| *at <= end);
        marks.get(behind.checked_sub(1)?).map(|(first, _)| *first)
    }

    /// Remembers where a group's scopes are.
    fn note(&self, at: u64, body: &[u8]) {
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        let mut rest = body;
        while let Some((scope, offset)) = record::skip(&mut rest) {
            let places = places.entry(scope).or_default();
            if places.marks.last().is_none_or(|(_, last)| at >= last + STRIDE) {
                places.marks.push((offset, at));
            }
            if places.first == Offset(0) {
                places.first = offset;
            }
            places.last = places.last.max(offset);
        }
    }

    fn each(
        &self,
        start: u64,
        body: &[u8],
        visit: &mut impl FnMut(Place, Envelope),
    ) -> Result<(), StoreError> {
        let mut rest = body;
        while !rest.is_empty() {
            let place = start + HEAD + (body.len() - rest.len()) as u64;
            let envelope = record::read(&mut rest).ok_or_else(|| self.damaged(place))?;
            visit(place, envelope);
        }
        Ok(())
    }

    fn group(&self, at: u64, end: u64, body: &mut Vec<u8>) -> Result<Option<u64>, StoreError> {
        group::read(&self.file, at, end, body)
            .map_err(|error| StoreError::file("reading", &self.path, error))
    }

    /// Cuts off a last group that is not whole. Another whole group behind it would say that bytes
    /// went bad which had been acknowledged: then nothing is cut.
    fn drop_torn(&self, length: u64) -> Result<(), StoreError> {
        let end = self.end();
        if end == length {
            return Ok(());
        }
        let failed = |error| StoreError::file("repairing", &self.path, error);
        if group::next(&self.file, end + 1, length).map_err(failed)?.is_some() {
            return Err(self.damaged(end));
        }
        tracing::warn!(path = %self.path.display(), bytes = length - end, "a group that was never acknowledged is cut off");
        self.file.set_len(end).map_err(failed)?;
        self.disk.sync(&self.path, &self.file).map_err(failed)
    }

    fn check_magic(&self) -> Result<(), StoreError> {
        let mut magic = [0; MAGIC.len()];
        let failed = |error| StoreError::file("reading", &self.path, error);
        self.file.read_exact_at(&mut magic, 0).map_err(failed)?;
        match group::version(magic) {
            Some(found) if found > group::VERSION => Err(StoreError::Newer {
                path: self.path.clone(),
                found: i64::from(found),
                known: usize::from(group::VERSION),
            }),
            Some(_) => Ok(()),
            None => Err(StoreError::corrupt(
                "log",
                format_args!("{} is no journal", self.path.display()),
            )),
        }
    }

    fn damaged(&self, at: u64) -> StoreError {
        let path = self.path.display();
        StoreError::corrupt(
            "log",
            format_args!("{path} is damaged at byte {at}; `rapport log verify` says how much"),
        )
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}
