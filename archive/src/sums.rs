//! Checksums inside the file, between its data and its Parquet footer, where other tools do not look.
//! Nothing is given to the Parquet reader before it was found to be what was written: a reader of
//! foreign bytes can be made to panic or to ask for any amount of memory.
//!
//! ```text
//! data | CRC-32 of each 16 KiB of it | bytes of data u64 | CRC-32 of the footer | CRC-32 of this | RPSUMS1\0 | footer
//! ```

use crate::ArchiveError;
use bytes::Bytes;
use parquet::errors::Result as ParquetResult;
use parquet::file::reader::{ChunkReader, Length};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

const CHUNK: usize = 16 * 1024;
const MAGIC: [u8; 8] = *b"RPSUMS1\0";
/// Bytes of data, two checksums, magic.
const FOOT: u64 = 8 + 4 + 4 + 8;
const PARQUET: [u8; 4] = *b"PAR1";
/// Length of the footer, and Parquet's own magic.
const TAIL: u64 = 8;

/// Sums what is written to it.
pub struct Sink<W> {
    out: Option<W>,
    sums: Vec<u32>,
    open: crc32fast::Hasher,
    written: u64,
    /// What comes last: kept back until the sums stand before it.
    held: Option<Vec<u8>>,
}

impl<W: Write> Sink<W> {
    pub fn new(out: W) -> Self {
        let open = crc32fast::Hasher::new();
        Self { out: Some(out), sums: Vec::new(), open, written: 0, held: None }
    }

    /// Keeps back what is written from now on.
    pub fn hold(&mut self) {
        self.held = Some(Vec::new());
    }

