//! Sealing a day that is over: its envelopes leave the journal, sorted by subject, for one Parquet
//! file a workspace and environment. The journal goes only when the files are whole and on stable
//! storage, names and all; until then it alone counts, and a stop in between starts anew.

use super::block::{self, FULL, block_bound};
use super::day::{Day, index_key, journal_of, place_in};
use super::disk::{Disk, files};
use super::index::{Entry, Sorted, entry};
use super::journal::Place;
use super::run::Run;
use super::sealed_day::{WHOLE, rows_of, volume_name};
use super::{Draft, Envelope, Offset, Sealed, open_plain};
use crate::error::StoreError;
use crate::identity::{Scope, SubjectId};
use crate::keys::{KeyStore, SubjectKey};
use crate::seal::SecretKey;
use rapport_archive::{ArchiveError, ArchiveWriter, Packer, Row};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A day on its way out of the journal.
pub struct Sealing {
    day: Arc<Day>,
    disk: Arc<dyn Disk>,
    places: Peekable<Sorted>,
    packer: Packer,
    open: BTreeMap<Scope, Volume>,
    done: Vec<(PathBuf, PathBuf)>,
    /// Where the first row of each subject is.
    rows: Vec<Entry>,
}

/// A file that is being written.
struct Volume {
    writer: ArchiveWriter<DiskFile>,
    unfinished: PathBuf,
    first: Offset,
    last: Offset,
}

/// An envelope that is found by a key: in this order it goes into the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    scope: Scope,
    subject: SubjectId,
    event_time: i64,
    offset: Offset,
    place: Place,
}

const UNFINISHED: &str = "unfinished";

impl Sealing {
    /// Begins with a day that is over and tidy.
    pub fn begin(day: Arc<Day>, disk: Arc<dyn Disk>) -> Result<Self, StoreError> {
        clear(day.directory(), &*disk)?;
        let places = day.sorted()?.peekable();
        let packer = Packer::new().map_err(|error| failed(day.directory(), error))?;
        let (open, done, rows) = Default::default();
        Ok(Self { day, disk, places, packer, open, done, rows })
    }

    /// The day.
    pub const fn day(&self) -> &Arc<Day> {
        &self.day
    }

    /// Goes on for about so long; `true` when the day is sealed and its journal gone.
    pub fn step(&mut self, keys: &dyn KeyStore, time: Duration) -> Result<bool, StoreError> {
        let start = Instant::now();
        while let Some(first) = self.places.next() {
            let first = first?;
            let key = *key_of(&first);
            self.finish_but(key.first_chunk::<2>())?;
            let mut found = vec![self.find(&first)?];
            while let Some(next) =
                self.places.next_if(|next| next.as_ref().is_ok_and(|next| *key_of(next) == key))
            {
                found.push(self.find(&next?)?);
            }
            found.sort_unstable();
            for of_one in found.chunk_by(|a, b| (a.scope, a.subject) == (b.scope, b.subject)) {
                self.subject(keys, of_one)?;
            }
            if start.elapsed() >= time {
                return Ok(false);
            }
        }
        self.finish_but(None)?;
        self.commit()?;
        Ok(true)
    }

    fn find(&self, entry: &Entry) -> Result<Found, StoreError> {
        let place = place_in(entry);
        let Envelope { offset, draft } = self.day.journal.at(place)?;
        let Draft { scope, subject, event_time, .. } = draft;
        Ok(Found { scope, subject, event_time, offset, place })
    }

    /// Writes the envelopes of a subject, which come in order.
    fn subject(&mut self, keys: &dyn KeyStore, found: &[Found]) -> Result<(), StoreError> {
        let Some(Found { scope, subject, .. }) = found.first().copied() else { return Ok(()) };
        let key = keys.subject_key(scope, subject)?;
        if key != Some(SubjectKey::Shredded) {
            let row = self.volume(scope)?.writer.rows();
            self.rows.push(entry(index_key(scope, subject), row));
        }
        let mut rest = found;
        while !rest.is_empty() {
            let room = self.volume(scope)?.writer.room();
            let (rows, texts) = self.rows(key.as_ref(), rest, room)?;
            rest = rest.get(rows.len()..).unwrap_or_default();
            self.write(scope, subject, key.as_ref(), rows, &texts)?;
        }
        Ok(())
    }

