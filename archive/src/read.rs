//! Reading an archive, a slab of rows at a time.

use crate::ArchiveError;
use crate::columns::{COLUMNS, Kind, client_time};
use crate::row::Row;
use crate::sums::Checked;
use crate::write::uuid_text;
use parquet::basic::Type as Physical;
use parquet::column::reader::ColumnReader;
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::FileReader;
use parquet::file::serialized_reader::SerializedFileReader;
use std::fs::File;

/// A file that was found to be an archive. What is read of it is checked then.
pub struct Archive {
    reader: SerializedFileReader<Checked>,
    /// The first row of each slab, and behind the last.
    starts: Vec<u64>,
}

/// Rows that are read together.
pub struct Slab {
    first: u64,
    rows: usize,
    columns: Vec<Values>,
}

enum Values {
    Numbers(Vec<Option<i64>>),
    /// Where each value stands in the bytes; backwards where there is none.
    Bytes {
        all: Vec<u8>,
        spans: Vec<(u32, u32)>,
    },
}

const OFFSET: usize = 0;
const SUBJECT: usize = 1;
const UUID: usize = 2;
const MESSAGE: usize = 3;
const BLOCK: usize = 17;
const ALONE: usize = 18;

impl Archive {
    /// Opens a file and checks that it is an archive of this release.
    ///
    /// # Errors
    /// Where it cannot be read or is none.
    pub fn open(file: File) -> std::result::Result<Self, ArchiveError> {
        let reader = SerializedFileReader::new(Checked::open(file)?)?;
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let known = schema.num_columns() == COLUMNS.len()
            && schema.columns().iter().zip(&COLUMNS).all(|(found, ours)| {
                let physical = match ours.kind {
                    Kind::Number | Kind::Time => Physical::INT64,
                    Kind::Text | Kind::Bytes => Physical::BYTE_ARRAY,
                    Kind::Id | Kind::Uuid => Physical::FIXED_LEN_BYTE_ARRAY,
                };
                found.name() == ours.name && found.physical_type() == physical
            });
        if !known {
            let why = "it has other columns; a newer release may have written it";
            return Err(ArchiveError::Damaged(why.to_owned()));
        }
        let mut starts = vec![0];
        for group in reader.metadata().row_groups() {
            let rows = u64::try_from(group.num_rows()).unwrap_or_default();
            starts.push(starts.last().copied().unwrap_or_default() + rows);
        }
        Ok(Self { reader, starts })
    }

    /// How many rows it has.
    pub fn rows(&self) -> u64 {
        self.starts.last().copied().unwrap_or_default()
    }

    /// How many bytes each column takes.
    pub fn sizes(&self) -> Vec<(&'static str, u64)> {
        let of = |index: usize| {
            let groups = self.reader.metadata().row_groups().iter();
            groups.map(|group| group.column(index).compressed_size().unsigned_abs()).sum()
        };
        COLUMNS.iter().enumerate().map(|(index, column)| (column.name, of(index))).collect()
    }

    /// How many slabs they are in.
    pub fn slabs(&self) -> usize {
        self.starts.len() - 1
    }

    /// Which slab a row is in.
    pub fn slab_of(&self, row: u64) -> usize {
        self.starts.partition_point(|start| *start <= row).saturating_sub(1)
    }

    /// Reads a slab.
    ///
    /// # Errors
    /// Where it cannot be read or is damaged.
    pub fn slab(&self, number: usize) -> std::result::Result<Slab, ArchiveError> {
        let all: Vec<usize> = (0..COLUMNS.len()).collect();
        let columns = self.columns(number, &all)?;
        let [first, end] = [number, number + 1].map(|at| self.starts.get(at).copied());
        let (first, end) = (first.unwrap_or_default(), end.unwrap_or_default());
        Ok(Slab { first, rows: (end - first) as usize, columns })
    }

