//! An index beside a day's journal: a sorted set of 16-byte entries that are found by their first
//! eight bytes. New entries wait in memory; what is older lies in sorted files, each with a Bloom
//! filter, so that a miss costs no disk. All of it can be made again from the journal.

use super::disk::files;
use super::run::{self, Run, START};
use crate::error::StoreError;
use crate::sqlite::lock;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// Eight bytes to find it by, eight more.
pub type Entry = [u8; 16];

/// Entries, one after the other.
pub type Sorted = Box<dyn Iterator<Item = Result<Entry, StoreError>> + Send>;

/// A set of entries, for one writer and many readers.
pub struct Index {
    directory: PathBuf,
    name: &'static str,
    fresh: RwLock<Fresh>,
    runs: RwLock<Vec<Arc<Run>>>,
    /// Held by who writes files, so that two never write the same.
    filing: Mutex<()>,
}

#[derive(Default)]
struct Fresh {
    entries: BTreeSet<Entry>,
    /// On their way into a file.
    filing: Option<Arc<BTreeSet<Entry>>>,
    /// The journal's end when the last entry came.
    upto: u64,
}

/// So many entries in memory go into a file.
const FILE_AT: usize = 64 * 1024;
/// So many files of about one size become one.
const MERGE_AT: usize = 6;

impl Index {
    /// Opens the index called `name` in a day's directory.
    ///
    /// # Errors
    /// Where the directory cannot be read. A file that is damaged is dropped, and with it all that are newer.
    pub fn open(directory: &Path, name: &'static str) -> Result<Self, StoreError> {
        let mut runs = Vec::new();
        for (path, file) in files(directory)? {
            let of_us = file.starts_with(name) && file.ends_with(".index");
            if of_us && let Some(run) = Run::open(&path)? {
                runs.push(Arc::new(run));
            }
        }
        runs.sort_by_key(|run| (run.from, run.upto));
        // A hole in what they cover can only come from a file that was lost.
        let mut upto = 0;
        runs.retain(|run| {
            let joins = run.from <= upto;
            upto = if joins { upto.max(run.upto) } else { upto };
            joins
        });
        Ok(Self {
            directory: directory.to_owned(),
            name,
            fresh: RwLock::new(Fresh { upto, ..Fresh::default() }),
            runs: RwLock::new(runs),
            filing: Mutex::default(),
        })
    }

    /// Up to where the journal's envelopes are in files or in memory.
    pub fn upto(&self) -> u64 {
        self.fresh.read().unwrap_or_else(PoisonError::into_inner).upto
    }

    /// Adds entries; with them the journal is covered up to `upto`.
    pub fn add(&self, entries: impl IntoIterator<Item = Entry>, upto: u64) {
        let mut fresh = self.fresh.write().unwrap_or_else(PoisonError::into_inner);
        fresh.entries.extend(entries);
        fresh.upto = upto;
    }

