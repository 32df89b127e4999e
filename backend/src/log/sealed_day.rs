//! A day that left the journal: a Parquet file for each workspace's environment, and indexes beside.

use super::block::{Block, InBlock};
use super::day::{DayNumber, SOME, index_key, message_entry};
use super::disk::files;
use super::index::{Entry, Index, entry};
use super::run::Run;
use super::shelf::{Shelf, Volume};
use super::{Consent, Disk, Draft, Envelope, Offset, Open, Sealed, Stretch, Visit, Word};
use crate::error::StoreError;
use crate::identity::{Environment, Scope, SubjectId};
use rapport_archive::{ArchiveError, Row, Slab};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// A sealed day, in the directory of its name.
pub struct SealedDay {
    pub number: DayNumber,
    directory: PathBuf,
    volumes: RwLock<BTreeMap<Scope, Arc<Volume>>>,
    messages: Index,
    rows: Run,
    shelf: Arc<Shelf>,
}

impl SealedDay {
    /// Opens the day in `directory`. A file of it that is damaged is left out, and said.
    ///
    /// # Errors
    /// Where the directory cannot be read, or an index cannot be written again.
    pub fn open(
        directory: PathBuf,
        number: DayNumber,
        shelf: Arc<Shelf>,
        remembers: bool,
    ) -> Result<Self, StoreError> {
        let volumes = volumes(&directory)?;
        for volume in volumes.values() {
            told(volume, volume.open())?;
        }
        let messages = Index::open(&directory, "messages")?;
        if remembers && messages.upto() == 0 {
            remember(&volumes, &messages)?;
        }
        let path = rows_of(&directory);
        let rows = match Run::open(&path) {
            Ok(Some(run)) if run.upto == WHOLE => run,
            Err(StoreError::File { source, .. })
                if source.kind() != std::io::ErrorKind::NotFound =>
            {
                return Err(StoreError::file("reading", path, source));
            }
            _ => index_rows(&path, &volumes)?,
        };
        let rows = rows.rested();
        Ok(Self { number, directory, volumes: RwLock::new(volumes), messages, rows, shelf })
    }