    /// Shows `visit` the row and the offset of every envelope that can be read; answers why others
    /// cannot.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn offsets(
        &self,
        mut visit: impl FnMut(u64, i64),
    ) -> std::result::Result<Option<String>, ArchiveError> {
        let mut damage = None;
        for slab in 0..self.slabs() {
            let columns = match self.columns(slab, &[OFFSET]).map_err(ArchiveError::from) {
                Ok(columns) => columns,
                Err(ArchiveError::Damaged(why)) => {
                    damage = Some(why);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let first = self.starts.get(slab).copied().unwrap_or_default();
            let numbers = columns.first().map(Values::numbers).unwrap_or_default();
            numbers.iter().flatten().zip(first..).for_each(|(offset, row)| visit(row, *offset));
        }
        Ok(damage)
    }

    /// Shows `visit` each row's subject and message id, where it has them.
    ///
    /// # Errors
    /// Where it cannot be read or is damaged.
    pub fn names(
        &self,
        mut visit: impl FnMut(u64, Option<[u8; 16]>, Option<String>),
    ) -> std::result::Result<(), ArchiveError> {
        for slab in 0..self.slabs() {
            let columns = self.columns(slab, &[SUBJECT, UUID, MESSAGE])?;
            let [subjects, uuids, texts] = columns.as_slice() else { continue };
            let [first, end] = [slab, slab + 1].map(|at| self.starts.get(at).copied());
            for row in first.unwrap_or_default()..end.unwrap_or_default() {
                let at = (row - first.unwrap_or_default()) as usize;
                let subject = subjects.bytes(at).and_then(|subject| subject.try_into().ok());
                visit(row, subject, message_id(uuids.bytes(at), texts.bytes(at)));
            }
        }
        Ok(())
    }

    fn columns(&self, slab: usize, wanted: &[usize]) -> Result<Vec<Values>> {
        let group = self.reader.get_row_group(slab)?;
        let rows = usize::try_from(group.metadata().num_rows()).unwrap_or_default();
        wanted.iter().map(|index| column(group.get_column_reader(*index)?, rows)).collect()
    }
}

fn column(reader: ColumnReader, rows: usize) -> Result<Values> {
    match reader {
        ColumnReader::Int64ColumnReader(reader) => {
            let (values, levels) = records(reader, rows)?;
            let mut values = values.into_iter();
            let each = levels.into_iter().map(|level| if level > 0 { values.next() } else { None });
            Ok(Values::Numbers(each.collect()))
        }
        ColumnReader::ByteArrayColumnReader(reader) => {
            let (values, levels) = records(reader, rows)?;
            Ok(spans(values.iter().map(ByteArray::data), &levels))
        }
        ColumnReader::FixedLenByteArrayColumnReader(reader) => {
            let (values, levels) = records(reader, rows)?;
            Ok(spans(values.iter().map(|value: &FixedLenByteArray| value.data()), &levels))
        }
        _ => Err(ParquetError::General("a column is of another type".to_owned())),
    }
}

/// The values that are there, and of each row whether one is.
fn records<T: DataType>(
    mut reader: parquet::column::reader::ColumnReaderImpl<T>,
    rows: usize,
) -> Result<(Vec<T::T>, Vec<i16>)> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    let (read, found, _) = reader.read_records(rows, Some(&mut levels), None, &mut values)?;
    if levels.is_empty() && found == read {
        levels = vec![1; read];
    }
    let there = levels.iter().filter(|level| **level > 0).count();
    if read != rows || levels.len() != rows || there != values.len() {
        return Err(ParquetError::General("a column has fewer rows than the file".to_owned()));
    }
    Ok((values, levels))
}

fn spans<'a>(mut values: impl Iterator<Item = &'a [u8]>, levels: &[i16]) -> Values {
    let (mut all, mut spans) = (Vec::new(), Vec::with_capacity(levels.len()));
    for level in levels {
        let start = all.len() as u32;
        match values.next_if_present(*level) {
            Some(value) => {
                all.extend_from_slice(value);
                spans.push((start, all.len() as u32));
            }
            None => spans.push((1, 0)),
        }
    }
    Values::Bytes { all, spans }
}