    /// Writes the sums and what was kept back.
    pub fn end(&mut self) -> io::Result<W> {
        let footer = self.held.take().unwrap_or_default();
        if !self.written.is_multiple_of(CHUNK as u64) {
            self.sums.push(std::mem::take(&mut self.open).finalize());
        }
        let mut bytes: Vec<u8> = self.sums.iter().flat_map(|sum| sum.to_le_bytes()).collect();
        bytes.extend(self.written.to_le_bytes());
        bytes.extend(crc32fast::hash(&footer).to_le_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes.extend(MAGIC);
        let mut out = self.out.take().ok_or(io::ErrorKind::BrokenPipe)?;
        out.write_all(&bytes)?;
        out.write_all(&footer)?;
        out.flush()?;
        Ok(out)
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(held) = &mut self.held {
            held.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        let out = self.out.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let count = out.write(bytes)?;
        let mut rest = bytes.get(..count).unwrap_or_default();
        while !rest.is_empty() {
            let room = CHUNK - (self.written % CHUNK as u64) as usize;
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.open.update(now);
            self.written += now.len() as u64;
            if self.written.is_multiple_of(CHUNK as u64) {
                self.sums.push(std::mem::take(&mut self.open).finalize());
            }
            rest = later;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.as_mut().map_or(Ok(()), Write::flush)
    }
}

/// A file whose bytes are checked as they are read.
#[derive(Clone)]
pub struct Checked(Arc<Inner>);

struct Inner {
    file: File,
    length: u64,
    /// How many bytes of data there are.
    data: u64,
    sums: Vec<u32>,
    footer_at: u64,
    footer: Bytes,
}

impl Checked {
    /// Opens a file and checks its footer.
    pub fn open(file: File) -> Result<Self, ArchiveError> {
        let damaged = |why: &str| Err(ArchiveError::Damaged(why.to_owned()));
        let length = file.metadata()?.len();
        let tail = read(&file, length.saturating_sub(TAIL), TAIL.min(length))?;
        let Some((size, PARQUET)) = two(&tail) else {
            return damaged("it does not end as a Parquet file does");
        };
        let footer_at = length.checked_sub(TAIL + u64::from(size));
        let Some((foot_at, footer_at)) = footer_at.and_then(|at| Some((at.checked_sub(FOOT)?, at)))
        else {
            return damaged("its footer is larger than it is");
        };
        let foot = read(&file, foot_at, FOOT)?;
        let Some((data, footer_sum, own_sum)) = foot_of(&foot) else {
            return damaged("it holds no checksums: it is no sealed day of Rapport");
        };
        let chunks = data.div_ceil(CHUNK as u64);
        if data.checked_add(chunks * 4) != Some(foot_at) {
            return damaged("its checksums are not of its data");
        }
        let mut table = read(&file, data, chunks * 4)?;
        let sums = table.as_chunks::<4>().0.iter().map(|sum| u32::from_le_bytes(*sum)).collect();
        table.extend(foot.get(..12).unwrap_or_default());
        if crc32fast::hash(&table) != own_sum {
            return damaged("its checksums are damaged");
        }
        let footer = read(&file, footer_at, length - footer_at)?;
        if crc32fast::hash(&footer) != footer_sum {
            return damaged("its footer is damaged");
        }
        Ok(Self(Arc::new(Inner { file, length, data, sums, footer_at, footer: footer.into() })))
    }

    /// Reads every byte of its data; answers the places, and how many bytes each, of what is damaged.
    pub fn damage(&self) -> Result<Vec<(u64, u64)>, ArchiveError> {
        let mut damage = Vec::new();
        for chunk in 0..self.0.sums.len() as u64 {
            match self.chunk(chunk) {
                Ok(_) => {}
                Err(ArchiveError::Damaged(_)) => {
                    let at = chunk * CHUNK as u64;
                    damage.push((at, (self.0.data - at).min(CHUNK as u64)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(damage)
    }

    fn chunk(&self, number: u64) -> Result<Vec<u8>, ArchiveError> {
        let at = number * CHUNK as u64;
        let bytes = read(&self.0.file, at, (self.0.data.saturating_sub(at)).min(CHUNK as u64))?;
        if self.0.sums.get(number as usize) != Some(&crc32fast::hash(&bytes)) {
            return Err(ArchiveError::Damaged(format!("it is damaged at byte {at}")));
        }
        Ok(bytes)
    }

    fn bytes(&self, start: u64, length: usize) -> Result<Bytes, ArchiveError> {
        let outside = || ArchiveError::Damaged("its footer points outside of it".to_owned());
        let end = start.checked_add(length as u64).ok_or_else(outside)?;
        if start >= self.0.footer_at && end <= self.0.length {
            let from = (start - self.0.footer_at) as usize;
            return Ok(self.0.footer.slice(from..from + length));
        }
        if end > self.0.data {
            return Err(outside());
        }
        let (first, last) = (start / CHUNK as u64, end.div_ceil(CHUNK as u64));
        let mut bytes = Vec::with_capacity(((last - first) as usize) * CHUNK);
        for chunk in first..last {
            bytes.extend(self.chunk(chunk)?);
        }
        let from = (start - first * CHUNK as u64) as usize;
        Ok(Bytes::from(bytes).slice(from..from + length))
    }
}

impl Length for Checked {
    fn len(&self) -> u64 {
        self.0.length
    }
}

impl ChunkReader for Checked {
    type T = Sequential;

    fn get_read(&self, start: u64) -> ParquetResult<Sequential> {
        Ok(Sequential { of: self.clone(), at: start, ready: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        Ok(self.bytes(start, length)?)
    }
}

/// Reads on from a place, by what is checked at once.
pub struct Sequential {
    of: Checked,
    at: u64,
    ready: Bytes,
}

impl Read for Sequential {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ready.is_empty() {
            let inner = &self.of.0;
            let end = if self.at >= inner.footer_at { inner.length } else { inner.data };
            let left = end.saturating_sub(self.at).min(CHUNK as u64) as usize;
            self.ready = self.of.bytes(self.at, left).map_err(|error| match error {
                ArchiveError::File(error) => error,
                damaged => io::Error::new(io::ErrorKind::InvalidData, damaged.to_string()),
            })?;
            self.at += self.ready.len() as u64;
        }
        let now = self.ready.split_to(out.len().min(self.ready.len()));
        out.iter_mut().zip(&now).for_each(|(to, from)| *to = *from);
        Ok(now.len())
    }
}

/// Reads every byte of an archive; answers where, and in how many bytes, it is damaged.
///
/// # Errors
/// Where it cannot be read, or is damaged as a whole.
pub fn check(file: File) -> Result<Vec<(u64, u64)>, ArchiveError> {
    Checked::open(file)?.damage()
}

fn read(file: &File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, at)?;
    Ok(bytes)
}

fn two(bytes: &[u8]) -> Option<(u32, [u8; 4])> {
    let (length, magic) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*length), magic.try_into().ok()?))
}

fn foot_of(bytes: &[u8]) -> Option<(u64, u32, u32)> {
    let (data, rest) = bytes.split_first_chunk::<8>()?;
    let (footer, rest) = rest.split_first_chunk::<4>()?;
    let (own, magic) = rest.split_first_chunk::<4>()?;
    let sums = (u64::from_le_bytes(*data), u32::from_le_bytes(*footer), u32::from_le_bytes(*own));
    (magic == MAGIC).then_some(sums)
}
