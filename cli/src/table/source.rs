//! A file of separated values: its encoding, its separator, its rows.

use super::nearest;
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use std::cell::Cell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A file whose header has been read.
pub struct Source {
    pub path: PathBuf,
    pub header: Vec<String>,
    pub separator: u8,
    encoding: &'static Encoding,
}

/// A model reads no more signals.
const MOST_COLUMNS: usize = 65_535;

/// The rows of a [`Source`], one after another.
pub struct Rows {
    reader: csv::Reader<Box<dyn Read>>,
    record: csv::StringRecord,
    path: PathBuf,
    columns: usize,
    /// Rows handed out so far, the header left out.
    pub row: u64,
    /// Where the row before began, if its last cell runs over lines.
    long_row: Option<u64>,
    /// The last byte so far that ends no line.
    ending: Rc<Cell<u8>>,
}

/// Why a table cannot be used. Rows are counted from 1, the header left out.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is a folder: give a CSV file", path.display())]
    Folder { path: PathBuf },
    #[error("{} can be read only once, and is needed more often: save it as a file first", path.display())]
    Pipe { path: PathBuf },
    #[error("{} is empty: give a CSV file with a header and rows", path.display())]
    Empty { path: PathBuf },
    #[error("{} is a workbook or archive, not text: save the sheet as CSV (UTF-8) and give that file", path.display())]
    Archive { path: PathBuf },
    #[error("{} is not text: line {line} holds a zero byte (byte {at} of the file)", path.display())]
    Binary { path: PathBuf, line: u64, at: u64 },
    #[error("{} ends in the middle of a character of UTF-16, so the file seems cut off", path.display())]
    HalfCharacter { path: PathBuf },
    #[error("{} begins with “{line}”, which only a spreadsheet program understands: remove that line", path.display())]
    SeparatorLine { path: PathBuf, line: String },
    #[error("{}: column {place} of the header runs over {lines} lines: is a quotation mark never closed?", path.display())]
    LongHeader { path: PathBuf, place: usize, lines: usize },
    #[error("{}: a quotation mark opens in row {row} (line {line}) and is never closed: close it, or write it twice where it is meant", path.display())]
    Unclosed { path: PathBuf, row: u64, line: u64 },
    #[error("{}: there is no column “{name}”: the header is one column, “{header}”; say with --separator what parts its cells", path.display())]
    OneColumn { path: PathBuf, name: String, header: String },
    #[error("{} has a header but no rows", path.display())]
    NoRows { path: PathBuf },
    #[error("{}: the header is one column, “{header}”, when parted by '{separator}'; try --separator '{better}'", path.display())]
    Separator { path: PathBuf, header: String, separator: char, better: char },
    #[error("{}: column {place} of the header has no name: name it, or remove the column", path.display())]
    Unnamed { path: PathBuf, place: usize },
    #[error("{} has {columns} columns, and {MOST_COLUMNS} are the most: is the table on its side?", path.display())]
    TooWide { path: PathBuf, columns: usize },
    #[error("{}: two columns are called “{name}” (columns {first} and {second}): rename one", path.display())]
    Twice { path: PathBuf, name: String, first: usize, second: usize },
    #[error("{}: row {row} (line {line}) has {cells} cells where the header has {columns}{why}", path.display())]
    Ragged { path: PathBuf, row: u64, line: u64, cells: u64, columns: usize, why: &'static str },
    #[error("{}: there is no column “{name}”{near}", path.display())]
    NoColumn { path: PathBuf, name: String, near: String },
    #[error("{}: {source}", path.display())]
    Csv { path: PathBuf, source: csv::Error },
}

