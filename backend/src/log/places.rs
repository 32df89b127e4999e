//! Where a journal's envelopes are, kept beside it so that a start need not read it all again.

use super::Offset;
use crate::error::StoreError;
use crate::identity::Scope;
use crate::secret::Sha256Digest;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// What a journal holds of a scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    pub first: Offset,
    pub last: Offset,
    /// Groups some way apart: the first offset in each, and where it begins.
    pub marks: Vec<(Offset, u64)>,
}

const MAGIC: [u8; 8] = *b"RPPLACE\x01";

/// Writes the places of a journal's first `end` bytes. The file appears whole or not at all.
pub fn write(path: &Path, end: u64, places: &BTreeMap<Scope, Places>) -> Result<(), StoreError> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(end.to_le_bytes());
    for (scope, places) in places {
        bytes.extend(scope.to_bytes());
        bytes.extend(places.first.0.to_le_bytes());
        bytes.extend(places.last.0.to_le_bytes());
        bytes.extend((places.marks.len() as u64).to_le_bytes());
        for (offset, at) in &places.marks {
            bytes.extend(offset.0.to_le_bytes());
            bytes.extend(at.to_le_bytes());
        }
    }
    let digest = Sha256Digest::of(&bytes);
    bytes.extend(digest.0);
    let unfinished = path.with_extension("unfinished");
    File::create(&unfinished)
        .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_data()))
        .and_then(|()| std::fs::rename(&unfinished, path))
        .map_err(|error| StoreError::file("writing", path, error))
}

/// Reads them and how much of the journal they cover; `None` where there is no such file or it is
/// damaged, which loses nothing: the journal has it all.
pub fn read(path: &Path) -> Option<(u64, BTreeMap<Scope, Places>)> {
    let bytes = std::fs::read(path).ok()?;
    let (said, digest) = bytes.split_last_chunk::<32>()?;
    if Sha256Digest::of(said).0 != *digest {
        return None;
    }
    let mut rest = said;
    if take(&mut rest)? != MAGIC {
        return None;
    }
    let end = u64::from_le_bytes(take(&mut rest)?);
    let mut all = BTreeMap::new();
    while !rest.is_empty() {
        let scope = Scope::from_bytes(take(&mut rest)?)?;
        let mut number = || Some(u64::from_le_bytes(take(&mut rest)?));
        let (first, last, count) = (offset(number()?), offset(number()?), number()?);
        let mut marks = Vec::new();
        for _ in 0..count {
            marks.push((offset(number()?), number()?));
        }
        all.insert(scope, Places { first, last, marks });
    }
    Some((end, all))
}

const fn offset(number: u64) -> Offset {
    Offset(number.cast_signed())
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}
