//! Writing an archive: rows are gathered to slabs, each a row group of the file.

use crate::ArchiveError;
use crate::columns::{COLUMNS, Kind, Value, properties, schema, values};
use crate::row::Row;
use crate::sums::Sink;
use parquet::data_type::{
    ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int64Type,
};
use parquet::errors::Result;
use parquet::file::metadata::KeyValue;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use std::io::Write;
use std::sync::Arc;

/// So many rows are read at once: few enough for one subject's sake, enough to compress.
pub const SLAB: usize = 4096;

/// Writes rows, which come sorted by subject, then event time, then offset.
pub struct ArchiveWriter<W: Write + Send> {
    writer: SerializedFileWriter<Sink<W>>,
    slab: Vec<Row>,
    rows: u64,
}

impl<W: Write + Send> ArchiveWriter<W> {
    /// Begins a file; `said` is what other tools read of it as key-value metadata.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn new(out: W, said: &[(&str, String)]) -> std::result::Result<Self, ArchiveError> {
        let writer = SerializedFileWriter::new(Sink::new(out), schema()?, Arc::new(properties()?))?;
        let mut writer = Self { writer, slab: Vec::with_capacity(SLAB), rows: 0 };
        for (key, value) in said {
            let value = KeyValue::new((*key).to_owned(), value.clone());
            writer.writer.append_key_value_metadata(value);
        }
        Ok(writer)
    }

    /// How many more rows the slab that is being gathered takes; a block never goes over its end.
    pub const fn room(&self) -> usize {
        SLAB - self.slab.len()
    }

    /// How many rows it has.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Adds a row.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn push(&mut self, row: Row) -> std::result::Result<(), ArchiveError> {
        self.slab.push(row);
        self.rows += 1;
        if self.slab.len() == SLAB { self.flush() } else { Ok(()) }
    }

    /// Ends the file; answers what it was written to.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn finish(mut self) -> std::result::Result<W, ArchiveError> {
        self.flush()?;
        self.writer.flush()?;
        // What comes now is the footer, before which the checksums go.
        self.writer.inner_mut().hold();
        self.writer.finish()?;
        Ok(self.writer.inner_mut().end()?)
    }

    fn flush(&mut self) -> std::result::Result<(), ArchiveError> {
        if self.slab.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.slab);
        let uuids: Vec<Option<[u8; 16]>> =
            rows.iter().map(|row| row.message_id.as_deref().and_then(uuid)).collect();
        let all: Vec<_> =
            rows.iter().zip(&uuids).map(|(row, uuid)| values(row, uuid.as_ref())).collect();
        let mut group = self.writer.next_row_group()?;
        for index in 0..COLUMNS.len() {
            let of_column = all.iter().map(|row| row.get(index).copied().flatten());
            if let Some(mut column) = group.next_column()? {
                write_column(index, of_column, &mut column)?;
                column.close()?;
            }
        }
        group.close()?;
        // What was written goes out: a row group may be large.
        self.writer.flush()?;
        self.slab = Vec::with_capacity(SLAB);
        Ok(())
    }
}

fn write_column<'a>(
    index: usize,
    of_column: impl Iterator<Item = Option<Value<'a>>> + Clone,
    column: &mut SerializedColumnWriter<'_>,
) -> Result<()> {
    let Some(what) = COLUMNS.get(index) else { return Ok(()) };
    let levels: Vec<i16> = of_column.clone().map(|value| i16::from(value.is_some())).collect();
    let levels = (!what.required).then_some(levels.as_slice());
    let bytes = of_column.clone().flatten().filter_map(|value| match value {
        Value::Bytes(bytes) => Some(ByteArray::from(bytes.to_vec())),
        Value::Number(_) => None,
    });
    match what.kind {
        Kind::Number | Kind::Time => {
            let numbers: Vec<i64> = of_column
                .flatten()
                .filter_map(|value| match value {
                    Value::Number(number) => Some(number),
                    Value::Bytes(_) => None,
                })
                .collect();
            column.typed::<Int64Type>().write_batch(&numbers, levels, None)?;
        }
        Kind::Text | Kind::Bytes => {
            let bytes: Vec<_> = bytes.collect();
            column.typed::<ByteArrayType>().write_batch(&bytes, levels, None)?;
        }
        Kind::Id | Kind::Uuid => {
            let bytes: Vec<_> = bytes.map(FixedLenByteArray::from).collect();
            column.typed::<FixedLenByteArrayType>().write_batch(&bytes, levels, None)?;
        }
    }
    Ok(())
}

/// The bytes of a UUID that reads back as exactly this text.
pub fn uuid(text: &str) -> Option<[u8; 16]> {
    let mut bytes = [0; 16];
    let mut digits = text.bytes();
    for (index, byte) in bytes.iter_mut().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) && digits.next() != Some(b'-') {
            return None;
        }
        for _ in 0..2 {
            let digit = match digits.next()? {
                digit @ b'0'..=b'9' => digit - b'0',
                digit @ b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            *byte = *byte << 4 | digit;
        }
    }
    digits.next().is_none().then_some(bytes)
}

/// The text of a UUID.
pub fn uuid_text(bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    text
}