impl Source {
    /// Finds out encoding and separator (unless given) and reads the header.
    pub fn open(path: &Path, separator: Option<u8>) -> Result<Source, TableError> {
        let path = path.to_owned();
        match std::fs::metadata(&path) {
            Err(source) => return Err(TableError::Read { path, source }),
            Ok(data) if data.is_dir() => return Err(TableError::Folder { path }),
            Ok(data) if !data.is_file() => return Err(TableError::Pipe { path }),
            Ok(_) => {}
        }
        let encoding = encoding(&path)?;
        let head = head(&path, encoding)?;
        if head.trim().is_empty() {
            return Err(TableError::Empty { path });
        }
        let first = head.lines().next().unwrap_or("").trim();
        if first.starts_with("sep=") && first.len() <= 5 {
            return Err(TableError::SeparatorLine { path, line: first.to_owned() });
        }
        let sniffed = sniff(&head);
        let mut source =
            Source { separator: separator.unwrap_or(sniffed), path, header: Vec::new(), encoding };
        let mut rows = source.reader(text(&source.path, encoding)?);
        let header = rows.headers().map_err(|error| source.csv(error))?.clone();
        source.header = header.iter().map(|name| name.trim().to_owned()).collect();
        source.check_header(sniffed)?;
        Ok(source)
    }

    /// The rows, from the first.
    pub fn rows(&self) -> Result<Rows, TableError> {
        let ending = Rc::new(Cell::new(0));
        let text = Ending { inner: text(&self.path, self.encoding)?, last: ending.clone() };
        let mut reader = self.reader(Box::new(text));
        reader.headers().map_err(|error| self.csv(error))?;
        Ok(Rows {
            reader,
            long_row: None,
            ending,
            record: csv::StringRecord::new(),
            path: self.path.clone(),
            columns: self.header.len(),
            row: 0,
        })
    }

    /// The place of a column.
    pub fn column(&self, name: &str) -> Result<usize, TableError> {
        if let Some(place) = self.header.iter().position(|column| column == name.trim()) {
            return Ok(place);
        }
        let (path, name) = (self.path.clone(), name.to_owned());
        if let [only] = self.header.as_slice() {
            return Err(TableError::OneColumn { path, name, header: beginning(only) });
        }
        let near = nearest(&name, &self.header);
        Err(TableError::NoColumn { path, name, near })
    }

    fn check_header(&self, sniffed: u8) -> Result<(), TableError> {
        let path = || self.path.clone();
        if let [only] = self.header.as_slice()
            && sniffed != self.separator
        {
            let header = beginning(only);
            let (separator, better) = (char::from(self.separator), char::from(sniffed));
            return Err(TableError::Separator { path: path(), header, separator, better });
        }
        if self.header.len() > MOST_COLUMNS {
            return Err(TableError::TooWide { path: path(), columns: self.header.len() });
        }
        let mut seen = HashMap::new();
        for (place, name) in self.header.iter().enumerate() {
            let lines = name.lines().count();
            if lines > 10 {
                return Err(TableError::LongHeader { path: path(), place: place + 1, lines });
            }
            if name.is_empty() {
                return Err(TableError::Unnamed { path: path(), place: place + 1 });
            }
            if let Some(first) = seen.insert(name, place) {
                return Err(TableError::Twice {
                    path: path(),
                    name: name.clone(),
                    first: first + 1,
                    second: place + 1,
                });
            }
        }
        Ok(())
    }

    fn reader(&self, text: Box<dyn Read>) -> csv::Reader<Box<dyn Read>> {
        csv::ReaderBuilder::new().delimiter(self.separator).from_reader(text)
    }

    fn csv(&self, source: csv::Error) -> TableError {
        TableError::Csv { path: self.path.clone(), source }
    }
}

impl Rows {
    /// The next row's cells; none at the end.
    pub fn next(&mut self) -> Result<Option<&csv::StringRecord>, TableError> {
        match self.reader.read_record(&mut self.record) {
            Ok(true) => {
                self.row += 1;
                self.long_row = self.line_if_long();
                Ok(Some(&self.record))
            }
            Ok(false) => match self.long_row.filter(|_| self.ending.get() != b'"') {
                Some(line) => Err(self.unclosed(self.row, line)),
                None => Ok(None),
            },
            Err(error) => Err(self.explain(error)),
        }
    }

