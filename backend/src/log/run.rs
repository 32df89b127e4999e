//! A file of sorted entries: the entries, the first eight bytes of every 256th, a Bloom filter, a foot.

use super::index::{Entry, Sorted};
use crate::error::StoreError;
use crate::secret::Sha256Digest;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A file that does not change any more.
pub struct Run {
    path: PathBuf,
    /// Kept open where it is asked often: a process may hold only so many.
    file: Option<File>,
    count: u64,
    /// Which bytes of the journal its entries come from.
    pub from: u64,
    pub upto: u64,
    fences: Vec<u64>,
    filter: Filter,
    /// Whether it keeps only the first half of each entry.
    short: bool,
}

const ENTRY: usize = size_of::<Entry>();
const PAGE: usize = 256;
/// Who reads them all reads so many pages at once.
const AHEAD: usize = 16;
/// Words of a filter that are read or written at once.
const WORDS: usize = 1 << 12;
const MAGIC: [u8; 8] = *b"RPINDEX\x01";
const SHORT: [u8; 8] = *b"RPINDEX\x02";
const KEY: usize = 8;
/// Magic, count, from, upto, digest of what stands between the entries and here.
const FOOT: usize = 8 + 3 * 8 + 32;

impl Run {
    /// Writes sorted entries, at most `count`, and opens them. The file appears whole or not at all.
    pub fn write(
        path: &Path,
        from: u64,
        upto: u64,
        count: usize,
        entries: impl Iterator<Item = Result<Entry, StoreError>>,
    ) -> Result<Self, StoreError> {
        Self::write_as(path, (from, upto), count, entries, false)
    }

    /// As [`Self::write`], of each entry only the first half.
    pub fn write_short(
        path: &Path,
        (from, upto): (u64, u64),
        count: usize,
        entries: impl Iterator<Item = Result<Entry, StoreError>>,
    ) -> Result<Self, StoreError> {
        Self::write_as(path, (from, upto), count, entries, true)
    }

    fn write_as(
        path: &Path,
        (from, upto): (u64, u64),
        count: usize,
        entries: impl Iterator<Item = Result<Entry, StoreError>>,
        short: bool,
    ) -> Result<Self, StoreError> {
        let failed = |error| StoreError::file("writing", path, error);
        let unfinished = path.with_extension("unfinished");
        let mut out = BufWriter::with_capacity(1 << 16, File::create(&unfinished).map_err(failed)?);
        let (mut fences, mut filter, mut written) = (Vec::new(), Filter::new(count), 0u64);
        let (mut last, mut keys) = (None, 0);
        for entry in entries {
            let entry = entry?;
            if last == Some(entry) {
                continue;
            }
            if written.is_multiple_of(PAGE as u64) {
                fences.push(key(&entry));
            }
            if last.is_none_or(|last| key(&last) != key(&entry)) {
                filter.add(key(&entry));
                keys += 1;
            }
            last = Some(entry);
            let kept = if short { entry.split_at(KEY).0 } else { entry.as_slice() };
            out.write_all(kept).map_err(failed)?;
            written += 1;
        }
        filter.fold(keys);
        let mut tail = Sha256::new();
        for words in fences.chunks(WORDS).chain(filter.words.chunks(WORDS)) {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            tail.update(&bytes);
            out.write_all(&bytes).map_err(failed)?;
        }
        let mut foot = if short { SHORT } else { MAGIC }.to_vec();
        [written, from, upto].iter().for_each(|number| foot.extend(number.to_le_bytes()));
        foot.extend(digest(tail, &foot).0);
        out.write_all(&foot).map_err(failed)?;
        let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_data().map_err(failed)?;
        std::fs::rename(&unfinished, path).map_err(failed)?;
        let file = File::open(path).map_err(failed)?;
        let path = path.to_owned();
        Ok(Self { path, file: Some(file), count: written, from, upto, fences, filter, short })
    }