    /// As many rows as one block takes, and its texts.
    fn rows(
        &self,
        key: Option<&SubjectKey>,
        found: &[Found],
        room: usize,
    ) -> Result<(Vec<Row>, Vec<u8>), StoreError> {
        let opener = match key {
            Some(SubjectKey::Kept(key)) => Some(key.opener()),
            _ => None,
        };
        let (mut rows, mut texts) = (Vec::new(), Vec::new());
        for found in found.iter().take(room) {
            let envelope = self.day.journal.at(found.place)?;
            let draft = &envelope.draft;
            let text = opener.as_ref().and_then(|opener| open_plain(opener, draft).ok());
            let in_block = text.map(|text| block::add(&text, draft, &mut texts)).is_some();
            rows.push(row(envelope, in_block, key == Some(&SubjectKey::Shredded)));
            if texts.len() >= FULL {
                break;
            }
        }
        Ok((rows, texts))
    }

    fn write(
        &mut self,
        scope: Scope,
        subject: SubjectId,
        key: Option<&SubjectKey>,
        mut rows: Vec<Row>,
        texts: &[u8],
    ) -> Result<(), StoreError> {
        let packed =
            self.packer.pack(texts).map_err(|error| failed(self.day.directory(), error))?;
        if let (Some(SubjectKey::Kept(key)), false) = (key, texts.is_empty()) {
            let first = rows.iter_mut().find(|row| row.alone.is_none());
            if let Some(first) = first {
                let bound = block_bound(scope, subject, Offset(first.offset));
                first.block = Some(SecretKey::seal(key, &bound, &packed)?);
            }
        }
        let volume = self.volume(scope)?;
        for row in rows {
            volume.last = volume.last.max(Offset(row.offset));
            volume.first = volume.first.min(Offset(row.offset));
            volume.writer.push(row).map_err(|error| failed(&volume.unfinished, error))?;
        }
        Ok(())
    }

    fn volume(&mut self, scope: Scope) -> Result<&mut Volume, StoreError> {
        match self.open.entry(scope) {
            std::collections::btree_map::Entry::Occupied(open) => Ok(open.into_mut()),
            std::collections::btree_map::Entry::Vacant(place) => {
                let name = format!("{}.{}", scope.workspace, scope.environment.word());
                let unfinished = self.day.directory().join(name).with_added_extension(UNFINISHED);
                let file = DiskFile::create(self.disk.clone(), &unfinished)
                    .map_err(|error| StoreError::file("creating", &unfinished, error))?;
                let said = [
                    ("rapport.day", self.day.number.to_string()),
                    ("rapport.workspace", scope.workspace.to_string()),
                    ("rapport.environment", scope.environment.word().to_owned()),
                ];
                let writer =
                    ArchiveWriter::new(file, &said).map_err(|error| failed(&unfinished, error))?;
                let (first, last) = (Offset(i64::MAX), Offset(0));
                Ok(place.insert(Volume { writer, unfinished, first, last }))
            }
        }
    }

    /// Finishes the files of all scopes whose index keys do not begin so.
    fn finish_but(&mut self, tag: Option<&[u8; 2]>) -> Result<(), StoreError> {
        let of_tag = |scope: &Scope| {
            index_key(*scope, SubjectId([0; 16])).first_chunk::<2>().copied() == tag.copied()
        };
        for (scope, volume) in self.open.extract_if(.., |scope, _| !of_tag(scope)) {
            let Volume { writer, unfinished, first, last } = volume;
            let file = writer.finish().map_err(|error| failed(&unfinished, error))?;
            file.sync().map_err(|error| StoreError::file("syncing", &unfinished, error))?;
            let name = self.day.directory().join(volume_name(scope, first, last));
            self.done.push((unfinished, name));
        }
        Ok(())
    }