    /// Where the row at hand began, if its last cell runs over lines: a quotation mark must end it.
    fn line_if_long(&self) -> Option<u64> {
        let last = self.record.get(self.record.len().wrapping_sub(1))?;
        last.contains('\n').then(|| self.record.position().map_or(0, csv::Position::line))
    }

    fn unclosed(&self, row: u64, line: u64) -> TableError {
        TableError::Unclosed { path: self.path.clone(), row, line }
    }

    fn explain(&mut self, error: csv::Error) -> TableError {
        let csv::ErrorKind::UnequalLengths { pos, len, .. } = error.kind() else {
            return TableError::Csv { path: self.path.clone(), source: error };
        };
        let (line, cells) = (pos.as_ref().map_or(0, csv::Position::line), *len);
        let row = self.row + 1;
        let mut rest = csv::StringRecord::new();
        let long = self.line_if_long();
        let last = !matches!(self.reader.read_record(&mut rest), Ok(true) | Err(_));
        if let Some(line) = long.filter(|_| last && self.ending.get() != b'"') {
            return self.unclosed(row, line);
        }
        let why = if last && cells < self.columns as u64 {
            ": it is the last row, so the file seems cut off"
        } else if cells > self.columns as u64 {
            ": does a cell hold the separator without quotes around it?"
        } else {
            ": is a quotation mark or a separator missing?"
        };
        TableError::Ragged { path: self.path.clone(), row, line, cells, columns: self.columns, why }
    }
}

/// The file as UTF-8 text.
fn text(path: &Path, encoding: &'static Encoding) -> Result<Box<dyn Read>, TableError> {
    let file = open(path)?;
    let reader = BufReader::with_capacity(1 << 16, file);
    if encoding == UTF_8 {
        return Ok(Box::new(WithoutMark { inner: reader, started: false }));
    }
    Ok(Box::new(Decoded {
        inner: reader,
        decoder: encoding.new_decoder(),
        ready: String::new(),
        taken: 0,
        done: false,
    }))
}

/// Remembers how the text ends.
struct Ending<R> {
    inner: R,
    last: Rc<Cell<u8>>,
}

impl<R: Read> Read for Ending<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(into)?;
        let ends_line = |byte: &&u8| matches!(**byte, b'\n' | b'\r');
        if let Some(byte) = into[..count].iter().rev().find(|byte| !ends_line(byte)) {
            self.last.set(*byte);
        }
        Ok(count)
    }
}

/// UTF-8 without the byte-order mark that may lead it.
struct WithoutMark<R> {
    inner: R,
    started: bool,
}

impl<R: Read> Read for WithoutMark<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut count = self.inner.read(into)?;
        if !self.started && count >= 3 {
            self.started = true;
            if into.starts_with(b"\xEF\xBB\xBF") {
                into.copy_within(3..count, 0);
                count -= 3;
                if count == 0 {
                    return self.inner.read(into);
                }
            }
        }
        Ok(count)
    }
}

/// Another encoding, as UTF-8.
struct Decoded<R> {
    inner: R,
    decoder: encoding_rs::Decoder,
    ready: String,
    taken: usize,
    done: bool,
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.ready.len() && !self.done {
            let mut raw = [0; 1 << 14];
            let count = self.inner.read(&mut raw)?;
            self.done = count == 0;
            self.ready.clear();
            self.taken = 0;
            self.ready.reserve(count * 3 + 16);
            let _ = self.decoder.decode_to_string(&raw[..count], &mut self.ready, self.done);
        }
        let left = &self.ready.as_bytes()[self.taken..];
        let count = left.len().min(into.len());
        into[..count].copy_from_slice(&left[..count]);
        self.taken += count;
        Ok(count)
    }
}

fn open(path: &Path) -> Result<File, TableError> {
    File::open(path).map_err(|source| TableError::Read { path: path.to_owned(), source })
}

