//! Little-endian bytes, in and out.

use super::ModelError;

/// Reads from untrusted bytes; nothing is allocated before the bytes for it were seen.
pub struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

macro_rules! numbers {
    ($($one:ident $many:ident $number:ty;)*) => {
        #[allow(dead_code)] // not every format comes alone and in rows, both ways
        impl<'a> Reader<'a> {
            $(pub fn $one(&mut self) -> Result<$number, ModelError> {
                self.array().map(<$number>::from_le_bytes)
            }
            pub fn $many(&mut self, count: usize) -> Result<Vec<$number>, ModelError> {
                const SIZE: usize = size_of::<$number>();
                let bytes = self.take(count.checked_mul(SIZE).ok_or_else(|| self.truncated())?)?;
                Ok(bytes.as_chunks::<SIZE>().0.iter().map(|&chunk| <$number>::from_le_bytes(chunk)).collect())
            })*
        }
        #[allow(dead_code)]
        impl Writer {
            $(pub fn $one(&mut self, number: $number) {
                self.0.extend_from_slice(&number.to_le_bytes());
            }
            pub fn $many(&mut self, numbers: &[$number]) {
                numbers.iter().for_each(|&number| self.$one(number));
            })*
        }
    };
}

numbers! {
    u8 u8s u8;
    u16 u16s u16;
    u32 u32s u32;
    i16 i16s i16;
    f32 f32s f32;
    f64 f64s f64;
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes, length: bytes.len() }
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], ModelError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(taken)
    }

    /// A text with its length in bytes as `u16` in front.
    pub fn text(&mut self) -> Result<String, ModelError> {
        let length = self.u16()?;
        let bytes = self.take(usize::from(length))?;
        let text =
            core::str::from_utf8(bytes).map_err(|_| ModelError::Text { at: self.position() })?;
        Ok(text.to_owned())
    }

    /// A count of things that take at least one byte each.
    pub fn count(&mut self) -> Result<usize, ModelError> {
        let count = self.u32()? as usize;
        if count > self.rest.len() { Err(self.truncated()) } else { Ok(count) }
    }

    pub fn position(&self) -> usize {
        self.length - self.rest.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ModelError> {
        let (chunk, rest) = self.rest.split_first_chunk().ok_or_else(|| self.truncated())?;
        self.rest = rest;
        Ok(*chunk)
    }

    fn truncated(&self) -> ModelError {
        ModelError::Truncated { at: self.position() }
    }
}

/// Writes a model's body.
#[derive(Default)]
pub struct Writer(pub Vec<u8>);

impl Writer {
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A text of at most 65,535 bytes; the packer sees to that.
    pub fn text(&mut self, text: &str) {
        self.u16(text.len() as u16);
        self.bytes(text.as_bytes());
    }
}