    /// Gives the files their names, and then lets the journal go.
    fn commit(&mut self) -> Result<(), StoreError> {
        let directory = self.day.directory();
        for (unfinished, name) in &self.done {
            self.disk
                .rename(unfinished, name)
                .map_err(|error| StoreError::file("renaming", unfinished, error))?;
        }
        // In the order of their keys, but for scopes that share a tag.
        self.rows.sort_unstable();
        let rows = std::mem::take(&mut self.rows);
        Run::write(&rows_of(directory), 0, WHOLE, rows.len(), rows.into_iter().map(Ok))?;
        self.day.shorten_messages()?;
        let synced = |error| StoreError::file("syncing", directory, error);
        self.disk.sync_directory(directory).map_err(synced)?;
        let journal = journal_of(directory);
        self.disk
            .remove(&journal)
            .map_err(|error| StoreError::file("deleting", &journal, error))?;
        self.disk.sync_directory(directory).map_err(synced)?;
        sweep(directory)
    }
}

/// The row of an envelope.
fn row(envelope: Envelope, in_block: bool, erased: bool) -> Row {
    let Envelope { offset, draft } = envelope;
    let open = draft.open;
    let alone = match draft.sealed {
        Sealed::Alone(sealed) if !in_block && !erased => Some(sealed),
        _ => None,
    };
    Row {
        offset: offset.0,
        subject: (!erased).then_some(draft.subject.0),
        message_id: (!erased).then_some(draft.message_id),
        event_time: draft.event_time,
        sent_at: draft.sent_at,
        received_at: draft.received_at,
        consent: draft.consent.bits(),
        schema_version: draft.schema_version,
        kind: open.kind,
        name: open.name,
        path: open.path,
        referrer_host: open.referrer_host,
        source: open.source,
        medium: open.medium,
        campaign: open.campaign,
        client_time: open.client_time,
        block: None,
        alone,
    }
}

/// Deletes what a sealing left behind that did not get to its end: the journal still has it all.
pub fn clear(directory: &Path, disk: &dyn Disk) -> Result<(), StoreError> {
    delete(directory, disk, |name| name.ends_with(UNFINISHED) || name.ends_with(".parquet"))
}

/// Deletes what stood beside a journal that is gone.
pub fn sweep(directory: &Path) -> Result<(), StoreError> {
    let beside = |name: &str| {
        name.ends_with(UNFINISHED)
            || name.ends_with(".places")
            || name.ends_with(".index")
                && !name.starts_with("messages")
                && !name.starts_with("rows")
    };
    delete(directory, &super::MachineDisk, beside)
}

fn delete(
    directory: &Path,
    disk: &dyn Disk,
    gone: impl Fn(&str) -> bool,
) -> Result<(), StoreError> {
    for (path, name) in files(directory)? {
        if gone(&name) {
            disk.remove(&path).map_err(|error| StoreError::file("deleting", &path, error))?;
        }
    }
    Ok(())
}

fn failed(path: &Path, error: ArchiveError) -> StoreError {
    match error {
        ArchiveError::File(error) => StoreError::file("writing", path, error),
        damaged => StoreError::corrupt("day", format_args!("{}: {damaged}", path.display())),
    }
}

/// The first half of an entry.
fn key_of(entry: &Entry) -> &[u8; 8] {
    entry.first_chunk::<8>().unwrap_or(&[0; 8])
}

/// A file that is written from its beginning to its end through the port.
struct DiskFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: File,
    at: u64,
}

impl DiskFile {
    fn create(disk: Arc<dyn Disk>, path: &Path) -> io::Result<Self> {
        let file = disk.create(path)?;
        Ok(Self { disk, path: path.to_owned(), file, at: 0 })
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.sync(&self.path, &self.file)
    }
}

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.write(&self.path, &self.file, bytes, self.at)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