    /// The directory's files.
    pub fn volumes(&self) -> BTreeMap<Scope, Arc<Volume>> {
        self.volumes.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn volume(&self, scope: Scope) -> Option<Arc<Volume>> {
        self.volumes.read().unwrap_or_else(PoisonError::into_inner).get(&scope).cloned()
    }

    /// The first and last offset that it holds of a scope.
    pub fn range(&self, scope: Scope) -> Option<(Offset, Offset)> {
        self.volume(scope).map(|volume| (volume.first, volume.last))
    }

    /// Whether a message with this entry arrived on the day.
    pub fn holds(&self, message: &Entry) -> Result<bool, StoreError> {
        self.messages.contains(message)
    }

    /// Up to `limit` envelopes of a scope behind `after`.
    pub fn read(
        &self,
        scope: Scope,
        after: Offset,
        limit: usize,
    ) -> Result<Vec<Envelope>, StoreError> {
        let Some(volume) = self.volume(scope) else { return Ok(Vec::new()) };
        read_some(&self.shelf, scope, &volume, after, limit)
    }

    /// Shows `visit` the envelopes of a stretch, some subjects at a time.
    pub fn by_subject(&self, stretch: Stretch, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        let Stretch { scope, after, until } = stretch;
        let Some(volume) = self.volume(scope) else { return Ok(()) };
        let Some(archive) = told(&volume, self.shelf.archive(&volume))? else { return Ok(()) };
        let (mut chunk, mut last) = (Vec::new(), None);
        for number in 0..archive.slabs() {
            let Some(slab) = told(&volume, archive.slab(number))? else { continue };
            let mut blocks = Blocks::default();
            for at in 0..slab.rows() {
                let subject = slab.subject(at);
                let offset = Offset(slab.offset(at));
                if subject.is_none() || offset <= after || offset > until {
                    continue;
                }
                if chunk.len() >= SOME && subject != last {
                    visit(std::mem::take(&mut chunk))?;
                }
                last = subject;
                chunk.push(blocks.envelope(scope, &slab, at));
            }
        }
        if chunk.is_empty() { Ok(()) } else { visit(chunk) }
    }

    /// Adds a subject's envelopes up to and with `until` to `found`.
    pub fn subject(
        &self,
        scope: Scope,
        subject: SubjectId,
        until: Offset,
        found: &mut Vec<Envelope>,
    ) -> Result<(), StoreError> {
        let Some(volume) = self.volume(scope) else { return Ok(()) };
        let mut blocks = Blocks::default();
        self.each(&volume, scope, subject, |slab, at| {
            if Offset(slab.offset(at)) <= until {
                found.push(blocks.envelope(scope, slab, at));
            }
            true
        })
    }

    /// Whether it holds an envelope of a subject before `offset`.
    pub fn knows(
        &self,
        scope: Scope,
        subject: SubjectId,
        offset: Offset,
    ) -> Result<bool, StoreError> {
        let Some(volume) = self.volume(scope) else { return Ok(false) };
        let mut known = false;
        self.each(&volume, scope, subject, |slab, at| {
            known |= Offset(slab.offset(at)) < offset;
            !known
        })?;
        Ok(known)
    }

    /// Shows `visit` each row of a subject, while it answers yes.
    fn each(
        &self,
        volume: &Volume,
        scope: Scope,
        subject: SubjectId,
        mut visit: impl FnMut(&Slab, usize) -> bool,
    ) -> Result<(), StoreError> {
        for first in self.rows.find(&entry(index_key(scope, subject), 0))?.iter().map(rest) {
            let mut row = first;
            // Another subject's rows may be found by the same key.
            while let Some((slab, at)) = slab_at(&self.shelf, volume, row)?
                && slab.subject(at) == Some(subject.0)
            {
                if !visit(&slab, at) {
                    return Ok(());
                }
                row += 1;
            }
        }
        Ok(())
    }

    /// Puts a scope's file aside, for good; until it is discarded it says whom it was about.
    pub fn forget(&self, scope: Scope, disk: &dyn Disk) -> Result<(), StoreError> {
        let Some(volume) = self.volume(scope) else { return Ok(()) };
        let aside = volume.path.with_added_extension(FORGOTTEN);
        disk.rename(&volume.path, &aside)
            .and_then(|()| disk.sync_directory(&self.directory))
            .map_err(|error| StoreError::file("renaming", &volume.path, error))?;
        self.volumes.write().unwrap_or_else(PoisonError::into_inner).remove(&scope);
        Ok(())
    }

    /// The scope's files that were put aside.
    pub fn aside(&self, scope: Scope) -> Result<Vec<Arc<Volume>>, StoreError> {
        let mut found = Vec::new();
        for (path, name) in files(&self.directory)? {
            let name = name.strip_suffix(FORGOTTEN).and_then(|name| name.strip_suffix('.'));
            if let Some((of, first, last)) = name.and_then(named)
                && of == scope
            {
                found.push(Volume::new(path, first, last));
            }
        }
        Ok(found)
    }

    /// Adds the subjects of a volume to `subjects`.
    pub fn subjects(volume: &Volume, subjects: &mut BTreeSet<SubjectId>) -> Result<(), StoreError> {
        names(volume, |_, subject, _| subjects.extend(subject.map(SubjectId))).map(drop)
    }

    /// Shows `visit` what the subjects of a volume said of being profiled.
    pub fn words(volume: &Volume, mut visit: impl FnMut(Word)) -> Result<(), StoreError> {
        let Some(archive) = told(volume, volume.open())? else { return Ok(()) };
        for number in 0..archive.slabs() {
            let Some(slab) = told(volume, archive.slab(number))? else { continue };
            for row in (0..slab.rows()).map(|at| slab.row(at)) {
                let consent = Consent::from_bits(row.consent);
                if let Some(subject) = row.subject
                    && consent.said
                {
                    visit(Word {
                        subject: SubjectId(subject),
                        event_time: row.event_time,
                        offset: Offset(row.offset),
                        granted: consent.profiling,
                    });
                }
            }
        }
        Ok(())
    }

    /// Deletes the directory, where nothing is in it that anybody needs; answers whether it did.
    pub fn vanish(&self, disk: &dyn Disk) -> Result<bool, StoreError> {
        if !self.volumes().is_empty() {
            return Ok(false);
        }
        let files = files(&self.directory)?;
        if !files.iter().all(|(_, name)| name == ROWS) {
            return Ok(false);
        }
        let failed = |error| StoreError::file("deleting", &self.directory, error);
        files.iter().try_for_each(|(path, _)| disk.remove(path)).map_err(failed)?;
        std::fs::remove_dir(&self.directory).map_err(failed)?;
        Ok(true)
    }

    /// Forgets which messages arrived: nobody sends them again so late.
    pub fn forget_messages(&self) -> Result<(), StoreError> {
        self.messages.clear()
    }

    /// Keeps the index of messages out of memory.
    pub fn tidy(&self) -> Result<(), StoreError> {
        self.messages.tidy(true)
    }
}

/// So many envelopes are read at once where all are.
const AT_ONCE: usize = 16_384;

/// Up to `limit` envelopes of a volume behind `after`; those that cannot be read any more are left out.
fn read_some(
    shelf: &Shelf,
    scope: Scope,
    volume: &Volume,
    after: Offset,
    limit: usize,
) -> Result<Vec<Envelope>, StoreError> {
    let mut found = Vec::new();
    let mut from = volume.first.max(Offset(after.0 + 1));
    while found.len() < limit && from <= volume.last {
        let to = Offset(from.0 + (limit - found.len()) as i64 - 1);
        let Some(mut rows) = told(volume, shelf.rows(volume, from, to))? else { return Ok(found) };
        from = Offset(rows.last().map_or(to.0, |(_, offset)| *offset) + 1);
        rows.sort_unstable();
        let start = found.len();
        let mut blocks = Blocks::default();
        for (row, _) in rows {
            if let Some((slab, at)) = slab_at(shelf, volume, u64::from(row))? {
                found.push(blocks.envelope(scope, &slab, at));
            }
        }
        if let Some(new) = found.get_mut(start..) {
            new.sort_unstable_by_key(|envelope| envelope.offset);
        }
    }
    Ok(found)
}

/// The slab that a row is in, and its place there; nothing where that cannot be read any more.
fn slab_at(
    shelf: &Shelf,
    volume: &Volume,
    row: u64,
) -> Result<Option<(Arc<Slab>, usize)>, StoreError> {
    let Some(archive) = told(volume, shelf.archive(volume))? else { return Ok(None) };
    if row >= archive.rows() {
        return Ok(None);
    }
    let slab = told(volume, shelf.slab(volume, archive.slab_of(row)))?;
    Ok(slab.map(|slab| {
        let at = (row - slab.first()) as usize;
        (slab, at)
    }))
}

/// Shows `visit` every envelope of a volume that can be read, by offset.
pub fn read_volume(
    shelf: &Shelf,
    scope: Scope,
    volume: &Volume,
    mut visit: impl FnMut(Envelope) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut after = Offset(volume.first.0 - 1);
    loop {
        let read = read_some(shelf, scope, volume, after, AT_ONCE)?;
        let Some(last) = read.last() else { return Ok(()) };
        after = last.offset;
        read.into_iter().try_for_each(&mut visit)?;
    }
}

/// The envelopes of a read share their blocks.
#[derive(Default)]
struct Blocks(HashMap<u64, Arc<Block>>);

impl Blocks {
    fn envelope(&mut self, scope: Scope, slab: &Slab, at: usize) -> Envelope {
        let row = slab.row(at);
        let block = row.subject.and_then(|subject| {
            let (first, index, bytes) = slab.block(at)?;
            let block = self.0.entry(slab.first() + first as u64).or_insert_with(|| {
                Block::new(scope, SubjectId(subject), Offset(slab.offset(first)), bytes.to_vec())
            });
            Some(InBlock::new(block.clone(), index))
        });
        envelope(scope, row, block)
    }
}

/// The envelope that a row is.
fn envelope(scope: Scope, row: Row, block: Option<InBlock>) -> Envelope {
    let sealed = match (row.subject, row.alone, block) {
        (None, ..) => Sealed::Gone,
        (_, Some(alone), _) => Sealed::Alone(alone),
        (_, None, Some(place)) => Sealed::Block(place),
        (_, None, None) => Sealed::default(),
    };
    let draft = Draft {
        scope,
        message_id: row.message_id.unwrap_or_default(),
        subject: SubjectId(row.subject.unwrap_or_default()),
        event_time: row.event_time,
        sent_at: row.sent_at,
        received_at: row.received_at,
        consent: Consent::from_bits(row.consent),
        schema_version: row.schema_version,
        open: Open {
            kind: row.kind,
            name: row.name,
            path: row.path,
            referrer_host: row.referrer_host,
            source: row.source,
            medium: row.medium,
            campaign: row.campaign,
            client_time: row.client_time,
        },
        sealed,
    };
    Envelope { offset: Offset(row.offset), draft }
}

/// What was read, or nothing where the volume is damaged: then that is said, and the rest goes on.
fn told<T>(volume: &Volume, read: Result<T, ArchiveError>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(ArchiveError::Damaged(why)) => {
            volume.tell(&why);
            Ok(None)
        }
        Err(ArchiveError::File(error)) => Err(StoreError::file("reading", &volume.path, error)),
    }
}