    /// Opens a file; `None` where it is damaged, which loses nothing: the journal has it all.
    pub fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let failed = |error| StoreError::file("reading", path, error);
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let Some(foot_at) = length.checked_sub(FOOT as u64) else { return Ok(None) };
        let mut foot = [0; FOOT];
        file.read_exact_at(&mut foot, foot_at).map_err(failed)?;
        let (said, sum) = foot.split_at(FOOT - 32);
        let mut words = said.as_chunks::<8>().0.iter();
        let magic = words.next();
        let short = magic == Some(&SHORT);
        let mut number = || words.next().map_or(0, |word| u64::from_le_bytes(*word));
        let (count, from, upto) = (number(), number(), number());
        let entries = count.saturating_mul(if short { KEY } else { ENTRY } as u64);
        if !short && magic != Some(&MAGIC) || entries > foot_at {
            return Ok(None);
        }
        let fence_count = count.div_ceil(PAGE as u64) as usize;
        let word_count = (foot_at - entries) as usize / 8;
        if word_count < fence_count {
            return Ok(None);
        }
        let (mut tail, mut at) = (Sha256::new(), entries);
        let mut read = |count: usize| -> Result<Vec<u64>, StoreError> {
            let (mut words, mut bytes) = (Vec::with_capacity(count), vec![0; 8 * WORDS]);
            while words.len() < count {
                let some = bytes.get_mut(..8 * WORDS.min(count - words.len())).unwrap_or_default();
                file.read_exact_at(some, at).map_err(failed)?;
                tail.update(&*some);
                at += some.len() as u64;
                words.extend(some.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)));
            }
            Ok(words)
        };
        let (fences, words) = (read(fence_count)?, read(word_count - fence_count)?);
        if sum != digest(tail, said).0 {
            return Ok(None);
        }
        let filter = Filter { words };
        let path = path.to_owned();
        Ok(Some(Self { path, file: Some(file), count, from, upto, fences, filter, short }))
    }

    /// Whether an entry that begins as this one may be in it: never no where it is.
    pub fn may_hold(&self, entry: &Entry) -> bool {
        self.filter.may_hold(key(entry))
    }

    /// Whether it holds an entry; where it is short, one that begins as this one.
    pub fn holds(&self, entry: &Entry) -> Result<bool, StoreError> {
        let found = self.find(entry)?;
        Ok(if self.short { !found.is_empty() } else { found.contains(entry) })
    }

    /// Every entry that begins as this one; where it is short, without its second half.
    pub fn find(&self, wanted: &Entry) -> Result<Vec<Entry>, StoreError> {
        let wanted = key(wanted);
        let mut page = self.fences.partition_point(|fence| *fence < wanted).saturating_sub(1);
        let mut found = Vec::new();
        let mut bytes = [0; PAGE * ENTRY];
        let failed = |error| StoreError::file("reading", &self.path, error);
        let opened = if self.file.is_some() { None } else { Some(self.reopen()?) };
        let Some(file) = self.file.as_ref().or(opened.as_ref()) else { return Ok(found) };
        while page < self.fences.len()
            && self.fences.get(page).is_some_and(|first| *first <= wanted)
        {
            let first = page * PAGE;
            let each = self.entry();
            let size = PAGE.min(self.count as usize - first) * each;
            let bytes = bytes.get_mut(..size).unwrap_or_default();
            file.read_exact_at(bytes, (first * each) as u64).map_err(failed)?;
            let entries = bytes.chunks_exact(each).map(whole);
            found.extend(entries.filter(|entry| key(entry) == wanted));
            page += 1;
        }
        Ok(found)
    }

    /// Lets go of the file until somebody looks for something.
    pub fn rested(self) -> Self {
        Self { file: None, ..self }
    }

    fn reopen(&self) -> Result<File, StoreError> {
        File::open(&self.path).map_err(|error| StoreError::file("reading", &self.path, error))
    }

    const fn entry(&self) -> usize {
        if self.short { KEY } else { ENTRY }
    }

    /// Whether it keeps only the first half of each entry.
    pub const fn is_short(&self) -> bool {
        self.short
    }

    /// How many entries it holds.
    pub const fn len(&self) -> u64 {
        self.count
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Deletes the file; who reads it still can.
    pub fn delete(&self) -> Result<(), StoreError> {
        std::fs::remove_file(&self.path)
            .map_err(|error| StoreError::file("deleting", &self.path, error))
    }

    /// Every entry from the first that begins so on, in order; also while the file is being deleted.
    pub fn entries(&self, from: [u8; KEY]) -> Result<Sorted, StoreError> {
        let from = u64::from_be_bytes(from);
        let path = self.path.clone();
        let failed = move |error| StoreError::file("reading", &path, error);
        let file = match &self.file {
            Some(file) => file.try_clone().map_err(&failed)?,
            None => self.reopen()?,
        };
        let page = self.fences.partition_point(|fence| *fence < from).saturating_sub(1);
        let (mut at, count, each) = ((page * PAGE) as u64, self.count, self.entry());
        let (mut bytes, mut next) = (Vec::new(), 0);
        let mut entry = move || {
            if next >= bytes.len() {
                let some = ((PAGE * AHEAD) as u64).min(count.saturating_sub(at)) as usize;
                bytes.resize(some * each, 0);
                file.read_exact_at(&mut bytes, at * each as u64).map_err(&failed)?;
                (at, next) = (at + some as u64, 0);
            }
            let entry = bytes.get(next..next + each).map(whole);
            next += each;
            Ok(entry)
        };
        let entries = std::iter::from_fn(move || entry().transpose());
        let before = move |entry: &Result<Entry, StoreError>| {
            entry.as_ref().is_ok_and(|entry| key(entry) < from)
        };
        Ok(Box::new(entries.skip_while(before)))
    }
}