trait NextIfPresent<'a> {
    fn next_if_present(&mut self, level: i16) -> Option<&'a [u8]>;
}

impl<'a, I: Iterator<Item = &'a [u8]>> NextIfPresent<'a> for I {
    fn next_if_present(&mut self, level: i16) -> Option<&'a [u8]> {
        if level > 0 { self.next() } else { None }
    }
}

impl Values {
    fn numbers(&self) -> &[Option<i64>] {
        match self {
            Self::Numbers(numbers) => numbers,
            Self::Bytes { .. } => &[],
        }
    }

    fn bytes(&self, row: usize) -> Option<&[u8]> {
        match self {
            Self::Bytes { all, spans } => {
                let (start, end) = spans.get(row)?;
                all.get(*start as usize..*end as usize)
            }
            Self::Numbers(_) => None,
        }
    }
}

impl Slab {
    /// Its first row.
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// How many rows it has.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// The subject of its row `at`; `None` for a tombstone's.
    pub fn subject(&self, at: usize) -> Option<[u8; 16]> {
        self.bytes(SUBJECT, at)?.try_into().ok()
    }

    /// The offset of its row `at`.
    pub fn offset(&self, at: usize) -> i64 {
        self.number(OFFSET, at).unwrap_or_default()
    }

    /// Of the block that its row `at` is in: where it begins, which of its texts is the row's, and
    /// its bytes. `None` where the row is in no block.
    pub fn block(&self, at: usize) -> Option<(usize, usize, &[u8])> {
        if self.bytes(ALONE, at).is_some() {
            return None;
        }
        let (first, block) = (0..=at).rev().find_map(|row| Some((row, self.bytes(BLOCK, row)?)))?;
        let index = (first..at).filter(|row| self.bytes(ALONE, *row).is_none()).count();
        // A subject's block ends before the next subject's rows.
        (self.subject(first) == self.subject(at)).then_some((first, index, block))
    }

    /// Its row `at`, without a block.
    pub fn row(&self, at: usize) -> Row {
        let number = |column| self.number(column, at);
        let text = |column| {
            self.bytes(column, at).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        let event_time = number(4).unwrap_or_default();
        let received_at = event_time.wrapping_add(number(5).unwrap_or_default());
        let mut row = Row {
            offset: self.offset(at),
            subject: self.subject(at),
            message_id: message_id(self.bytes(UUID, at), self.bytes(MESSAGE, at)),
            event_time,
            received_at,
            sent_at: number(6).map(|skew| received_at.wrapping_add(skew)),
            client_time: None,
            consent: number(8).and_then(|bits| bits.try_into().ok()).unwrap_or_default(),
            schema_version: number(9)
                .and_then(|version| version.try_into().ok())
                .unwrap_or_default(),
            kind: text(10).unwrap_or_default(),
            name: text(11).unwrap_or_default(),
            path: text(12),
            referrer_host: text(13),
            source: text(14),
            medium: text(15),
            campaign: text(16),
            block: None,
            alone: self.bytes(ALONE, at).map(<[u8]>::to_vec),
        };
        row.client_time = number(7).map(|rest| client_time(&row).wrapping_add(rest));
        row
    }

    fn number(&self, column: usize, at: usize) -> Option<i64> {
        self.columns.get(column)?.numbers().get(at).copied().flatten()
    }

    fn bytes(&self, column: usize, at: usize) -> Option<&[u8]> {
        self.columns.get(column)?.bytes(at)
    }
}

fn message_id(uuid: Option<&[u8]>, text: Option<&[u8]>) -> Option<String> {
    match (uuid.and_then(|uuid| uuid.try_into().ok()), text) {
        (Some(uuid), _) => Some(uuid_text(uuid)),
        (None, text) => text.map(|text| String::from_utf8_lossy(text).into_owned()),
    }
}