const EXTENSION: &str = ".parquet";
const FORGOTTEN: &str = "forgotten";
const ROWS: &str = "rows.index";

/// The name of a scope's file: it says the offsets too, so that they are known whatever becomes of
/// the bytes.
pub fn volume_name(scope: Scope, first: Offset, last: Offset) -> String {
    let Scope { workspace, environment } = scope;
    format!("{workspace}.{}.{}-{}{EXTENSION}", environment.word(), first.0, last.0)
}

/// Reads [`volume_name`].
fn named(name: &str) -> Option<(Scope, Offset, Offset)> {
    let mut parts = name.strip_suffix(EXTENSION)?.split('.');
    let workspace = parts.next()?.parse().ok()?;
    let word = parts.next()?;
    let environment =
        [Environment::Live, Environment::Test].into_iter().find(|known| known.word() == word)?;
    let (first, last) = parts.next()?.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    let ours = parts.next().is_none() && 0 < first && first <= last;
    ours.then_some((Scope { workspace, environment }, Offset(first), Offset(last)))
}

/// The files of a directory.
pub fn volumes(directory: &Path) -> Result<BTreeMap<Scope, Arc<Volume>>, StoreError> {
    let mut volumes = BTreeMap::new();
    for (path, name) in files(directory)? {
        if let Some((scope, first, last)) = named(&name) {
            volumes.insert(scope, Volume::new(path, first, last));
        } else if name.ends_with(EXTENSION) {
            let path = path.display();
            tracing::error!(%path, "this file is no sealed day of Rapport; it is left alone");
        }
    }
    Ok(volumes)
}