    /// Whether it holds an entry.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn contains(&self, entry: &Entry) -> Result<bool, StoreError> {
        {
            let fresh = self.fresh.read().unwrap_or_else(PoisonError::into_inner);
            let filing = fresh.filing.as_ref().is_some_and(|filing| filing.contains(entry));
            if filing || fresh.entries.contains(entry) {
                return Ok(true);
            }
        }
        let runs = self.runs.read().unwrap_or_else(PoisonError::into_inner);
        for run in runs.iter().filter(|run| run.may_hold(entry)) {
            if run.holds(entry)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The last eight bytes of every entry that begins as `prefix`, in order.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn find(&self, prefix: [u8; 8]) -> Result<Vec<u64>, StoreError> {
        let (from, to) = (entry(prefix, 0), entry(prefix, u64::MAX));
        let mut found = Vec::new();
        let rest = |entry: &Entry| {
            let (_, rest) = entry.split_last_chunk::<8>()?;
            Some(u64::from_be_bytes(*rest))
        };
        {
            let fresh = self.fresh.read().unwrap_or_else(PoisonError::into_inner);
            let filing = fresh.filing.iter().flat_map(|filing| filing.range(from..=to));
            found.extend(filing.chain(fresh.entries.range(from..=to)).filter_map(rest));
        }
        let runs = self.runs.read().unwrap_or_else(PoisonError::into_inner).clone();
        for run in runs.iter().filter(|run| run.may_hold(&from)) {
            found.extend(run.find(&from)?.iter().filter_map(rest));
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// Moves entries from memory to files, and makes few files of many. `all` leaves none in memory
    /// and one file: for a day that is over.
    ///
    /// # Errors
    /// Where a file cannot be written; what was in memory stays there.
    pub fn tidy(&self, all: bool) -> Result<(), StoreError> {
        let _filing = lock(&self.filing);
        let (entries, upto) = {
            let mut fresh = self.fresh.write().unwrap_or_else(PoisonError::into_inner);
            if fresh.entries.len() < FILE_AT && (!all || fresh.entries.is_empty()) {
                drop(fresh);
                return self.merge(all);
            }
            let entries = Arc::new(std::mem::take(&mut fresh.entries));
            fresh.filing = Some(entries.clone());
            (entries, fresh.upto)
        };
        let from = self.filed();
        let path = self.directory.join(format!("{}-{from:016x}-{upto:016x}.index", self.name));
        let written = Run::write(&path, from, upto, entries.len(), entries.iter().copied().map(Ok));
        let mut fresh = self.fresh.write().unwrap_or_else(PoisonError::into_inner);
        fresh.filing = None;
        match written {
            Ok(run) => {
                self.runs.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(run));
            }
            Err(error) => {
                fresh.entries.extend(entries.iter());
                return Err(error);
            }
        }
        drop(fresh);
        self.merge(all)
    }

    /// Keeps only the first half of each entry, in one file: enough to tell that it is there.
    /// For a day that is over and tidy.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn shorten(&self) -> Result<(), StoreError> {
        let _filing = lock(&self.filing);
        let runs = self.runs.read().unwrap_or_else(PoisonError::into_inner).clone();
        let [run] = runs.as_slice() else { return Ok(()) };
        if run.is_short() {
            return Ok(());
        }
        let span = (run.from, run.upto);
        let short = Run::write_short(run.path(), span, run.len() as usize, run.entries(START)?)?;
        *self.runs.write().unwrap_or_else(PoisonError::into_inner) = vec![Arc::new(short)];
        Ok(())
    }

    /// Every entry, in order, from the first that begins so on, of the bytes of the journal from
    /// `span.start` to `span.end` and maybe of some more.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn sorted(&self, from: [u8; 8], span: &Range<u64>) -> Result<Sorted, StoreError> {
        let (runs, fresh) = {
            let fresh = self.fresh.read().unwrap_or_else(PoisonError::into_inner);
            let own = fresh.entries.range(entry(from, 0)..);
            let filing = fresh.filing.iter().flat_map(|filing| filing.range(entry(from, 0)..));
            let both = [own.copied().collect::<Vec<_>>(), filing.copied().collect()];
            // What has left memory is in a file by then.
            (self.runs.read().unwrap_or_else(PoisonError::into_inner).clone(), both)
        };
        let fresh = fresh.into_iter().map(|entries| Ok(Box::new(entries.into_iter().map(Ok)) as _));
        let runs = runs.iter().filter(|run| run.from < span.end && span.start < run.upto);
        let sources = fresh.chain(runs.map(|run| run.entries(from)));
        Ok(run::merged(sources.collect::<Result<_, _>>()?))
    }

    /// Deletes every file and forgets what it holds.
    ///
    /// # Errors
    /// Where a file cannot be deleted.
    pub fn clear(&self) -> Result<(), StoreError> {
        let _filing = lock(&self.filing);
        *self.fresh.write().unwrap_or_else(PoisonError::into_inner) = Fresh::default();
        let runs = std::mem::take(&mut *self.runs.write().unwrap_or_else(PoisonError::into_inner));
        runs.iter().try_for_each(|run| run.delete())
    }