/// The encoding, from a byte-order mark or else from all of the bytes.
fn encoding(path: &Path) -> Result<&'static Encoding, TableError> {
    let mut file = open(path)?;
    let failed = |source| TableError::Read { path: path.to_owned(), source };
    let mut chunk = vec![0; 1 << 16];
    let mut held = 0;
    let (mut at, mut lines, mut utf8) = (0_u64, 0_u64, true);
    loop {
        let count = file.read(&mut chunk[held..]).map_err(failed)?;
        let bytes = &chunk[..held + count];
        if at == 0 {
            if bytes.starts_with(b"PK\x03\x04")
                || bytes.starts_with(b"\xD0\xCF\x11\xE0")
                || bytes.starts_with(b"\x1F\x8B")
            {
                return Err(TableError::Archive { path: path.to_owned() });
            }
            let marked = Encoding::for_bom(bytes).map(|(encoding, _)| encoding);
            let zeros = |parity: usize| {
                bytes.iter().skip(parity).step_by(2).filter(|byte| **byte == 0).count() * 4
                    > bytes.len()
            };
            let wide = if zeros(1) { UTF_16LE } else { UTF_16BE };
            if let Some(encoding) = marked.or_else(|| (zeros(1) || zeros(0)).then_some(wide)) {
                let whole = file.metadata().map_err(failed)?.len() % 2 == 0;
                if encoding != UTF_8 && !whole {
                    return Err(TableError::HalfCharacter { path: path.to_owned() });
                }
                return Ok(encoding);
            }
        }
        if let Some(zero) = bytes.iter().position(|byte| *byte == 0) {
            let line = lines + line_ends(&bytes[..zero]) + 1;
            let at = at + zero as u64;
            return Err(TableError::Binary { path: path.to_owned(), line, at });
        }
        let mut rest = 0;
        if let Err(error) = std::str::from_utf8(bytes) {
            rest = bytes.len() - error.valid_up_to();
            utf8 &= error.error_len().is_none() && (count > 0 || rest == 0);
        }
        if !utf8 {
            rest = 0;
        }
        let used = bytes.len() - rest;
        if count == 0 {
            return Ok(if utf8 { UTF_8 } else { WINDOWS_1252 });
        }
        at += used as u64;
        lines += line_ends(&bytes[..used]);
        chunk.copy_within(used..used + rest, 0);
        held = rest;
    }
}

fn line_ends(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// Enough of a text to know it by.
fn beginning(text: &str) -> String {
    let mut beginning: String = text.chars().take(60).collect();
    if beginning.len() < text.len() {
        beginning.push('…');
    }
    beginning
}

/// The beginning of the text, whole lines only where there are several.
fn head(path: &Path, encoding: &'static Encoding) -> Result<String, TableError> {
    let mut bytes = Vec::new();
    let reader = text(path, encoding)?;
    reader
        .take(1 << 16)
        .read_to_end(&mut bytes)
        .map_err(|source| TableError::Read { path: path.to_owned(), source })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The separator that parts most lines into the same number of cells, more than one.
fn sniff(head: &str) -> u8 {
    let counts = |separator: u8| {
        let mut quoted = false;
        let mut counts = vec![0_usize];
        for byte in head.bytes() {
            match byte {
                b'"' => quoted = !quoted,
                b'\n' if !quoted => counts.push(0),
                byte if byte == separator && !quoted => {
                    if let Some(last) = counts.last_mut() {
                        *last += 1;
                    }
                }
                _ => {}
            }
            if counts.len() > 100 {
                break;
            }
        }
        counts
    };
    let fit = |separator: u8| {
        let counts = counts(separator);
        let first = counts.first().copied().unwrap_or(0);
        if first == 0 {
            (0, 0)
        } else {
            (counts.iter().filter(|&&count| count == first).count(), first)
        }
    };
    // Of equally good separators, the earlier.
    [b'|', b'\t', b';', b','].into_iter().max_by_key(|&separator| fit(separator)).unwrap_or(b',')
}