/// Entries of many sources, sorted.
pub fn merged(sources: Vec<Sorted>) -> Sorted {
    let mut sources: Vec<_> = sources.into_iter().map(Iterator::peekable).collect();
    Box::new(std::iter::from_fn(move || {
        // An error comes first, and ends whatever is written of this.
        let least = sources.iter_mut().enumerate().filter_map(|(index, source)| {
            let key = match source.peek()? {
                Ok(entry) => Some(*entry),
                Err(_) => None,
            };
            Some((key, index))
        });
        let (_, index) = least.min()?;
        sources.get_mut(index)?.next()
    }))
}

/// What [`Run::entries`] and [`merged`] take for the beginning.
pub const START: [u8; KEY] = [0; KEY];

/// An entry of its bytes in the file.
fn whole(bytes: &[u8]) -> Entry {
    let mut entry = [0; ENTRY];
    entry.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    entry
}

/// What an entry is found by.
fn key(entry: &Entry) -> u64 {
    let (first, _) = entry.split_at(8);
    first.try_into().map_or(0, u64::from_be_bytes)
}

fn digest(tail: Sha256, said: &[u8]) -> Sha256Digest {
    Sha256Digest::of(&[tail.finalize().as_slice(), said].concat())
}

/// A Bloom filter whose bits for one key lie in one cache line (Putze, Sanders, Singler: Cache-,
/// hash- and space-efficient Bloom filters, 2007).
struct Filter {
    words: Vec<u64>,
}

const LINE: usize = 8;
const BITS_A_KEY: usize = 10;
/// A filter has a multiple of so many lines, where it has more: then it can be folded.
const FOLDS: usize = 1 << 10;

impl Filter {
    fn new(keys: usize) -> Self {
        let lines = Self::lines(keys);
        let lines = if lines > FOLDS { lines.next_multiple_of(FOLDS) } else { lines };
        Self { words: vec![0; lines * LINE] }
    }

    fn lines(keys: usize) -> usize {
        (keys * BITS_A_KEY).div_ceil(LINE * 64).max(1)
    }

    /// Makes it as small as it may be for so many keys, where there are fewer than it was made for: a
    /// subject has many entries. Line n of the half is lines 2 n and 2 n + 1 of the whole.
    fn fold(&mut self, keys: usize) {
        let wanted = Self::lines(keys) * LINE;
        while self.words.len().is_multiple_of(2 * LINE) && self.words.len() / 2 >= wanted {
            let pairs = self.words.chunks_exact(2 * LINE).flat_map(|pair| {
                let (first, second) = pair.split_at(LINE);
                first.iter().zip(second).map(|(first, second)| first | second)
            });
            self.words = pairs.collect();
        }
    }

    fn add(&mut self, key: u64) {
        let (line, bits) = self.bits(key);
        for bit in bits {
            if let Some(word) = self.words.get_mut(line + bit / 64) {
                *word |= 1 << (bit % 64);
            }
        }
    }

    fn may_hold(&self, key: u64) -> bool {
        let (line, mut bits) = self.bits(key);
        bits.all(|bit| {
            self.words.get(line + bit / 64).is_some_and(|word| word >> (bit % 64) & 1 == 1)
        })
    }

    /// The line of a key, and its bits in there.
    fn bits(&self, key: u64) -> (usize, impl Iterator<Item = usize> + use<>) {
        let mixed = (key ^ key >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let lines = (self.words.len() / LINE) as u64;
        let line = ((u128::from(mixed) * u128::from(lines)) >> 64) as usize * LINE;
        let spread = (mixed ^ mixed >> 32).wrapping_mul(0x94d0_49bb_1331_11eb);
        (line, (0..7).map(move |index| (spread >> (index * 9) & 511) as usize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_never_misses_and_seldom_errs() {
        let keys = |from: u64| (from..from + 20_000).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut filter = Filter::new(20_000);
        keys(1).for_each(|key| filter.add(key));
        assert!(keys(1).all(|key| filter.may_hold(key)));
        let wrong = keys(1 << 40).filter(|key| filter.may_hold(*key)).count();
        assert!(wrong < 500, "{wrong} of 20,000");
        // As many entries as a hundred times the keys.
        let mut large = Filter::new(2_000_000);
        keys(1).for_each(|key| large.add(key));
        large.fold(20_000);
        assert!(large.words.len() < 4 * filter.words.len(), "{}", large.words.len());
        assert!(keys(1).all(|key| large.may_hold(key)));
        let wrong = keys(1 << 40).filter(|key| large.may_hold(*key)).count();
        assert!(wrong < 500, "{wrong} of 20,000");
    }
}