    /// Up to where the journal's envelopes are in files.
    fn filed(&self) -> u64 {
        let runs = self.runs.read().unwrap_or_else(PoisonError::into_inner);
        runs.iter().map(|run| run.upto).max().unwrap_or_default()
    }

    fn merge(&self, all: bool) -> Result<(), StoreError> {
        let runs = self.runs.read().unwrap_or_else(PoisonError::into_inner).clone();
        let size = |run: &Run| (run.len() / FILE_AT as u64 + 1).ilog2() / 3;
        let merged: Vec<_> = match runs.last() {
            // Files are in the order of time, and so are sizes: the last ones are the small ones.
            Some(last) if !all => {
                let small = runs.iter().rev().take_while(|run| size(run) <= size(last));
                let mut small: Vec<_> = small.cloned().collect();
                small.reverse();
                if small.len() < MERGE_AT { Vec::new() } else { small }
            }
            _ if runs.len() > 1 => runs,
            _ => Vec::new(),
        };
        let (Some(first), Some(last)) = (merged.first(), merged.last()) else { return Ok(()) };
        let (from, upto) = (first.from, last.upto);
        let path = self.directory.join(format!("{}-{from:016x}-{upto:016x}.index", self.name));
        let count = merged.iter().map(|run| run.len() as usize).sum();
        let sources = merged.iter().map(|run| run.entries(START)).collect::<Result<_, _>>()?;
        let whole = Run::write(&path, from, upto, count, run::merged(sources))?;
        {
            let mut runs = self.runs.write().unwrap_or_else(PoisonError::into_inner);
            runs.retain(|run| !merged.iter().any(|gone| Arc::ptr_eq(run, gone)));
            runs.push(Arc::new(whole));
        }
        merged.iter().filter(|run| run.path() != path).try_for_each(|run| run.delete())
    }
}

/// An entry of its two halves.
pub fn entry(prefix: [u8; 8], rest: u64) -> Entry {
    let mut entry = [0; 16];
    let (first, last) = entry.split_at_mut(8);
    first.copy_from_slice(&prefix);
    last.copy_from_slice(&rest.to_be_bytes());
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries of a round: random prefixes, of which some come in every round.
    fn round(number: u64) -> Vec<Entry> {
        let mix = |n: u64| (n ^ n >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17);
        let prefix = |n: u64| if n.is_multiple_of(1000) { mix(n) } else { mix(n << 20 | number) };
        (0..FILE_AT as u64 + 5)
            .map(|n| entry(prefix(n + 1).to_be_bytes(), number << 32 | n))
            .collect()
    }

    #[test]
    fn entries_are_found_in_memory_in_files_in_merged_files_and_after_a_start() {
        let directory = std::env::temp_dir().join(format!("rapport-index-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        let check = |index: &Index, rounds: u64| {
            for number in 0..rounds {
                let entries = round(number);
                let sample = entries.iter().step_by(997);
                assert!(sample.clone().all(|entry| index.contains(entry).unwrap()), "{number}");
                let mut absent = sample.map(|entry| entry.map(|byte| byte ^ 0x5a));
                assert!(!absent.any(|entry| index.contains(&entry).unwrap()), "{number}");
            }
            let everywhere = round(0)[999];
            let (prefix, _) = everywhere.split_first_chunk::<8>().unwrap();
            let found = index.find(*prefix).unwrap();
            assert_eq!(found, (0..rounds).map(|number| number << 32 | 999).collect::<Vec<_>>());
        };
        let index = Index::open(&directory, "test").unwrap();
        for number in 0..7 {
            index.add(round(number), 100 * (number + 1));
            check(&index, number + 1);
            index.tidy(false).unwrap();
            check(&index, number + 1);
        }
        drop(index);
        let files = || std::fs::read_dir(&directory).unwrap().count();
        assert!(files() < 7, "many files became one: {}", files());
        let index = Index::open(&directory, "test").unwrap();
        assert_eq!(index.upto(), 700);
        check(&index, 7);
        index.tidy(true).unwrap();
        assert_eq!(files(), 1);
        check(&index, 7);
        index.clear().unwrap();
        assert_eq!((files(), index.upto()), (0, 0));
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
