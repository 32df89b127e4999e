//! What was read of sealed days lately: opened files, their slabs, the order of their offsets. It is
//! bounded, and nothing of it is needed.

use super::Offset;
use crate::sqlite::lock;
use rapport_archive::{Archive, ArchiveError, Slab};
use std::collections::VecDeque;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A sealed day of one workspace's environment.
pub struct Volume {
    pub path: PathBuf,
    pub first: Offset,
    pub last: Offset,
    /// Tells it from every other, in the shelf.
    number: u64,
    /// Whether somebody was told that it is damaged.
    told: AtomicBool,
}

impl Volume {
    /// The file at `path`, which holds the offsets from `first` to `last`.
    pub fn new(path: PathBuf, first: Offset, last: Offset) -> Arc<Self> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { path, first, last, number, told: AtomicBool::new(false) })
    }

    /// Opens the file.
    ///
    /// # Errors
    /// Where it cannot be read, or is damaged.
    pub fn open(&self) -> Result<Archive, ArchiveError> {
        Archive::open(File::open(&self.path)?)
    }

    /// Says, once, that it is damaged.
    pub fn tell(&self, why: &str) {
        if !self.told.swap(true, Ordering::Relaxed) {
            let path = self.path.display();
            tracing::error!(%path, why, "a sealed day is damaged; the rest is served without it, `rapport log verify` says how much is lost");
        }
    }
}

/// Offsets whose rows are worked out together.
const SPAN: i64 = 1 << 20;
/// Each is up to a few hundred kilobytes.
const ARCHIVES: usize = 40;
/// Each is about a megabyte.
const SLABS: usize = 40;
const ORDERS: usize = 2;

/// Holds what was read last.
#[derive(Default)]
pub struct Shelf {
    archives: Mutex<Lately<u64, Archive>>,
    slabs: Mutex<Lately<(u64, usize), Slab>>,
    orders: Mutex<Lately<(u64, i64), Vec<u32>>>,
}

impl Shelf {
    /// A volume, open.
    pub fn archive(&self, volume: &Volume) -> Result<Arc<Archive>, ArchiveError> {
        if let Some(found) = lock(&self.archives).get(volume.number) {
            return Ok(found);
        }
        let archive = Arc::new(volume.open()?);
        lock(&self.archives).put(volume.number, archive.clone(), ARCHIVES);
        Ok(archive)
    }

    /// A slab of a volume.
    pub fn slab(&self, volume: &Volume, slab: usize) -> Result<Arc<Slab>, ArchiveError> {
        let key = (volume.number, slab);
        if let Some(found) = lock(&self.slabs).get(key) {
            return Ok(found);
        }
        let read = Arc::new(self.archive(volume)?.slab(slab)?);
        lock(&self.slabs).put(key, read.clone(), SLABS);
        Ok(read)
    }

    /// The rows of the offsets that lie in a volume from `from` on, about up to `to`, as pairs of row
    /// and offset; at least one, where there is any.
    pub fn rows(
        &self,
        volume: &Volume,
        from: Offset,
        to: Offset,
    ) -> Result<Vec<(u32, i64)>, ArchiveError> {
        let span = (from.0 - volume.first.0) / SPAN;
        let start = volume.first.0 + span * SPAN;
        let known = lock(&self.orders).get((volume.number, span));
        let order = match known {
            Some(order) => order,
            None => {
                let count = (volume.last.0 - start + 1).clamp(0, SPAN) as usize;
                let mut order = vec![u32::MAX; count];
                let damage = self.archive(volume)?.offsets(|row, offset| {
                    let place = usize::try_from(offset - start).ok();
                    if let Some(place) = place.and_then(|place| order.get_mut(place)) {
                        *place = row as u32;
                    }
                })?;
                if let Some(why) = damage {
                    volume.tell(&why);
                }
                let order = Arc::new(order);
                lock(&self.orders).put((volume.number, span), order.clone(), ORDERS);
                order
            }
        };
        let wanted = (from.0..=to.0.min(volume.last.0)).map_while(|offset| {
            let row = order.get(usize::try_from(offset - start).ok()?)?;
            Some((*row, offset))
        });
        Ok(wanted.filter(|(row, _)| *row != u32::MAX).collect())
    }
}

/// The things that were asked for last, the latest at the back.
struct Lately<K, T>(VecDeque<(K, Arc<T>)>);

impl<K, T> Default for Lately<K, T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<K: Copy + PartialEq, T> Lately<K, T> {
    fn get(&mut self, wanted: K) -> Option<Arc<T>> {
        let at = self.0.iter().position(|(key, _)| *key == wanted)?;
        let found = self.0.remove(at)?;
        let thing = found.1.clone();
        self.0.push_back(found);
        Some(thing)
    }

    fn put(&mut self, key: K, thing: Arc<T>, most: usize) {
        if self.0.len() >= most {
            self.0.pop_front();
        }
        self.0.push_back((key, thing));
    }
}