/// Where the first row of each subject is.
pub fn rows_of(directory: &Path) -> PathBuf {
    directory.join(ROWS)
}

fn rest(found: &Entry) -> u64 {
    found.last_chunk::<8>().map_or(0, |rest| u64::from_be_bytes(*rest))
}

/// What an index of rows says of itself where no volume was missing.
pub const WHOLE: u64 = 1;

/// Makes the index of rows from the volumes.
pub fn index_rows(path: &Path, volumes: &BTreeMap<Scope, Arc<Volume>>) -> Result<Run, StoreError> {
    let (mut entries, mut whole) = (Vec::new(), true);
    for (scope, volume) in volumes {
        let mut last = None;
        whole &= names(volume, |row, subject, _| {
            if subject != last {
                let key = subject.map(|subject| index_key(*scope, SubjectId(subject)));
                entries.extend(key.map(|key| entry(key, row)));
            }
            last = subject;
        })?;
    }
    entries.sort_unstable();
    let upto = if whole { WHOLE } else { 0 };
    Run::write(path, 0, upto, entries.len(), entries.into_iter().map(Ok))
}

/// Makes the index of messages from the volumes.
fn remember(volumes: &BTreeMap<Scope, Arc<Volume>>, messages: &Index) -> Result<(), StoreError> {
    for (scope, volume) in volumes {
        let mut ids = Vec::new();
        names(volume, |_, _, id| ids.extend(id.map(|id| message_entry(*scope, &id))))?;
        messages.add(ids, 1);
    }
    messages.tidy(true)?;
    messages.shorten()
}

fn names(
    volume: &Volume,
    visit: impl FnMut(u64, Option<[u8; 16]>, Option<String>),
) -> Result<bool, StoreError> {
    told(volume, volume.open().and_then(|archive| archive.names(visit))).map(|read| read.is_some())
}
